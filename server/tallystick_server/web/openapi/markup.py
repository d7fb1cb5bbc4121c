"""HTML from texts: everything is escaped here, or was made here."""

from __future__ import annotations

import json
import re
from html import escape

_CODE = re.compile(r"`([^`]+)`")


class Html(str):
    """Markup that was made here: whatever stood in it is escaped already."""

    __slots__ = ()


def tag(name: str, *inner: Html | str, **attributes: str) -> Html:
    """An element; plain texts in it are escaped.

    A trailing underscore of an attribute's name is dropped, the others are dashes.
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    return Html(f"<{name}{said}>{join(*inner)}</{name}>")


def join(*parts: Html | str) -> Html:
    """One part after the other; plain texts are escaped."""
    return Html(
        "".join(part if isinstance(part, Html) else escape(part) for part in parts)
    )


def listed(parts: list[Html], between: str) -> Html:
    """Parts with a text between them."""
    return Html(escape(between).join(parts))


def prose(text: str) -> Html:
    """Paragraphs, one for each text between blank lines."""
    return join(*(tag("p", inline(part)) for part in text.split("\n\n")))


def inline(text: str) -> Html:
    """A text in which backticks mark code."""
    pieces = _CODE.split(text)
    return join(
        *(tag("code", piece) if at % 2 else piece for at, piece in enumerate(pieces))
    )


def code(value: object) -> Html:
    """A value as JSON would write it, but texts as they are."""
    return tag("code", value if isinstance(value, str) else json.dumps(value))


def shown(value: object) -> Html:
    """An example on lines of its own; a text with control characters is escaped."""
    if isinstance(value, str) and value.replace("\n", "").isprintable():
        text = value
    else:
        text = json.dumps(value, indent=2, ensure_ascii=False)
    return tag("pre", tag("code", text), tabindex="0")
