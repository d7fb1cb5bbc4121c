"""A log that is not for everybody is read with a token, which only its server sees."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from tallystick_client.blocking import Tallystick
from tallystick_merkle.errors import RefusedError
from tallystick_merkle.exchange.appending import LogAddress
from tests.unit.client.drivers import Open
from tests.unit.client.fake_log import LOG, POLICY, TOKEN, FakeLog, FakeTransport

MIRROR = "http://mirror.example/t/fake"


def gated() -> FakeLog:
    log = FakeLog(is_gated=True)
    log.grow(300)
    log.publish()
    return log


def client_of(log: FakeLog, address: LogAddress) -> Tallystick:
    return Tallystick(address, POLICY, transport=FakeTransport(log))


def test_a_log_that_is_not_for_everybody_is_audited_and_proven_with_its_token(
    connect: Open, log: FakeLog
) -> None:
    log.is_gated = True
    log.grow(300)
    log.publish()
    client = connect()

    audited = client.audit()
    proven = client.prove(7)
    promised = client.append(b"an event")
    log.publish()
    upgraded = client.upgrade(promised)

    assert (audited.head.size, audited.checked) == (301, 301)
    assert proven.entry == log.entries[7]
    assert len(upgraded.upgraded) == 1


def test_without_the_token_the_checkpoint_is_read_and_the_audit_is_refused() -> None:
    log = gated()
    client = client_of(log, replace(LOG, token=""))

    head = client.head()
    with pytest.raises(RefusedError) as refused:
        client.audit()

    assert head.size == 301
    assert refused.value.status == 401


def test_the_token_is_not_sent_for_what_is_open_to_all() -> None:
    log = gated()

    client_of(log, LOG).audit()

    with_token = {
        urlsplit(request.url).path.split("/")[3]
        for request in log.seen
        if "Authorization" in request.headers
    }
    without = {urlsplit(request.url).path.split("/")[3] for request in log.seen}
    assert with_token == {"tile"}
    assert without - with_token == {"checkpoint"}


def test_a_token_goes_to_the_server_of_its_log_and_not_to_a_mirror() -> None:
    log = FakeLog()
    client = client_of(log, replace(LOG, read_url=MIRROR))

    client.append(b"an event")
    log.publish()
    client.audit()

    told = {
        urlsplit(request.url).netloc
        for request in log.seen
        if TOKEN in str(dict(request.headers))
    }
    assert told == {"log.example"}
    assert {urlsplit(request.url).netloc for request in log.seen} == {
        "log.example",
        "mirror.example",
    }


@pytest.mark.parametrize(
    ("api", "read", "is_shown"),
    [
        ("https://a.example/v1/logs/x", "https://a.example/t/x", True),
        ("https://a.example:8440/v1/logs/x", "https://a.example:8440/t/x", True),
        ("https://a.example/v1/logs/x", "https://a.example/other/t/x", True),
        ("https://a.example/v1/logs/x", "http://a.example/t/x", False),
        ("https://a.example/v1/logs/x", "https://a.example:8440/t/x", False),
        ("https://a.example/v1/logs/x", "https://b.a.example/t/x", False),
        ("https://a.example/v1/logs/x", "https://a.example.b/t/x", False),
        ("https://a.example/v1/logs/x", "https://a.example@b.example/t/x", False),
        ("https://a.example/v1/logs/x", "https:a.example/t/x", False),
        ("https://a.example/v1/logs/x", "a.example/t/x", False),
    ],
)
def test_a_token_is_for_one_scheme_host_and_port(
    api: str, read: str, is_shown: bool
) -> None:
    address = LogAddress("origin", api, read, "token")

    assert address.read_token == ("token" if is_shown else "")
