"""Log lines are JSON, one a line, whatever strangers put into them."""

import io
import json
import logging

from tallystick_witness.jsonlog import JsonFormatter, set_up


def write(message: str, **fields: object) -> dict[str, object]:
    record = logging.LogRecord("n", logging.INFO, "p", 1, message, (), None)
    record.fields = fields
    line = JsonFormatter().format(record)
    assert "\n" not in line
    found: dict[str, object] = json.loads(line)
    return found


def test_a_line_has_its_event_and_fields() -> None:
    line = write("cosigned", origin="log.example", size=8, none=None)

    assert line["event"] == "cosigned"
    assert line["level"] == "info"
    assert line["source"] == "n"
    assert (line["origin"], line["size"], line["none"]) == ("log.example", 8, None)


def test_the_time_is_spelt_as_the_log_server_spells_it() -> None:
    record = logging.LogRecord("n", logging.INFO, "p", 1, "e", (), None)
    record.created = 1_700_000_000.25

    line = json.loads(JsonFormatter().format(record))

    assert line["time"] == "2023-11-14T22:13:20.250Z"


def test_control_characters_and_surrogates_are_replaced() -> None:
    line = write("a\nb", origin="x\x1b[2J\udcff\u2028y")

    assert line["event"] == "a?b"
    assert line["origin"] == "x?[2J??y"


def test_long_texts_are_cut() -> None:
    assert write("e", origin="x" * 10_000)["origin"] == "x" * 500


def test_a_traceback_stays_on_its_line() -> None:
    error = ValueError("what\nhappened")
    exc_info = (ValueError, error, None)
    record = logging.LogRecord("n", 40, "p", 1, "failed", (), exc_info)

    line = JsonFormatter().format(record)

    assert "\n" not in line
    assert "ValueError" in json.loads(line)["error"]


def test_setting_up_sends_every_record_to_the_stream() -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    try:
        set_up(stream)
        logging.getLogger("anything").info("hello", extra={"fields": {"a": 1}})
    finally:
        root.handlers[:] = before
        root.setLevel(level)

    assert json.loads(stream.getvalue())["a"] == 1
