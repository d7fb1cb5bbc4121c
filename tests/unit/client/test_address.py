from __future__ import annotations

import pytest

from tallystick_client.address import check_url, is_in_the_clear, log_address, origin_of
from tallystick_client.errors import UsageError
from tallystick_merkle.keys import KeyType, make_signing_key
from tallystick_merkle.policy import Policy, PolicyLog


def policy_of(*origins: str) -> Policy:
    logs = tuple(
        PolicyLog(
            make_signing_key(
                name=origin, type=KeyType.ED25519, seed=bytes([place]) * 32
            ).verifier,
            None,
        )
        for place, origin in enumerate(origins)
    )
    return Policy(logs, (), (), "none")


def test_an_address_is_put_together_from_server_and_name() -> None:
    log = log_address("https://log.example/base/", "cloudtrail", origin="o", token="t")

    assert log.api_url == "https://log.example/base/v1/logs/cloudtrail"
    assert log.read_url == "https://log.example/base/t/cloudtrail"


@pytest.mark.parametrize(
    "url",
    [
        "log.example",
        "ftp://log.example",
        "http://",
        "http://log.example?x=1",
        "http://log.example#x",
        "http://user:secret@log.example",
        "http://log.example:port",
        "http://log.example:99999",
        "http://[::1",
        "http://log.example/\n",
    ],
)
def test_what_is_not_a_base_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        check_url(url)


def test_a_password_in_a_url_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        check_url("http://user:secret@log.example")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "Cloud", "-x", "a/b", "..", "x" * 64])
def test_what_cannot_name_a_log_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not the name of a log"):
        log_address("http://log.example", name, origin="o")


@pytest.mark.parametrize("token", ["a b", "a\nb", "ä"])
def test_a_token_that_cannot_be_sent_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(UsageError) as caught:
        log_address("http://log.example", "x", origin="o", token=token)

    assert token not in str(caught.value)


def test_a_token_is_not_shown() -> None:
    log = log_address("http://log.example", "x", origin="o", token="tally_secret")

    assert "tally_secret" not in repr(log)


def test_the_only_log_of_a_policy_is_meant() -> None:
    assert origin_of(policy_of("a.example")) == "a.example"


def test_two_keys_of_one_log_are_one_log() -> None:
    assert origin_of(policy_of("a.example", "a.example")) == "a.example"


def test_one_of_several_logs_has_to_be_named() -> None:
    policy = policy_of("a.example", "b.example")

    with pytest.raises(UsageError, match="2 logs"):
        origin_of(policy)
    assert origin_of(policy, "b.example") == "b.example"


def test_a_log_that_the_policy_does_not_list_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no log with origin 'c\.example'"):
        origin_of(policy_of("a.example"), "c.example")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8440", False),
        ("http://[::1]:8440", False),
        ("http://localhost", False),
        ("https://log.example", False),
        ("http://log.example", True),
        ("http://10.0.0.1", True),
    ],
)
def test_a_token_to_another_machine_wants_https(url: str, expected: bool) -> None:
    assert is_in_the_clear(url) is expected
