# Tallystick: one command for each daily job. `make` alone lists them.
#
# Every install goes through constraints.txt, isolated builds included (newer versions of
# pip read PIP_BUILD_CONSTRAINT for these, older ones PIP_CONSTRAINT).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
ARGS ?=

export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt

# More workers than cores: many tests wait for processes that they started.
PARALLEL := -n 4 --dist worksteal
FORM ?= long
ROWS := R1,R2,R3,R5,R6,R7,R8,R9,R10,R11,R12,R13,R14,R17,R19,R20

.PHONY: help setup run test check torture fmt bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/.dev ## make .venv with all houses and the tools of a developer

run: $(VENV)/.all ## start a log and its witnesses and show the whole story (ARGS=--reset)
	@$(VENV)/bin/tallystick demo $(ARGS)

test: $(VENV)/.dev ## run all tests
	@$(PY) -m pytest $(PARALLEL) $(ARGS)

torture: $(VENV)/.dev ## try the rows of the reliability plan at length (FORM=ci for less)
	@$(PY) -m pytest -m row --form $(FORM) --timeout 1800 -n 2 --dist worksteal \
	  --require-rows $(ROWS) $(ARGS)

check: $(VENV)/.dev ## format, lint, types, floors, then all tests
	@echo "format"; $(VENV)/bin/ruff format --check --quiet . || { \
	  echo "run 'make fmt' to mend the format"; exit 1; }
	@echo "lint"; $(VENV)/bin/ruff check --quiet .
	@echo "types"; $(VENV)/bin/mypy
	@echo "floors"; $(VENV)/bin/lint-imports --no-logo
	@echo "tests"; $(MAKE) --no-print-directory test

fmt: $(VENV)/.dev ## format the tree and mend what the linter can mend
	@$(VENV)/bin/ruff check --fix-only --quiet .
	@$(VENV)/bin/ruff format .

bench: $(VENV)/.dev ## measure a whole server process from a separate load process
	@$(PY) -m tests.bench $(ARGS)

clean: ## remove .venv, caches and builds
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache \
	  .import_linter_cache .hypothesis .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The first interpreter that is new enough and can make a virtual environment.
$(PY):
	@old=""; for name in python3.13 python3.12 python3.11 python3; do \
	  $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  if $$name -c 'import ensurepip, venv' 2>/dev/null; then \
	    echo "making $(VENV) with $$name"; exec $$name -m venv --clear $(VENV); \
	  fi; \
	  old="$$name"; \
	done; \
	if [ -n "$$old" ]; then \
	  echo "$$old cannot make a virtual environment: ensurepip is missing." >&2; \
	  echo "On Debian or Ubuntu: sudo apt-get install python3-venv" >&2; \
	else \
	  echo "Python 3.11 or newer is needed, and none was found on PATH." >&2; \
	fi; exit 1

$(VENV)/.dev: $(PY) pyproject.toml constraints.txt
	@echo "installing tallystick and its developer's tools into $(VENV)"
	@$(PIP) install --editable '.[all,dev]'
	@touch $(VENV)/.all $(VENV)/.dev

$(VENV)/.all: $(PY) pyproject.toml constraints.txt
	@echo "installing tallystick into $(VENV)"
	@$(PIP) install --editable '.[all]'
	@touch $(VENV)/.all
