"""The schema in the documents is one, and what they say of its next version is true."""

import json
import re
from typing import Any

from tallystick_merkle.schema import Schema, parse_schema
from tallystick_merkle.schema_marks import Marks
from tallystick_merkle.schema_versions import differences
from tests.unit.house.source_tree import ROOT

TEXT = (ROOT / "docs" / "how-to" / "register-a-schema.md").read_text("utf-8")


def shown() -> dict[str, Any]:
    """The document that the page shows."""
    (block,) = re.findall(r"^```json\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    document = json.loads(block)
    assert isinstance(document, dict)
    return document


def read(document: dict[str, Any]) -> Schema:
    return parse_schema(json.dumps(document).encode())


def test_the_schema_that_is_shown_has_the_marks_that_are_told() -> None:
    marks: Marks = read(shown()).marks

    assert marks.places == {"details/mailbox": 0}
    assert marks.sensitive == {"details/mailbox"}
    assert marks.indexed == ("details/ticket",)
    for told in (
        "details/mailbox belongs to target/0",
        "details/mailbox is sensitive",
        "details/ticket can be searched for",
    ):
        assert told in TEXT


def test_the_difference_that_is_shown_is_told() -> None:
    changed = shown()
    changed["x-tallystick"]["version"] = 2
    changed["properties"]["details"]["properties"]["ticket"]["maxLength"] = 16

    (found,) = differences(read(shown()), read(changed))

    assert f"  {found.where}: {found.why}\n" in TEXT
