"""Targets: what a witness reads from requests, files and its store."""

from __future__ import annotations

from contextlib import suppress

from tallystick_merkle.errors import MalformedError
from tallystick_merkle.keys import format_vkey
from tallystick_merkle.note import format_note
from tallystick_merkle.witnessing import (
    AddCheckpoint,
    format_add_checkpoint,
    origin_hash,
)
from tallystick_witness.anchor import FileAnchor, _format_line
from tallystick_witness.config import load_settings
from tallystick_witness.errors import IntegrityError, UsageError
from tallystick_witness.state import (
    Evidence,
    EvidenceKind,
    FollowedLog,
    Head,
    Identity,
    LogState,
)
from tallystick_witness.store import records
from tallystick_witness.submission import parse_submission
from tests.fuzz.place import put
from tests.fuzz.target import Target, check_spelling
from tests.fuzz.targets.server import parse_environment
from tests.unit.witness.world import ED_KEY, NOW_S, OWN, LogTwin, World, ask

_LOG = LogTwin()
_NAME = "witness.example/w1"
_HEADER = f"tallystick-witness-anchor/1 {_NAME}\n".encode()
_STATUSES = frozenset({200, 400, 403, 404, 409, 422, 503})


def submission(data: bytes) -> None:
    """An add-checkpoint request, parsed whole."""
    with suppress(MalformedError):
        found = parse_submission(data)
        request = AddCheckpoint(found.old, found.proof, format_note(found.note))
        check_spelling(data, format_add_checkpoint(request))


def witness_request(data: bytes) -> None:
    """A request judged by a witness that has cosigned size 8; it may have signed more.

    The text between proof and signatures is signed by the log, whatever it says.
    """
    world = World(log=_LOG, keys=(ED_KEY,))
    assert world.witness.add_checkpoint(_LOG.request(0, 8)).status == 200
    for body in (data, _signed(data)):
        before = world.size()
        answer = world.witness.add_checkpoint(body)
        assert answer.status in _STATUSES
        assert world.size() >= before


def _signed(body: bytes) -> bytes:
    """Put the log's signature under the checkpoint of a request, if it has one."""
    try:
        found = parse_submission(body)
    except MalformedError:
        return body
    note = format_note(_LOG.sign(found.checkpoint))
    return ask(found.old, found.proof, note)


def stored_records(data: bytes) -> None:
    """The records of a witness's store; half of them with a checksum that fits."""
    kind, sealed, body = data[:1], data[1:2] == b"s", data[2:]
    key = records.META_KEY if kind == b"m" else bytes(32)
    value = records._checksum(key, body) + body if sealed else body
    with suppress(IntegrityError, UsageError):
        match kind:
            case b"m":
                identity = records.unpack_identity(value)
                check_spelling(value, records.pack_identity(identity))
            case b"l":
                log = records.unpack_log(key, value)
                assert (
                    records.unpack_log(
                        records.log_key(log.origin), records.pack_log(log)
                    )
                    == log
                )
            case _:
                found = records.unpack_evidence(key, value)
                assert (
                    records.unpack_evidence(
                        records.evidence_key(found), records.pack_evidence(found)
                    )
                    == found
                )


def anchor(data: bytes) -> None:
    """A witness's anchor file: opened, read, appended to and read again."""
    path = put("witness-anchor", data)
    with suppress(IntegrityError, UsageError):
        held = FileAnchor(path, name=_NAME)
        latest = held.latest
        held.close()
        kept = path.read_bytes()
        assert data.startswith(kept)
        lines = {_format_line(name, *mark) for name, mark in latest.items()}
        assert lines <= set(kept.splitlines(keepends=True))


def witness_config(data: bytes) -> None:
    """A witness's TOML file."""
    with suppress(UsageError):
        load_settings(file=put("witness.toml", data), environment={}, flags={})


def witness_environment(data: bytes) -> None:
    """A witness's environment."""
    environment = parse_environment(data, "TALLYSTICK_WITNESS__")
    with suppress(UsageError):
        load_settings(file=None, environment=environment, flags={})


TARGETS: dict[str, Target] = {
    "submission": submission,
    "witness-request": witness_request,
    "witness-records": stored_records,
    "witness-anchor": anchor,
    "witness-config": witness_config,
    "witness-environment": witness_environment,
}


def seeds() -> dict[str, list[bytes]]:
    """Good inputs."""
    requests = [_LOG.request(0, 8), _LOG.request(8, 13), _LOG.request(8, 8)]
    head = Head(8, bytes(32), NOW_S, b"note\n")
    log = FollowedLog(_LOG.vkey, LogState.ACTIVE, NOW_S, head)
    evidence = Evidence(
        origin=_LOG.origin,
        kind=EvidenceKind.SPLIT_VIEW,
        size=8,
        root=bytes(32),
        time_s=NOW_S,
        note=b"note\n",
        held=b"",
    )
    identity = Identity(_NAME, tuple(format_vkey(key) for key in OWN[:1]))
    lines = b"".join(
        _format_line(origin_hash(name), size, bytes([size]) * 32)
        for name, size in (("a", 1), ("b", 1), ("a", 9))
    )
    return {
        "submission": requests,
        "witness-request": requests,
        "witness-records": [
            b"ms" + records.pack_identity(identity)[16:],
            b"ls" + records.pack_log(log)[16:],
            b"es" + records.pack_evidence(evidence)[16:],
            b"mx" + records.pack_identity(identity),
        ],
        "witness-anchor": [_HEADER, _HEADER + lines, _HEADER + lines[:-5]],
        "witness-config": [
            b'[witness]\ndata = "d"\nlisten = "[::1]:8441"\nbody_timeout_s = 2.5\n'
        ],
        "witness-environment": [b"DATA=d\0LISTEN=127.0.0.1:0\0MAX_WAITING=7"],
    }
