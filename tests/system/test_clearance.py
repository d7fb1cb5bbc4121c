"""A server that nobody can clear serves reads, signs nothing, and waits (D7)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tallystick_merkle.errors import RefusedError
from tallystick_merkle.exchange.appending import Appended, append_entry
from tallystick_merkle.exchange.base import Request, Response
from tallystick_merkle.exchange.reading import TileReader
from tests.system.drive import drive, fetch
from tests.system.patience import until
from tests.system.stack import LOG, Daemon, Stack

pytestmark = [pytest.mark.system, pytest.mark.slow]


def append(stack: Stack, key: str) -> Appended:
    return drive(
        append_entry(stack.address, key.encode(), policy=stack.policy, key=key)
    )


def get(server: Daemon, path: str) -> Response:
    answer = fetch(Request("GET", f"{server.url}{path}", limit=65_536))
    assert isinstance(answer, Response)
    return answer


def signing(server: Daemon) -> str:
    """What /healthz says of signing."""
    checks: list[dict[str, Any]] = json.loads(get(server, "/healthz").body)["checks"]
    (found,) = [one for one in checks if one["name"] == f"{LOG}: signing"]
    return str(found["detail"])


def restart_without_witnesses(stack: Stack) -> Daemon:
    """A log of two entries is served again while its witnesses are gone."""
    stack.start()
    append(stack, "before")
    assert stack.server is not None
    stack.server.stop()
    for witness in stack.witnesses:
        witness.kill()
    return stack.start()


def test_a_log_that_nobody_can_clear_is_read_and_not_signed(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        server = restart_without_witnesses(stack)
        with pytest.raises(RefusedError) as refused:
            append(stack, "after")
        ready = get(server, "/readyz")
        checkpoint = drive(TileReader(stack.address.read_url).checkpoint())
        why = signing(server)
        code = server.stop()

    assert refused.value.status == ready.status == 503
    assert b"\n2\n" in checkpoint
    assert "no quorum of witnesses has confirmed size 2" in why
    assert code == 0


def test_a_log_signs_again_when_its_witnesses_are_back(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        server = restart_without_witnesses(stack)
        both_away = signing(server)
        stack.start_witness(0)
        is_told_anew = until(lambda: "w1: agrees" in signing(server))
        stack.start_witness(1)
        is_ready = until(lambda: get(server, "/readyz").status == 200)
        index = append(stack, "after").index
        code = server.stop()
        report = stack.fsck()

    assert both_away.count("cannot connect") == 2
    assert is_told_anew
    assert is_ready
    assert index == 2
    assert code == 0
    assert report["sound"]
