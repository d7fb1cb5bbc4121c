"""Log events: one JSON object a line on stderr.

    {"time": "2026-01-31T12:00:00.123Z", "level": "info", "event": "serving",
     "source": "tallystick_server.wiring", "size": 12}

The message of a record is the event's name; what `extra` holds are its fields.  All
text is stripped of control characters and lone surrogates and is cut: a log line may
hold what a stranger sent.  Payloads, tokens and keys are never given to a logger.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import IO

from tallystick_server.ops.times import format_time

MAX_TEXT = 2_000
"""Longest text of one field, in characters; a traceback may be ten times that."""

ROOT = "tallystick_server"
"""The logger above all of ours."""

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_OURS = frozenset({"time", "level", "event", "source", "error"})


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the line."""
        line: dict[str, object] = {
            "time": format_time(int(record.created * 1000)),
            "level": record.levelname.lower(),
            "event": clean(record.getMessage()),
            "source": record.name,
        }
        for name, value in vars(record).items():
            if name not in _PLAIN:
                line[f"{name}_" if name in _OURS else name] = _field(value)
        if record.exc_info:
            trace = self.formatException(record.exc_info)
            line["error"] = clean(trace, longest=10 * MAX_TEXT, keep="\n")
        return json.dumps(line, ensure_ascii=True, default=str)


class MalformedRequests(logging.Filter):
    """Cuts what the HTTP library says of malformed requests down to the fact.

    Its own line holds the bytes that came, and they may be somebody's token.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the exception of a parser out of the record."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and type(error).__module__.startswith("aiohttp.http"):
            record.msg, record.args = "malformed request", ()
            record.exc_info = record.exc_text = None
            record.levelno, record.levelname = logging.INFO, "INFO"
            return logging.getLogger(record.name).isEnabledFor(logging.INFO)
        return True


def set_up_logging(level: str, *, stream: IO[str] | None = None) -> None:
    """Send all log lines to stderr as JSON, ours from `level`, others from warning."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("aiohttp.server").filters[:] = [MalformedRequests()]
    set_level(level)


def set_level(level: str) -> None:
    """Change the level of our own events (`debug` … `error`)."""
    logging.getLogger(ROOT).setLevel(level.upper())
    logging.getLogger("aiohttp.access").setLevel(level.upper())


def clean(text: str, *, longest: int = MAX_TEXT, keep: str = "") -> str:
    """Replace what is not printable by `?`, and cut the text."""
    cut = text[:longest]
    return "".join(
        mark if mark.isprintable() or mark in keep else "?" for mark in cut
    ) + ("…" if len(text) > longest else "")


def _field(value: object) -> object:
    """Make a field of JSON: numbers and truth values as they are, the rest as text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_field(item) for item in value[:100]]
    return clean(str(value))
