"""A log that shows two histories never gets both witnessed, and is found out."""

from __future__ import annotations

import pytest

from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.sim.lying import tell


@pytest.mark.row("R7")
@pytest.mark.timeout(900)
def test_of_two_histories_one_at_most_is_witnessed_and_the_lie_comes_out(
    form: Form, figures: Figures
) -> None:
    seeds = form.pick(quick=2, ci=15, long=100)
    lies = [tell(seed) for seed in range(seeds)]
    found = [
        f"seed {seed}: {rule}" for seed, lie in enumerate(lies) for rule in lie.broken
    ]

    figures.record(
        "worlds with a lying log",
        tried=len(lies),
        bad=len(found),
        note="entries in hidden histories "
        f"{sum(lie.forked_entries for lie in lies):,}, complaints of clients "
        f"{sum(lie.complaints for lie in lies):,}, evidence at witnesses "
        f"{sum(lie.evidence for lie in lies):,}",
    )
    assert found == []
    assert all(lie.forked_entries > 0 for lie in lies)
    assert all(lie.complaints > 0 for lie in lies)
