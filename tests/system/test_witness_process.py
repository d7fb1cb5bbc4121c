"""A witness as a process: how it starts, refuses, is told to stop, and dies."""

from __future__ import annotations

import http.client
import resource
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from tallystick_merkle.witnessing import parse_size
from tests.system.stack import run_json
from tests.system.witness_home import Home, submit
from tests.unit.witness.world import LogTwin, ask

pytestmark = [pytest.mark.system, pytest.mark.slow]

FORK = LogTwin(salt=b"fork")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    place = Home(tmp_path)
    yield place
    place.clear()


def test_sigterm_ends_it_with_0_and_state_is_kept(home: Home) -> None:
    first = home.serve()
    grown = submit(first, home.log.request(0, 5))[0]
    code = first.stop()
    second = home.serve()
    status, body = submit(second, home.log.request(0, 8))

    assert (grown, code) == (200, 0)
    assert (status, parse_size(body)) == (409, 5)
    assert second.stop() == 0


def test_a_second_process_on_the_directory_is_refused(home: Home) -> None:
    daemon = home.serve()

    code, line = home.refused()

    assert code == 2
    assert "another process" in line
    assert daemon.stop() == 0


def test_a_missing_or_empty_store_is_not_initialised(home: Home) -> None:
    file = home.data / "store" / "data.mdb"
    file.write_bytes(b"")
    empty = home.refused()
    shutil.rmtree(home.data / "store")
    missing = home.refused()

    assert (empty[0], missing[0]) == (2, 2)
    assert "not initialised" in empty[1]
    assert "not initialised" in missing[1]
    assert not (home.data / "store").exists()


def test_a_key_that_others_may_read_is_refused(home: Home) -> None:
    (home.data / "keys" / "ed25519.skey").chmod(0o640)

    code, line = home.refused()

    assert code == 2
    assert "chmod 600" in line


def test_listening_to_others_without_tls_is_refused(home: Home) -> None:
    code, line = home.refused("--listen", "0.0.0.0:0")

    assert code == 2
    assert "not loopback" in line


def test_certificates_that_are_none_are_refused(home: Home) -> None:
    code, line = home.refused("--tls-cert", "none", "--tls-key", "none")

    assert code == 2
    assert "certificate" in line


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for localhost that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    start = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return cert_file, key_file


def test_tls_is_served_with_a_certificate(home: Home) -> None:
    cert_file, key_file = make_certificate(home.folder)
    daemon = home.serve("--tls-cert", str(cert_file), "--tls-key", str(key_file))
    context = ssl.create_default_context(cafile=str(cert_file))
    port = int(daemon.url.rpartition(":")[2])

    link = http.client.HTTPSConnection("localhost", port, timeout=30, context=context)
    with closing(link):
        link.request("POST", "/add-checkpoint", home.log.request(0, 5))
        status = link.getresponse().status

    assert daemon.url.startswith("https://127.0.0.1:")
    assert status == 200
    assert daemon.stop() == 0


def test_a_missing_extra_is_one_line_and_2(home: Home) -> None:
    script = (
        "import sys; sys.modules['lmdb'] = None\n"
        "from tallystick_witness.cli import app\n"
        f"app(['list', '--data', {str(home.data)!r}])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "pip install 'tallystick[witness]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_address_in_use_is_a_service_error(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, line = home.refused("--listen", f"127.0.0.1:{taken.getsockname()[1]}")

    assert code == 5
    assert "cannot listen" in line


def test_settings_come_from_a_file_too(home: Home) -> None:
    file = home.folder / "witness.toml"
    file.write_text("[witness]\nunknown = 1\n", encoding="utf-8")

    code, line = home.refused("--config", str(file))

    assert code == 2
    assert "unknown" in line


def test_a_store_behind_its_anchor_is_refused_with_1(home: Home) -> None:
    backup = home.folder / "backup"
    daemon = home.serve("--anchor", str(home.anchor))
    submit(daemon, home.log.request(0, 5))
    daemon.stop()
    shutil.copytree(home.data, backup)
    daemon = home.serve("--anchor", str(home.anchor))
    submit(daemon, home.log.request(5, 8))
    daemon.stop()
    shutil.rmtree(home.data)
    shutil.copytree(backup, home.data)

    code, line = home.refused("--anchor", str(home.anchor))

    assert code == 1
    assert "rolled back: size 8" in line


def test_without_an_anchor_the_start_says_what_that_means(home: Home) -> None:
    home.serve().stop()

    events = [str(line["event"]) for line in home.log_lines()]
    assert any("rollback" in event for event in events)


def test_log_lines_tell_decisions_and_no_payload(home: Home) -> None:
    daemon = home.serve()
    submit(daemon, home.log.request(0, 8))
    submit(daemon, ask(8, (), FORK.note(8)))
    daemon.stop()

    told = [(line.get("event"), line.get("reason")) for line in home.log_lines()]
    text = (home.folder / "errors").read_text(encoding="utf-8")
    assert ("cosigned", "cosigned") in told
    assert ("evidence kept", "split-view") in told
    assert ("refused", "split-view") in told
    assert "— " not in text
    assert "PRIVATE" not in text
    kept = run_json("witness", "evidence", "--data", str(home.data))["evidence"]
    assert [one["kind"] for one in kept] == ["split-view"]


@pytest.mark.parametrize("flags", [(), ("--anchor",)], ids=["store", "anchor"])
def test_a_full_disk_in_a_commit_ends_it_with_5_and_releases_nothing(
    home: Home, flags: tuple[str, ...]
) -> None:
    """A file-size limit stands in for the disk: the write itself fails.

    With the anchor larger than the store, the anchor alone fails.
    """
    limit = (home.data / "store" / "data.mdb").stat().st_size // 2
    anchored = [*flags, str(home.anchor)] if flags else []
    daemon = home.serve(*anchored)
    first = submit(daemon, home.log.request(0, 5))[0]
    if flags:
        # Longer than the store is allowed to become: zeroed lines would be damage.
        limit = (home.data / "store" / "data.mdb").stat().st_size + 64 * 1024
        with home.anchor.open("ab") as file:
            file.truncate(limit)
    _, hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (limit, hard))

    status, body = submit(daemon, home.log.request(5, 8))
    code = daemon.process.wait(timeout=30)
    if flags:
        shrunk = home.anchor.read_bytes().rstrip(b"\0")
        home.anchor.write_bytes(shrunk)
    again = home.serve(*anchored)
    retried = submit(again, home.log.request(5, 8))

    assert (first, status, code) == (200, 503, 5)
    assert "— ".encode() not in body
    assert retried[0] == (409 if flags else 200)
    assert again.stop() == 0
    daemon.stop()


def test_a_body_that_does_not_arrive_is_408(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALLYSTICK_WITNESS__BODY_TIMEOUT_S", "0.2")
    daemon = home.serve()
    host, port = daemon.listen.split(":")

    with socket.create_connection((host, int(port)), timeout=30) as link:
        link.sendall(
            b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 9\r\n\r\nold"
        )
        answer = link.recv(65536)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert daemon.stop() == 0
