"""Whether a schema may be the next version of another.

    differences(old, new)   every reason why not, with a JSON pointer into the new one

- id and action stay, and versions count up by one;
- whatever event was valid stays valid: an old producer need not know the new version;
- a field that was named keeps its subject: nobody's data move under another's key;
- what was sensitive stays so, also after its property is gone;
- what was indexed stays so, or searches would miss events without saying it.  Only a
  field that becomes sensitive may leave the index, and has to.

Marks may be added at any time; they hold for the events of the new version.
"""

from __future__ import annotations

from collections.abc import Iterator

from tallystick_merkle.schema import Schema
from tallystick_merkle.schema_compare import narrowings
from tallystick_merkle.schema_keyrules import Difference
from tallystick_merkle.schema_keywords import pointer
from tallystick_merkle.schema_marks import MARK


def differences(old: Schema, new: Schema) -> tuple[Difference, ...]:
    """Name all that keeps `new` from being the version after `old`."""
    return (
        *_heads(old, new),
        *narrowings(old.root, new.root),
        *_marks(old, new),
    )


def _heads(old: Schema, new: Schema) -> Iterator[Difference]:
    """Compare what the heads say."""
    where = pointer("", MARK)
    if new.id != old.id:
        yield Difference(f"{where}/id", f"the id was {old.id}")
    if new.action != old.action:
        yield Difference(f"{where}/action", f"the action was {old.action}")
    if new.version != old.version + 1:
        yield Difference(f"{where}/version", f"expected version {old.version + 1}")


def _marks(old: Schema, new: Schema) -> Iterator[Difference]:
    """Compare what the marks say of fields that the old version names."""
    for name, place in old.marks.named.items():
        where = new.marks.named.get(name, place)
        before, now = old.marks.subject_of(name), new.marks.subject_of(name)
        if before != now:
            yield Difference(where, f"the subject was {before}, and is {now}")
        if old.marks.is_sensitive(name) and not new.marks.is_sensitive(name):
            yield Difference(where, "it was sensitive")
    for name in old.marks.indexed:
        if name not in new.marks.indexed and not new.marks.is_sensitive(name):
            where = new.marks.named.get(name, old.marks.named[name])
            yield Difference(where, "it was indexed")
