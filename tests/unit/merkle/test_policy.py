"""Policies: the grammar, the quorum, and what a checkpoint is judged to be."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_merkle.cosignature import cosign
from tallystick_merkle.errors import (
    InvalidSignatureError,
    MalformedError,
    OriginError,
    PolicyNotMetError,
    UnverifiedNoteError,
)
from tallystick_merkle.keys import KeyType, SigningKey, VerifierKey, format_vkey
from tallystick_merkle.note import Signature, format_note, parse_note
from tallystick_merkle.policy import (
    MAX_LINES,
    MAX_POLICY,
    Policy,
    PolicyGroup,
    format_policy,
    judge,
    parse_policy,
)
from tests.unit.merkle.hostile import hostile
from tests.unit.merkle.people import (
    HEAD8,
    KEYS,
    ORIGIN,
    SIGNED_NOTE,
    TIME_S,
    key,
    log_key,
    note_of,
    second_witness,
    two_of_two,
    witness_key,
)

LOG = f"log {KEYS['log']['vkey_01']}\n"
W1 = f"witness a {format_vkey(witness_key().verifier)}\n"
W2 = f"witness b {format_vkey(second_witness().verifier)}\n"
GROUP = "group both all a b\n"
GOOD = (LOG + W1 + W2 + GROUP + "quorum both\n").encode()


def vkey(name: str, kind: KeyType, fill: int) -> str:
    return format_vkey(key(name, kind, fill).verifier)


def refuse(text: str | bytes, why: str) -> MalformedError:
    with pytest.raises(MalformedError, match=why) as caught:
        parse_policy(text.encode() if isinstance(text, str) else text)
    return caught.value


def test_a_policy_is_read_whole() -> None:
    policy = parse_policy(
        (
            f"{LOG.strip()} https://log.example/t/audit\n"
            f"witness a {KEYS['witness']['vkey_04']} https://w.example/1\n"
            f"witness b {KEYS['witness']['vkey_06']}\n"
            "group g 1 a b\nquorum g\n"
        ).encode()
    )

    assert [(log.key.name, log.url) for log in policy.logs] == [
        (ORIGIN, "https://log.example/t/audit")
    ]
    assert [(found.name, found.url) for found in policy.witnesses] == [
        ("a", "https://w.example/1"),
        ("b", None),
    ]
    assert policy.groups == (PolicyGroup("g", 1, ("a", "b")),)
    assert policy.quorum == "g"


def test_blanks_and_whole_line_comments_are_ignored() -> None:
    text = (
        "# a comment\n \t # another, with blanks before\n\n  \t \n"
        f"#\n\t{LOG.replace(' ', chr(9))}"
        f" {W1.replace(' ', '  ').rstrip()} \t \n"
    ).encode()

    policy = parse_policy(text + b"# \xff\x80 is a comment too\nquorum a")

    assert policy == parse_policy((LOG + W1 + "quorum a\n").encode())


@pytest.mark.parametrize(
    "line",
    [
        LOG.strip() + " # comment",
        LOG.strip() + " #comment",
        LOG.strip() + " https://log.example #comment",
        W1.strip() + " #comment",
        W1.strip() + " # comment",
        "group g any a # all",
        "quorum a # all",
        "quorum a #",
    ],
)
def test_a_trailing_comment_is_refused(line: str) -> None:
    head = "" if line.startswith("log") else LOG
    head += "" if line.startswith("witness") else W1

    refuse(f"{head}{line}\nquorum none\n", "line")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no quorum line"),
        (LOG, "no quorum line"),
        ("quorum none\nquorum none\n", "a second quorum line"),
        ("quorum a\n" + W1, "unknown name 'a'"),
        ("quorum\n", "expected log, witness, group or quorum"),
        ("quorum none none\n", "expected log"),
        ("Quorum none\n", "expected log"),
        ("\ufeffquorum none\n", "expected log"),
        ("policy none\n", "expected log"),
        ("log\n", "expected log"),
        ("log x\n", "vkey"),
        ("witness a\n", "expected log"),
        ("group g all\n", "expected log"),
        (LOG + LOG, "a log key stands twice"),
        (W1 + W1, "a witness key stands twice"),
        (W1 + W2.replace(" b ", " a "), "name 'a' is taken"),
        (W1.replace(" a ", " none "), "name 'none' is taken"),
        (W1 + "group none any a\n", "name 'none' is taken"),
        (W1 + "group a any a\n", "name 'a' is taken"),
        ("group g any g\n", "unknown name 'g'"),
        ("group g any a\n" + W1, "unknown name 'a'"),
        (W1 + "group g any none\n", "unknown name 'none'"),
        (W1 + "group g all a a\n", "'a' is a member twice"),
        (W1 + "group g any a\ngroup h any a\n", "'a' is a member twice"),
        (W1 + W2 + "group g 0 a b\n", "1 to 2, found '0'"),
        (W1 + W2 + "group g 3 a b\n", "1 to 2, found '3'"),
        (W1 + W2 + "group g 01 a b\n", "1 to 2, found '01'"),
        (W1 + W2 + "group g +1 a b\n", "1 to 2"),
        (W1 + W2 + "group g -1 a b\n", "1 to 2"),
        (W1 + W2 + "group g ١ a b\n", "1 to 2"),
        (W1 + W2 + "group g ALL a b\n", "1 to 2"),
        (W1 + W2 + "group g 99999 a b\n", "1 to 2"),
        (f"log {KEYS['witness']['vkey_04']}\n", "key type 0x04"),
        (f"witness a {KEYS['witness']['vkey_01_same_key']}\n", "key type 0x01"),
        (LOG.strip() + " log.example\n", "expected a URL"),
    ],
)
def test_a_policy_that_breaks_a_rule_is_refused(text: str, why: str) -> None:
    tail = (
        "" if "quorum" in text.lower() or why == "no quorum line" else "quorum none\n"
    )

    refuse(text + tail, why)


@pytest.mark.parametrize("mark", [b"\r", b"\x00", b"\x0b", b"\x1c", b"\x7f"])
def test_a_control_character_is_refused_even_in_a_comment(mark: bytes) -> None:
    refuse(b"# " + mark + b"\nquorum none\n", "control character")


def test_a_line_that_is_not_unicode_is_refused_and_named() -> None:
    error = refuse(b"quorum none\nlog \xff\n", "not valid UTF-8")

    assert error.where == "line 2"


def test_only_ascii_blanks_part_fields() -> None:
    refuse("quorum\u00a0none\n", "expected log")
    name = "a\u2003b\u0085"
    policy = parse_policy((W1.replace(" a ", f" {name} ") + f"quorum {name}").encode())
    assert policy.quorum == name


def numbered_key(number: int) -> str:
    """A vkey of the name "a" whose public key is a number (and nobody's)."""
    return format_vkey(VerifierKey("a", KeyType.ED25519, number.to_bytes(32, "big")))


def test_two_keys_with_one_name_and_id_are_refused() -> None:
    # Found by trying some 67,000: their 32-bit ids are the same.
    lines = [f"log {numbered_key(65_227)}", f"log {numbered_key(67_083)}"]

    error = refuse("\n".join([*lines, "quorum none"]), "share the name and id of a")

    assert error.where == "line 2"


def test_a_log_and_a_witness_may_share_a_raw_key() -> None:
    shared = key(ORIGIN, KeyType.ED25519, 5)
    policy = parse_policy(
        (
            f"log {format_vkey(shared.verifier)}\n"
            f"witness a {vkey(ORIGIN, KeyType.COSIGNATURE, 5)}\nquorum a\n"
        ).encode()
    )

    data = note_of(HEAD8, log=shared, by=[key(ORIGIN, KeyType.COSIGNATURE, 5)])

    assert judge(data, policy).is_witnessed


def test_one_line_is_never_both_the_log_s_word_and_a_witness_s() -> None:
    both = key(ORIGIN, KeyType.MLDSA44, 5)
    policy = parse_policy(
        (
            f"log {format_vkey(both.verifier)}\n"
            f"witness a {format_vkey(both.verifier)}\nquorum a\n"
        ).encode()
    )
    lines = (cosign(HEAD8, both, time_s=TIME_S),)
    data = format_note(replace(parse_note(SIGNED_NOTE), signatures=lines))

    judged = judge(data, policy)

    assert judged.cosigners == ()
    assert not judged.is_met


def test_a_policy_of_many_lines_is_read_and_met() -> None:
    count = 40
    witnesses = [key(f"w{at}", KeyType.COSIGNATURE, at) for at in range(100, 140)]
    lines = [f"log {vkey(f'log{at}', KeyType.ED25519, at)}" for at in range(count)]
    lines += [
        f"witness w{at} {format_vkey(witness.verifier)}"
        for at, witness in enumerate(witnesses)
    ]
    lines += [f"group g{at} any w{at}" for at in range(count)]
    lines += [f"group all all {' '.join(f'g{at}' for at in range(count))}"]
    policy = parse_policy("\n".join([*lines, "quorum all"]).encode())
    head = replace(HEAD8, origin="log7")

    whole = note_of(head, log=key("log7", KeyType.ED25519, 7), by=witnesses)
    less = note_of(head, log=key("log7", KeyType.ED25519, 7), by=witnesses[1:])

    assert judge(whole, policy).is_witnessed
    assert not judge(less, policy).is_met


def test_a_policy_of_absurd_length_is_refused() -> None:
    refuse(b"#" * (MAX_POLICY + 1), "longer than")
    refuse(b"\n" * MAX_LINES, "more than 4096 lines")


NAMES = ["a", "b", "c", "d", "e"]
TEAM = [key(f"team/{name}", KeyType.COSIGNATURE, at) for at, name in enumerate(NAMES)]


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Draw a policy of five witnesses in a forest of groups."""
    lines = [LOG.strip()]
    lines += [
        f"witness {name} {format_vkey(member.verifier)}"
        for name, member in zip(NAMES, TEAM, strict=True)
    ]
    free = list(NAMES)
    for at in range(draw(st.integers(0, 3))):
        members = draw(st.lists(st.sampled_from(free), min_size=1, unique=True))
        rule = draw(
            st.sampled_from(["all", "any"]) | st.integers(1, len(members)).map(str)
        )
        lines.append(f"group g{at} {rule} {' '.join(members)}")
        free = [name for name in free if name not in members] + [f"g{at}"]
    lines.append(f"quorum {draw(st.sampled_from([*free, 'none']))}")
    return parse_policy("\n".join(lines).encode())


def satisfied(policy: Policy, name: str, signed: set[str]) -> bool:
    """Ask from the quorum downwards, as a reader of the specification would."""
    for group in policy.groups:
        if group.name == name:
            met = [satisfied(policy, member, signed) for member in group.members]
            return met.count(True) >= group.threshold
    return name == "none" or name in signed


@given(policies())
def test_every_policy_round_trips(policy: Policy) -> None:
    assert parse_policy(format_policy(policy)) == policy


def test_urls_round_trip() -> None:
    text = (
        f"{LOG.strip()} https://log.example\n"
        f"{W1.strip()} http://w.example/1\nquorum a\n"
    ).encode()

    assert format_policy(parse_policy(text)) == text


@given(policies(), st.sets(st.sampled_from(NAMES)))
def test_a_quorum_is_met_exactly_by_those_it_names(
    policy: Policy, signed: set[str]
) -> None:
    keys = [TEAM[NAMES.index(name)].verifier for name in signed]

    assert policy.is_met_by(keys) == satisfied(policy, policy.quorum, signed)


@given(hostile(GOOD))
def test_any_policy_is_refused_or_read_to_one_meaning(data: bytes) -> None:
    try:
        policy = parse_policy(data)
    except MalformedError:
        return
    assert parse_policy(format_policy(policy)) == policy


def test_a_policy_of_thousands_of_lines_is_read_in_one_pass() -> None:
    lines = [f"log {numbered_key(number)}" for number in range(1000, 4998)]

    policy = parse_policy("\n".join([*lines, "quorum none"]).encode())

    assert len(policy.log_keys("a")) == 3998


@pytest.mark.parametrize(
    ("by", "is_met"),
    [
        ([], False),
        ([witness_key()], False),
        ([second_witness()], False),
        ([witness_key(), second_witness()], True),
        ([second_witness(), witness_key()], True),
        ([witness_key(), key("stranger", KeyType.COSIGNATURE, 9)], False),
    ],
)
def test_a_quorum_of_both_takes_both(by: list[SigningKey], is_met: bool) -> None:
    judged = judge(note_of(HEAD8, by=by), two_of_two(), origin=ORIGIN)

    assert judged.is_met is is_met
    assert judged.is_witnessed is is_met


def test_cosigners_stand_in_the_order_of_the_policy() -> None:
    by = [second_witness(), witness_key()]

    judged = judge(note_of(HEAD8, by=by), two_of_two(), origin=ORIGIN)

    assert [line.key for line in judged.cosigners] == [key.verifier for key in by[::-1]]


def test_a_quorum_that_is_not_met_says_who_signed() -> None:
    nobody = judge(note_of(HEAD8), two_of_two())
    one = judge(note_of(HEAD8, by=[witness_key()]), two_of_two())
    both = judge(note_of(HEAD8, by=[witness_key(), second_witness()]), two_of_two())

    with pytest.raises(PolicyNotMetError, match=r"size 8 .* by nobody"):
        nobody.require_met()
    with pytest.raises(PolicyNotMetError, match=r"by witness\.example/w1$"):
        one.require_met()
    both.require_met()


def test_a_quorum_of_none_is_always_met_and_never_witnessed() -> None:
    policy = parse_policy((LOG + W1 + "quorum none\n").encode())

    judged = judge(note_of(HEAD8, by=[witness_key()]), policy)

    assert [line.key for line in judged.cosigners] == [witness_key().verifier]
    assert judged.is_met
    assert not judged.is_witnessed
    assert not policy.asks_for_witnesses


def test_a_checkpoint_that_only_witnesses_signed_is_refused() -> None:
    lines = (cosign(HEAD8, witness_key(), time_s=TIME_S),)
    data = format_note(replace(parse_note(SIGNED_NOTE), signatures=lines))

    with pytest.raises(UnverifiedNoteError, match="no listed log signed"):
        judge(data, two_of_two())


def test_a_listed_log_does_not_sign_for_another_origin() -> None:
    other = key("example.com/other", KeyType.ED25519, 9)
    policy = parse_policy(
        (LOG + f"log {format_vkey(other.verifier)}\nquorum none\n").encode()
    )
    text = parse_note(SIGNED_NOTE).text
    line = Signature(other.name, other.verifier.key_id, other.sign(text))
    data = format_note(replace(parse_note(SIGNED_NOTE), signatures=(line,)))

    with pytest.raises(UnverifiedNoteError, match="no listed log signed"):
        judge(data, policy)


def test_a_checkpoint_of_another_origin_than_asked_for_is_refused() -> None:
    with pytest.raises(OriginError) as caught:
        judge(SIGNED_NOTE, two_of_two(), origin="example.com/other")

    assert caught.value.found == ORIGIN


def test_a_listed_witness_whose_line_fails_refuses_the_checkpoint() -> None:
    line = cosign(replace(HEAD8, size=9), witness_key(), time_s=TIME_S)
    data = format_note(parse_note(SIGNED_NOTE).with_signatures([line]))

    with pytest.raises(InvalidSignatureError, match=r"witness\.example/w1"):
        judge(data, two_of_two())


def test_any_one_of_two_logs_is_enough() -> None:
    newer = key(ORIGIN, KeyType.ED25519, 9)
    policy = parse_policy(
        (LOG + f"log {format_vkey(newer.verifier)}\nquorum none\n").encode()
    )

    for signer in (log_key(), newer):
        judged = judge(note_of(HEAD8, log=signer), policy, origin=ORIGIN)
        assert judged.opened.signed_by(signer.verifier)
