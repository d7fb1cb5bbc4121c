"""Key strings, key ids and bare signatures."""

from base64 import b64encode
from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tallystick_merkle.errors import InvalidSignatureError, MalformedError
from tallystick_merkle.keys import (
    MAX_NAME,
    MAX_VKEY,
    KeyType,
    VerifierKey,
    check_name,
    format_skey,
    format_vkey,
    make_signing_key,
    parse_skey,
    parse_vkey,
)
from tests.unit.merkle.hostile import NAMES, check_parser, hostile
from tests.unit.merkle.people import KEYS, key, log_key

LOG, WITNESS = KEYS["log"], KEYS["witness"]

VKEYS = [
    LOG["vkey_01"],
    LOG["vkey_06"],
    WITNESS["vkey_01_same_key"],
    WITNESS["vkey_04"],
    WITNESS["vkey_06"],
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx",
]
SKEYS = [
    (LOG["skey_01"], LOG["vkey_01"]),
    (
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
        VKEYS[5],
    ),
    (
        (
            "PRIVATE+KEY+example.com/log/testdata+33d7b496+"
            "AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg"
        ),
        VKEYS[7],
    ),
]


@pytest.mark.parametrize("vkey", VKEYS)
def test_published_vkeys_round_trip(vkey: str) -> None:
    assert format_vkey(parse_vkey(vkey)) == vkey


@pytest.mark.parametrize(("skey", "vkey"), SKEYS)
def test_published_skeys_have_their_vkeys(skey: str, vkey: str) -> None:
    found = parse_skey(skey)

    assert format_skey(found) == skey
    assert format_vkey(found.verifier) == vkey


@pytest.mark.parametrize(
    ("who", "kind", "field"),
    [
        (LOG, KeyType.ED25519, "vkey_01"),
        (LOG, KeyType.MLDSA44, "vkey_06"),
        (WITNESS, KeyType.ED25519, "vkey_01_same_key"),
        (WITNESS, KeyType.COSIGNATURE, "vkey_04"),
        (WITNESS, KeyType.MLDSA44, "vkey_06"),
    ],
)
def test_published_seeds_give_their_vkeys(
    who: dict[str, str], kind: KeyType, field: str
) -> None:
    made = make_signing_key(
        name=who["name"], type=kind, seed=bytes.fromhex(who["seed_hex"])
    )

    assert format_vkey(made.verifier) == who[field]
    assert (made.name, made.type) == (who["name"], kind)


@pytest.mark.parametrize("who", [LOG, WITNESS])
def test_published_mldsa_keys_have_their_digest_and_id(who: dict[str, str]) -> None:
    found = parse_vkey(who["vkey_06"])

    assert sha256(found.public).hexdigest() == who["mldsa44_pk_sha256"]
    assert found.key_id.hex() == who["keyid_06"]


@given(NAMES, st.sampled_from(KeyType), st.binary(min_size=32, max_size=32))
def test_every_key_round_trips(name: str, kind: KeyType, seed: bytes) -> None:
    made = make_signing_key(name=name, type=kind, seed=seed)

    assert parse_vkey(format_vkey(made.verifier)) == made.verifier
    assert parse_skey(format_skey(made)) == made


@given(hostile(*(vkey.encode() for vkey in VKEYS if len(vkey) < 200)))
@example(b"a+aa158d86+")
def test_any_vkey_is_refused_or_the_one_spelling(data: bytes) -> None:
    check_parser(
        data,
        lambda raw: parse_vkey(raw.decode("utf-8", "surrogateescape")),
        lambda found: format_vkey(found).encode(),
    )


@given(hostile(LOG["skey_01"].encode()))
def test_any_skey_is_refused_or_the_one_spelling(data: bytes) -> None:
    check_parser(
        data,
        lambda raw: parse_skey(raw.decode("utf-8", "surrogateescape")),
        lambda found: format_skey(found).encode(),
    )


def vkey_with(name: str, body: bytes, *, key_id: str | None = None) -> str:
    """A vkey put together by hand, with the right id unless another is given."""
    digest = sha256(name.encode() + b"\n" + body).hexdigest()[:8]
    return f"{name}+{key_id or digest}+{b64encode(body).decode()}"


PUBLIC = parse_vkey(LOG["vkey_01"]).public


def test_the_key_put_together_by_hand_is_the_published_one() -> None:
    assert vkey_with(LOG["name"], b"\x01" + PUBLIC) == LOG["vkey_01"]


@pytest.mark.parametrize(
    "name",
    ["", "a b", "a\u00a0b", "a\u2003b", "a\u2028b", "a\u0085b", "a\tb", "a\x1fb"],
)
def test_a_name_with_a_space_or_without_a_mark_is_refused(name: str) -> None:
    with pytest.raises(MalformedError, match="name"):
        parse_vkey(vkey_with(name, b"\x01" + PUBLIC))


def test_a_name_with_a_plus_is_refused() -> None:
    with pytest.raises(MalformedError):
        parse_vkey(vkey_with("a+b", b"\x01" + PUBLIC))
    with pytest.raises(MalformedError, match="no plus"):
        check_name("a+b", what="name")


def test_a_name_of_255_bytes_is_the_longest() -> None:
    check_name("é" * 127 + "a", what="name")

    with pytest.raises(MalformedError, match="256 bytes"):
        check_name("é" * 128, what="name")
    assert MAX_NAME == 255


def test_a_name_that_is_not_unicode_is_refused() -> None:
    with pytest.raises(MalformedError, match="not valid UTF-8"):
        check_name("\ud800", what="name")
    with pytest.raises(MalformedError, match="not valid UTF-8"):
        parse_vkey("\udcff+aa158d86+AQ==")
    with pytest.raises(MalformedError, match="not valid UTF-8"):
        parse_skey("PRIVATE+KEY+\udcff")


@pytest.mark.parametrize(
    "key_id", ["aa158d87", "AA158D86", "aa158d8", "aa158d860", "é"]
)
def test_a_key_id_that_is_not_the_key_s_is_refused(key_id: str) -> None:
    with pytest.raises(MalformedError, match="key id"):
        parse_vkey(vkey_with(LOG["name"], b"\x01" + PUBLIC, key_id=key_id))
    with pytest.raises(MalformedError, match="key id"):
        parse_skey(LOG["skey_01"].replace("aa158d86", key_id))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00" + PUBLIC,
        b"\x02" + PUBLIC,
        b"\x05" + PUBLIC,
        b"\xff" + PUBLIC,
        b"\x01",
        b"\x01" + PUBLIC[:-1],
        b"\x01" + PUBLIC + b"\x00",
        b"\x04" + b"a" * 1312,
        b"\x06" + PUBLIC,
        b"\x06" + b"a" * 1311,
    ],
)
def test_a_key_of_another_type_or_length_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_vkey(vkey_with("a", body))


@pytest.mark.parametrize("text", ["", "a", "a+b", "a+aa158d86+", "++", "a++AQ=="])
def test_a_string_that_is_no_vkey_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_vkey(text)
    with pytest.raises(MalformedError):
        parse_skey(text)
    with pytest.raises(MalformedError):
        parse_skey("PRIVATE+KEY+" + text)


def test_a_vkey_of_absurd_length_is_refused_unread() -> None:
    with pytest.raises(MalformedError, match="longer than"):
        parse_vkey("a" * (MAX_VKEY + 1))


@pytest.mark.parametrize("sign", [0, 0x80])
@pytest.mark.parametrize(
    "point",
    [
        "00" * 32,
        "01" + "00" * 31,
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ],
)
def test_a_point_of_small_order_is_nobody_s_key(point: str, sign: int) -> None:
    public = bytearray.fromhex(point)
    public[31] |= sign

    for kind in (KeyType.ED25519, KeyType.COSIGNATURE):
        with pytest.raises(MalformedError, match="small order"):
            VerifierKey("a", kind, bytes(public))


@pytest.mark.parametrize("kind", KeyType)
def test_a_signature_verifies_over_its_message_only(kind: KeyType) -> None:
    signer = key("a", kind, 3)
    signature = signer.sign(b"message")

    signer.verifier.verify(b"message", signature)
    with pytest.raises(InvalidSignatureError, match="does not verify"):
        signer.verifier.verify(b"other", signature)
    with pytest.raises(InvalidSignatureError, match="does not verify"):
        key("a", kind, 4).verifier.verify(b"message", signature)


@pytest.mark.parametrize("kind", KeyType)
def test_a_signature_of_another_length_is_refused(kind: KeyType) -> None:
    signer = key("a", kind, 3)
    signature = signer.sign(b"message")

    for odd in (b"", signature[:-1], signature + b"\x00"):
        with pytest.raises(InvalidSignatureError, match="wrong length"):
            signer.verifier.verify(b"message", odd)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
def test_any_ed25519_point_and_signature_raise_only_our_error(
    public: bytes, signature: bytes
) -> None:
    with pytest.raises((InvalidSignatureError, MalformedError)):
        VerifierKey("a", KeyType.ED25519, public).verify(b"message", signature)


@given(st.binary(min_size=1, max_size=16))
def test_any_mldsa_key_raises_only_our_error(filling: bytes) -> None:
    public = (filling * 1312)[:1312]
    signature = (filling * 2420)[:2420]

    with pytest.raises(InvalidSignatureError):
        VerifierKey("a", KeyType.MLDSA44, public).verify(b"message", signature)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_seed_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(MalformedError, match=f"seed of {length} bytes"):
        make_signing_key(name="a", type=KeyType.ED25519, seed=b"s" * length)


def test_a_key_never_shows_its_seed() -> None:
    shown = repr(log_key())

    assert "seed" not in shown
    assert "private" not in shown.lower()
    assert "\\x01\\x02" not in shown


def test_an_skey_that_is_refused_is_not_repeated() -> None:
    secret = "AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4g"

    with pytest.raises(MalformedError) as caught:
        parse_skey(f"PRIVATE+KEY+example.com/testlog+aa158d86+{secret}")

    assert secret not in str(caught.value)


def test_the_same_bytes_under_another_type_have_another_id() -> None:
    first = VerifierKey("a", KeyType.ED25519, PUBLIC)
    second = VerifierKey("a", KeyType.COSIGNATURE, PUBLIC)

    assert first.key_id != second.key_id
    assert first != second
