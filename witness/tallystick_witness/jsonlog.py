"""Structured log lines: one JSON object a line on stderr, as those of the log server.

    {"time": "2026-01-31T12:00:00.123Z", "level": "info", "event": "cosigned",
     "source": "tallystick_witness.service", "size": 12}

`error` holds a traceback.  Payloads and keys are never given to
it; what strangers chose (an origin) is cut and stripped, since aiohttp keeps odd bytes
as surrogates and a terminal obeys control characters.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TextIO

_MAX_TEXT = 500


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the line. Fields come as `extra={"fields": {...}}`."""
        line: dict[str, object] = {
            "time": _format(record.created),
            "level": record.levelname.lower(),
            "event": _clean(record.getMessage()),
            "source": record.name,
        }
        fields = getattr(record, "fields", {})
        line.update({name: _clean(value) for name, value in fields.items()})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)


def set_up(stream: TextIO) -> None:
    """Send every log record of the process to `stream` as JSON lines."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)


def _format(time_s: float) -> str:
    """Write POSIX seconds as RFC 3339 in UTC, with milliseconds."""
    moment = datetime.fromtimestamp(time_s, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _clean(value: object) -> object:
    """Keep numbers; cut a text and replace what cannot be printed."""
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)[:_MAX_TEXT]
    return "".join(mark if mark.isprintable() else "?" for mark in text)
