"""Make the vectors of `ev1`: `python -m tests.vectors.ev1make` writes them anew.

Each file of `ev1/` is one case, named after what is in it or what was done to it.  They
come from the reference implementation; the kernel and the verifier in JavaScript are
held against them, and a test holds them against this program.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.vectors import ev1bad, ev1bundles, ev1good, ev1parts, ev1stories
from tests.vectors.ev1good import Case

FOLDER = Path(__file__).resolve().parent / "ev1"


def cases() -> dict[str, Case]:
    """All vectors by name."""
    groups = (
        {f"shown-{name}": one for name, one in ev1good.disclosures().items()},
        {"record": ev1good.record()},
        ev1bad.all_cases(),
        ev1stories.all_cases(),
        {f"malformed-{name}": one for name, one in ev1parts.malformed().items()},
        ev1parts.leaves(),
        ev1parts.index_entries(),
        ev1parts.tags(),
        ev1bundles.evidence_cases(),
    )
    made = {name: one for group in groups for name, one in group.items()}
    assert len(made) == sum(map(len, groups)), "two cases of one name"
    return made


def written(one: Case) -> str:
    """The text of a file."""
    return json.dumps(one, indent=1) + "\n"


def main() -> None:
    """Write all, and remove what is no case any more."""
    FOLDER.mkdir(exist_ok=True)
    made = cases()
    for path in FOLDER.glob("*.json"):
        if path.stem not in made:
            path.unlink()
    for name, one in made.items():
        (FOLDER / f"{name}.json").write_text(written(one), encoding="utf-8")


if __name__ == "__main__":
    main()
