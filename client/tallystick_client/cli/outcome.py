"""The one error boundary: every error becomes one line and an exit code.

0 ok · 1 integrity failed · 2 usage, configuration, access · 3 promised or not yet
verifiable · 4 stale · 5 network or service · 70 a bug of ours · 130 Ctrl-C · 141 the
reader of our output has gone
"""

from __future__ import annotations

import json
import sys
import traceback

import typer

from tallystick_client.errors import ClientError, ForkError
from tallystick_merkle.errors import (
    ExchangeError,
    InconsistentError,
    KernelError,
    KeyMismatchError,
    MalformedError,
    OriginError,
    PolicyNotMetError,
    ProofError,
    RefusedError,
    SignatureError,
    TreeMismatchError,
)

INTEGRITY = 1
USAGE = 2
NOT_YET = 3
STALE = 4
SERVICE = 5
BUG = 70
INTERRUPTED = 130

_KERNEL: tuple[tuple[type[KernelError], int], ...] = (
    (ProofError, INTEGRITY),
    (SignatureError, INTEGRITY),
    (InconsistentError, INTEGRITY),
    (TreeMismatchError, INTEGRITY),
    (OriginError, INTEGRITY),
    (PolicyNotMetError, NOT_YET),
    (KeyMismatchError, USAGE),
    # What is malformed in a local file was turned into a UsageError where it was read.
    (MalformedError, SERVICE),
    (ExchangeError, SERVICE),
)

_LATER = 429
_SERVER_FAULT = 500


def exit_code_of(error: Exception) -> int:
    """Give the exit code that an error means."""
    if isinstance(error, ClientError):
        return error.exit_code
    if isinstance(error, RefusedError):
        is_theirs = error.status >= _SERVER_FAULT or error.status == _LATER
        return SERVICE if is_theirs else USAGE
    if isinstance(error, typer.TyperException):
        return USAGE
    for kind, code in _KERNEL:
        if isinstance(error, kind):
            return code
    return BUG


def message_of(error: Exception) -> str:
    """Give the one line, with the next step where there is one."""
    if isinstance(error, typer.TyperException):
        return " ".join((error.format_message() + _hint(error)).split())
    text = str(error) or type(error).__name__
    if isinstance(error, RefusedError):
        text += _advice(error.status, error.code)
    return " ".join(text.splitlines())


def report(error: Exception, *, is_json: bool) -> int:
    """Tell an error on stderr, and as an object on stdout for `--json`."""
    code = exit_code_of(error)
    if code == BUG:
        traceback.print_exception(error)
    message = message_of(error)
    if message:  # a command without arguments has shown its help already
        sys.stderr.write(f"tallystick: {message}\n")
    if is_json:
        parts: dict[str, object] = {
            "exit_code": code,
            "kind": type(error).__name__,
            "message": message,
        }
        if isinstance(error, ForkError):
            parts["files"] = [str(path) for path in error.files]
        if isinstance(error, TreeMismatchError) and error.index is not None:
            parts["index"] = error.index
        sys.stdout.write(json.dumps({"error": parts}, ensure_ascii=False) + "\n")
    return code


def _hint(error: typer.TyperException) -> str:
    """Name the help of the command that was misused."""
    context: object = getattr(error, "ctx", None)
    command: object = getattr(context, "command_path", None)
    message = error.format_message().strip()
    if not isinstance(command, str) or not message:
        return ""
    return f"{'' if message.endswith(('.', '?')) else '.'} Try '{command} --help'."


def _advice(status: int, code: str) -> str:
    """Say what to do about a refusal."""
    if status in {401, 403}:
        return ": check the token file, and what its token may do"
    if status == 404:
        return ": check the server's URL and the name of the log"
    if status == 409 and code.endswith("/idempotency-key-reused"):
        return ": the same idempotency key was used for another entry"
    return ""
