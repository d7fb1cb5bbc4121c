"""The figures of the reliability rows are counted, shown and kept as they came."""

from pathlib import Path

import pytest

from tests.rows.forms import Figure, Form
from tests.rows.report import BEGIN, END, document, keep, merge, put, table

FIGURES = [
    Figure("R10", "disk full", 3, 0, "resumed 3", 2.0),
    Figure("R7", "seeds", 5000, 1, "", 61.25),
]


def test_the_table_is_in_the_order_of_the_plan() -> None:
    rows = [line.split(" | ")[0] for line in table(FIGURES)][2:]

    assert rows == ["| R7", "| R10"]


def test_a_line_says_what_was_tried_and_what_was_bad() -> None:
    assert "| R7 | seeds | 5,000 | 1 |  | 61.2 |" in list(table(FIGURES))


def test_parts_of_one_test_are_added_up() -> None:
    parts = [
        Figure("R1", "server", 10, 0, "killed 7, refused 3, in 1.5 s", 2.0),
        Figure("R1", "server", 5, 1, "killed 4, refused 1, in 1.5 s", 1.5),
        Figure("R1", "witness", 1, 0, "one", 1.0),
        Figure("R1", "witness", 1, 0, "other", 1.0),
    ]

    server, witness = merge(parts)

    assert server == Figure(
        "R1", "server", 15, 1, "killed 11, refused 4, in 1.5 s", 3.5
    )
    assert witness.note == "one; other"


def test_the_figures_of_a_run_in_parts_are_kept_and_the_newest_hold(
    tmp_path: Path,
) -> None:
    place = tmp_path / "figures.json"
    again = Figure("R7", "seeds", 200, 0, "", 3.0)

    keep(place, FIGURES)
    kept = keep(place, [again])

    assert kept == [again, FIGURES[0]]
    assert keep(place, []) == kept


def test_figures_replace_what_stood_between_the_markers() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"

    once = put(page, document(FIGURES, Form.CI))

    assert "old" not in once
    assert "Form `ci`" in once
    assert once.startswith("before\n")
    assert once.endswith("after\n")
    assert put(once, document(FIGURES, Form.CI)) == once


def test_a_document_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="has no lines"):
        put("nothing here", "figures")


def test_each_form_picks_its_own_amount() -> None:
    amounts = [form.pick(quick=1, ci=2, long=3) for form in Form]

    assert amounts == [1, 2, 3]


@pytest.mark.parametrize(("form", "runs"), [("quick", False), ("ci", True)])
def test_a_form_skips_what_needs_more(form: str, runs: bool) -> None:
    try:
        Form(form).needs(Form.CI, "it takes a minute")
    except pytest.skip.Exception:
        assert not runs
    else:
        assert runs
