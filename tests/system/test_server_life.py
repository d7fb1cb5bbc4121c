"""The life of a server process: how it starts, refuses to, changes, and ends."""

from __future__ import annotations

import datetime as dt
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from tallystick_merkle.errors import KernelError, RefusedError
from tallystick_merkle.exchange.appending import append_entry
from tallystick_merkle.exchange.base import NO_RETRY
from tallystick_merkle.exchange.reading import TileReader
from tallystick_merkle.policy import judge
from tests.system.drive import drive
from tests.system.one_log import API, READ, OneLog, read_answer
from tests.system.patience import MANY, until
from tests.system.stack import LOG, ORIGIN, Daemon, run, run_json

pytestmark = [pytest.mark.system, pytest.mark.slow]


@pytest.fixture
def one(tmp_path: Path) -> Iterator[OneLog]:
    with OneLog(tmp_path) as log:
        yield log


def append(one: OneLog, key: str, entry: bytes = b"entry") -> int:
    """Append one entry, in one attempt; give its index."""
    return drive(
        append_entry(one.address, entry, policy=one.policy, key=key, retry=NO_RETRY)
    ).index


def stop(one: OneLog) -> int:
    assert one.daemon is not None
    return one.daemon.stop()


def refused(one: OneLog, *extra: str) -> subprocess.CompletedProcess[str]:
    """Start a server that must not start; keep what it said."""
    return run(*one.words(*extra), check=False)


def test_a_second_server_on_the_same_data_refuses(one: OneLog) -> None:
    daemon = one.start()

    second = refused(one)

    assert second.returncode == 2
    assert second.stdout == ""
    assert f"process {daemon.process.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    assert append(one, "still") == 1


def test_data_that_was_never_initialised_is_not_served(tmp_path: Path) -> None:
    said = run("server", "serve", "--data", str(tmp_path / "none"), check=False)

    assert said.returncode == 2
    assert "tallystick server init" in said.stderr
    assert not (tmp_path / "none").exists()


def test_a_configured_log_that_is_not_there_is_named(one: OneLog) -> None:
    one.config.write_text(f'[server]\ndata = "{one.data}"\n[logs.missing]\n')

    said = refused(one)

    assert said.returncode == 2
    assert "missing" in said.stderr


def test_the_key_of_another_log_is_refused(one: OneLog, tmp_path: Path) -> None:
    other = tmp_path / "other"
    run_json("server", "init", "--data", str(other), "--log", LOG, "--origin", ORIGIN)
    shutil.copy(other / "keys" / f"{LOG}.skey", one.data / "keys" / f"{LOG}.skey")

    said = refused(one)

    assert said.returncode == 2
    assert "PRIVATE" not in said.stderr


def test_a_key_that_others_may_read_is_refused(one: OneLog) -> None:
    (one.data / "keys" / f"{LOG}.skey").chmod(0o644)

    said = refused(one)

    assert said.returncode == 2
    assert "chmod 600" in said.stderr


def test_a_log_that_was_set_back_behind_its_anchor_is_refused(
    one: OneLog, tmp_path: Path
) -> None:
    one.configure(log=(f'anchor = "{tmp_path / "anchor"}"',))
    one.start()
    append(one, "before")
    stop(one)
    shutil.copytree(one.data, tmp_path / "backup")
    one.start()
    append(one, "after")
    stop(one)
    shutil.rmtree(one.data)
    shutil.move(tmp_path / "backup", one.data)

    said = refused(one)

    assert said.returncode == 1
    assert "set back" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_lost_anchor_is_begun_anew_by_the_flag_that_the_refusal_names(
    one: OneLog, tmp_path: Path
) -> None:
    anchor = tmp_path / "anchor"
    one.configure(log=(f'anchor = "{anchor}"',))
    one.start()
    append(one, "before")
    stop(one)
    anchor.unlink()

    said = refused(one)
    one.start("--new-anchor", LOG)
    checks = {check["name"]: check for check in one.get("/healthz")["checks"]}

    assert said.returncode == 2
    assert "--new-anchor LOG" in said.stderr
    assert append(one, "after") == 2
    assert "anchor beside the store" in [line["event"] for line in one.logged()]
    assert checks[f"{LOG}: rollback"]["status"] == "degraded"


def test_a_damaged_log_is_refused(one: OneLog) -> None:
    one.start()
    append(one, "k", b"THE ENTRY THAT WILL ROT")
    stop(one)
    path = one.data / "logs" / LOG / "log.lmdb" / "data.mdb"
    path.write_bytes(path.read_bytes().replace(b"THAT WILL ROT", b"THAT WILL not"))

    said = refused(one)
    checked = run("server", "fsck", "--data", str(one.data), check=False)

    assert said.returncode == checked.returncode == 1
    assert "Traceback" not in said.stderr
    assert "DAMAGED" in checked.stdout


def test_a_port_in_use_is_named(one: OneLog) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = refused(one, "--listen", address)

    assert said.returncode == 2
    assert address in said.stderr


def test_other_machines_are_not_served_plain_http(one: OneLog) -> None:
    said = refused(one, "--listen", "192.0.2.1:0")

    assert said.returncode == 2
    assert "tls_cert" in said.stderr


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_end_has_published_all_that_it_acked(
    tmp_path: Path, sign: signal.Signals
) -> None:
    with OneLog(tmp_path, log=("publish_interval_s = 3600.0",)) as one:
        daemon = one.start()
        acked: list[int] = []
        enough = threading.Event()

        def work(number: int) -> None:
            for at in range(MANY):
                try:
                    acked.append(append(one, f"{number}-{at}"))
                except KernelError:
                    return
                if len(acked) > 200:
                    enough.set()

        workers = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for worker in workers:
            worker.start()
        assert enough.wait(60)
        daemon.process.send_signal(sign)
        code = daemon.process.wait(timeout=30)
        daemon.kill()  # nothing is left to kill, but pipes to close
        for worker in workers:
            worker.join()
        one.start("--read-only")
        size = one.size()
        note = drive(TileReader(one.address.read_url).checkpoint())
        published = judge(note, one.policy, origin=ORIGIN).opened.checkpoint

    assert code == 0
    assert sorted(acked) == sorted(set(acked))
    assert max(acked) < size == published.size


def test_a_read_only_server_serves_reads_beside_the_writer(one: OneLog) -> None:
    one.start()
    append(one, "k")
    reading = OneLog.__new__(OneLog)
    reading.__dict__ |= one.__dict__
    reading.daemon = Daemon(one.words("--read-only"), one.directory / "read-only.log")
    with reading:
        ready = reading.fetch("/readyz")
        facts = reading.get(API)
        tile = reading.fetch(f"{READ}/tile/0/000.p/2")
        with pytest.raises(RefusedError) as caught:
            append(reading, "other")

    assert ready.status == 503
    assert facts["size"] == 2
    assert (tile.status, len(tile.body)) == (200, 64)
    assert caught.value.status == 503


def test_a_token_works_soon_after_it_is_added_and_no_more_once_revoked(
    one: OneLog,
) -> None:
    one.start()
    places = ("--data", str(one.data), "--log", LOG)
    added = run_json("server", "token", "add", *places, "--principal", "later")
    one.token = added["token"]

    def works() -> bool:
        try:
            append(one, "t")
        except RefusedError:
            return False
        return True

    taken_up = until(works)
    run("server", "token", "revoke", *places, added["id"])

    assert taken_up
    assert until(lambda: not works())


def test_sighup_reads_tokens_and_the_log_level_again(one: OneLog) -> None:
    daemon = one.start()
    one.configure('log_level = "error"')
    (one.data / "logs" / LOG / "tokens.json").unlink()
    daemon.process.send_signal(signal.SIGHUP)

    def refuses() -> bool:
        try:
            append(one, "k")
        except RefusedError:
            return True
        return False

    assert until(refuses)
    stop(one)
    events = [line["event"] for line in one.logged()]
    assert "stopping" not in events


def test_a_broken_configuration_is_no_reason_to_end_on_sighup(one: OneLog) -> None:
    daemon = one.start()
    one.config.write_text("[server]\ntypo = 1\n")
    daemon.process.send_signal(signal.SIGHUP)

    def is_told() -> bool:
        assert one.fetch("/livez").status == 200
        return any(
            line["event"] == "configuration kept as it was" for line in one.logged()
        )

    assert until(is_told)
    assert stop(one) == 0


def test_a_failed_commit_ends_the_process_at_once_and_a_restart_goes_on(
    one: OneLog,
) -> None:
    daemon = one.start()
    store = one.data / "logs" / LOG / "log.lmdb" / "data.mdb"
    room = store.stat().st_size + 400_000
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (room, room))
    acked = []
    for number in range(100):
        try:
            acked.append(append(one, str(number), bytes(60_000)))
        except KernelError:
            break
    code = daemon.process.wait(timeout=30)
    daemon.kill()  # nothing is left to kill, but pipes to close
    (failure,) = [line for line in one.logged() if line["level"] == "critical"]

    one.start()
    size = one.size()
    again = append(one, "0", bytes(60_000))
    stop(one)

    assert code == 5
    assert failure["event"] == "writer failed"
    assert len(acked) < 100
    assert max(acked) < size
    assert again == acked[0]
    assert run_json("server", "fsck", "--data", str(one.data))["sound"]


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate of 127.0.0.1 and its key."""
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, None)
    )
    cert, private = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return cert, private


def test_tls_is_served_with_a_certificate(one: OneLog, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    daemon = one.start("--tls-cert", str(cert), "--tls-key", str(key))
    context = ssl.create_default_context(cafile=str(cert))
    port = int(daemon.url.rpartition(":")[2])

    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as link,
    ):
        link.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        status, _ = read_answer(link)

    assert daemon.url.startswith("https://127.0.0.1:")
    assert status == 200


def test_a_certificate_that_is_none_is_refused(one: OneLog, tmp_path: Path) -> None:
    (tmp_path / "c").write_text("no certificate")

    said = refused(
        one, "--tls-cert", str(tmp_path / "c"), "--tls-key", str(tmp_path / "c")
    )

    assert said.returncode == 2
    assert "Traceback" not in said.stderr


def test_the_module_is_the_command(one: OneLog) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tallystick_server", "config", "check", "--json",
         "--config", str(one.config)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )  # fmt: skip

    assert '"key": "server.listen"' in done.stdout
