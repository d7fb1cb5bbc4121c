"""Structured log lines: one JSON object a line on stderr.

A line has a time, a level, an event and fields.  Payloads and keys are never given to
it; what strangers chose (an origin) is cut and stripped, since aiohttp keeps odd bytes
as surrogates and a terminal obeys control characters.
"""

from __future__ import annotations

import json
import logging
from typing import TextIO

_MAX_TEXT = 500


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the line. Fields come as `extra={"fields": {...}}`."""
        line: dict[str, object] = {
            "time_ms": int(record.created * 1000),
            "level": record.levelname.lower(),
            "event": _clean(record.getMessage()),
        }
        fields = getattr(record, "fields", {})
        line.update({name: _clean(value) for name, value in fields.items()})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def set_up(stream: TextIO) -> None:
    """Send every log record of the process to `stream` as JSON lines."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)


def _clean(value: object) -> object:
    """Keep numbers; cut a text and replace what cannot be printed."""
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)[:_MAX_TEXT]
    return "".join(mark if mark.isprintable() else "?" for mark in text)
