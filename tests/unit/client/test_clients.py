"""What both clients share: they close, they keep secrets, and they agree."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick_client.aio import AsyncTallystick
from tallystick_client.blocking import Tallystick
from tallystick_client.errors import ClientError
from tallystick_client.trust_directory import DirectoryTrust
from tallystick_merkle.errors import KernelError, UnreachableError
from tallystick_merkle.exchange.base import Failure, Reply, Response
from tests.unit.client.drivers import Driver, open_driver
from tests.unit.client.fake_log import (
    LOG,
    ONE_WITNESS,
    ORIGIN,
    POLICY,
    TOKEN,
    WITNESSES,
    AsyncFakeTransport,
    FakeLog,
    FakeTransport,
    problem,
)


def test_the_blocking_client_closes_its_transport() -> None:
    transport = FakeTransport(FakeLog())

    with Tallystick(LOG, POLICY, transport=transport) as client:
        client.head()

    assert transport.is_closed


async def test_the_client_for_a_loop_closes_its_transport() -> None:
    transport = AsyncFakeTransport(FakeLog())

    async with AsyncTallystick(LOG, POLICY, transport=transport) as client:
        await client.head()

    assert transport.is_closed


async def test_the_real_transports_open_nothing_until_they_are_used() -> None:
    with Tallystick(LOG, POLICY):
        pass
    async with AsyncTallystick(LOG, POLICY):
        pass


def test_a_token_is_in_no_representation_and_no_error() -> None:
    log = FakeLog(script=[Failure("reset")] * 10)
    slept: list[float] = []
    client = Tallystick(LOG, POLICY, transport=FakeTransport(log), sleep=slept.append)

    with pytest.raises(UnreachableError) as caught:
        client.append(b"x")

    shown = [repr(client), repr(log.seen), str(caught.value), repr(caught.value)]
    assert all(TOKEN not in text for text in shown)
    assert log.seen[0].headers["Authorization"] == f"Bearer {TOKEN}"


replies: st.SearchStrategy[Reply] = st.one_of(
    st.just(Failure("reset")),
    st.sampled_from([400, 401, 404, 409, 422, 429, 500, 503]).map(
        lambda status: problem(status, "no")
    ),
    st.binary(max_size=60).map(lambda body: Response(200, {}, body)),
    st.binary(max_size=60).map(lambda body: Response(201, {}, b'{"index":' + body)),
)
actions = st.lists(
    st.sampled_from(["append", "witnessed", "batch", "head", "upgrade", "prove"])
    | st.sampled_from(["audit", "grow", "publish", "rewrite"]),
    max_size=8,
)


def play(kind: str, script: list[Reply], steps: list[str]) -> list[object]:
    """Play steps against a log that first answers by a script; note what happens."""
    log = FakeLog(witnesses=WITNESSES[:1])  # ML-DSA-44 signs differently each time
    with tempfile.TemporaryDirectory() as folder:
        client = open_driver(kind, log, Path(folder), ONE_WITNESS)
        log.script = list(script)
        story: list[object] = [
            _step(client, log, action, number) for number, action in enumerate(steps)
        ]
        trust = DirectoryTrust(Path(folder), ORIGIN)
        story += [trust.believed(), trust.promised(), trust.edge()]
        story += [held for _, held in trust.witnessed_files()]
    return [*story, client.slept, len(log.seen)]


def _step(client: Driver, log: FakeLog, action: str, number: int) -> object:
    key = f"key-{number}"
    try:
        match action:
            case "append":
                return client.append(b"%d" % number, key)
            case "witnessed":
                return client.append(b"%d" % number, key, wait="witnessed")
            case "batch":
                return client.append_batch([b"a", b"b"], key, wait="durable").positions
            case "head":
                return client.head()
            case "upgrade":
                return client.upgrade()
            case "prove":
                return client.prove(number)
            case "audit":
                return client.audit()
            case "grow":
                log.grow(300)
            case "publish":
                log.publish()
            case _:
                log.entries = [b"rewritten", *log.entries[1:]]
    except (KernelError, ClientError) as error:
        return type(error).__name__
    return None


@pytest.mark.slow
@settings(max_examples=60)
@given(st.lists(replies, max_size=6), actions)
def test_both_clients_give_equal_results_for_equal_scripts(
    script: list[Reply], steps: list[str]
) -> None:
    assert play("blocking", script, steps) == play("aio", script, steps)
