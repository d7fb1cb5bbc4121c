"""What can be configured. Each field says what it means, its default, its danger.

    [server]        one process: where it keeps its data, where it listens, its limits
    [logs.NAME]     one log: whom to ask for cosignatures, where its anchor is, and of a
                    log of events who may read it and what becomes of doubtful ones

Unknown keys are refused.  No secret is ever written here: keys and tokens are files
below `data`, and only paths are configured.  How a value is found (flag, environment,
file, default) is the business of `config.load`.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

LOG_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
"""What a log may be called: it stands in URLs and in folder names."""

_LISTEN = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})", re.ASCII)


def split_listen(text: str) -> tuple[str, int]:
    """Split `HOST:PORT` (`[::1]:8440` for IPv6); raise ValueError otherwise."""
    found = _LISTEN.fullmatch(text)
    if found is None or int(found[2]) > 65_535:
        raise ValueError(f"expected HOST:PORT, found {text[:80]!r}")
    return found[1].strip("[]"), int(found[2])


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_log_name(name: str) -> str:
    """Give a log's name back; raise ValueError for one that cannot be a log's."""
    if LOG_NAME.fullmatch(name) is None:
        raise ValueError(
            f"{name[:80]!r} cannot name a log: use a-z, 0-9 and -, 63 at most"
        )
    return name


def _check_listen(text: str) -> str:
    split_listen(text)
    return text


def _check_url(text: str) -> str:
    parts = urlsplit(text)  # raises ValueError for a broken one
    is_plain = not (parts.query or parts.fragment or parts.username)
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_plain:
        raise ValueError("expected a plain http:// or https:// address")
    return text.rstrip("/")


Listen = Annotated[str, AfterValidator(_check_listen)]
Url = Annotated[str, AfterValidator(_check_url)]
LogName = Annotated[str, AfterValidator(check_log_name)]


class Section(BaseModel):
    """A section: unknown keys are refused, values are not changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ServerSettings(Section):
    """`[server]`: one process."""

    data: Path = Field(
        default=Path("data"),
        description="Folder of keys, logs and tokens. Never on a network file system:"
        " the store and its locks need a local disk.",
    )
    sealing_processes: int = Field(
        default=2,
        ge=0,
        le=64,
        description="Processes that seal events beside the server, each started when"
        " many come at once. 0: the server seals them itself.",
    )
    vault_root: Path | None = Field(
        default=None,
        description="File of the vault's root key. Default: keys/vault.root below"
        " `data`. Danger: with that key and the vault anybody reads every event, and"
        " without it nobody ever does; keep it on another medium, and a copy of it.",
    )
    listen: Listen = Field(
        default="127.0.0.1:8440",
        description="HOST:PORT to listen on; port 0 takes a free one. A host that"
        " others can reach needs tls_cert and tls_key, or insecure_http.",
    )
    tls_cert: Path | None = Field(
        default=None, description="PEM file of the certificate chain. Default: no TLS."
    )
    tls_key: Path | None = Field(
        default=None, description="PEM file of the certificate's key. Default: no TLS."
    )
    insecure_http: bool = Field(
        default=False,
        description="Serve plain HTTP to other machines. Danger: write tokens travel"
        " in the clear; only behind a proxy that speaks TLS.",
    )
    read_only: bool = Field(
        default=False,
        description="Serve reads and take no entry; nothing is signed or published.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is logged. Reloaded on SIGHUP."
    )
    access_log: bool = Field(
        default=False, description="Log each request. Costs throughput."
    )
    keepalive_s: float = Field(
        default=30.0,
        gt=0,
        le=600,
        description="Seconds that a connection may be idle between two requests.",
    )
    head_timeout_s: float = Field(
        default=10.0,
        gt=0,
        le=600,
        description="Seconds that the head of a request may take: the first one from"
        " the connection on. Longer lets slow clients hold connections.",
    )
    body_timeout_s: float = Field(
        default=30.0,
        gt=0,
        le=600,
        description="Seconds that the body of a request may take to arrive.",
    )
    write_timeout_s: float = Field(
        default=30.0,
        gt=0,
        le=600,
        description="Seconds over which it is judged whether a client takes enough of"
        " an answer; if not, its connection is cut.",
    )
    write_least_rate: int = Field(
        default=8192,
        ge=1,
        description="Bytes a second that a client must take of an answer, on average"
        " over write_timeout_s.",
    )
    wait_max_s: float = Field(
        default=20.0,
        gt=0,
        le=300,
        description="Longest wait for witnesses that a request may ask for, in seconds."
        " Keep it below the timeout of clients and proxies.",
    )
    max_connections: int = Field(
        default=1024,
        ge=1,
        le=65_536,
        description="Open connections. For one more, the one that has been idle longest"
        " is closed, or the newcomer where none is idle. The process needs as many file"
        " descriptors, and some more.",
    )
    backlog: int = Field(
        default=512,
        ge=1,
        le=65_535,
        description="Connections the kernel holds while the server is busy.",
    )
    witness_timeout_s: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="Seconds that a witness may take over one request.",
    )
    shutdown_s: float = Field(
        default=15.0,
        gt=0,
        le=600,
        description="Seconds to finish what is under way after SIGTERM.",
    )
    bundle_cache_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=0,
        description="Memory for compressed entry bundles, in bytes.",
    )
    disk_margin_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=0,
        description="Free space below which no entry is taken (507). Danger: a disk"
        " that runs full in the middle of a commit stops the log.",
    )

    @model_validator(mode="after")
    def _check_tls(self) -> ServerSettings:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together")
        host, _ = split_listen(self.listen)
        if not (is_loopback(host) or self.tls_cert or self.insecure_http):
            raise ValueError(
                f"{host} can be reached by other machines: set tls_cert and tls_key,"
                " or insecure_http behind a proxy that speaks TLS"
            )
        return self


class LogSettings(Section):
    """`[logs.NAME]`: one log."""

    policy: Path | None = Field(
        default=None,
        description="A tlog-policy file: the witnesses to ask and the quorum. Default:"
        " none. Danger: without witnesses or anchor a rollback is not detectable.",
    )
    anchor: Path | None = Field(
        default=None,
        description="File on another disk that records each released head. Default:"
        " none. Never make it part of a backup.",
    )
    publish_interval_s: float = Field(
        default=1.0,
        ge=0.05,
        le=3600,
        description="Least seconds between published checkpoints. Less costs witnesses"
        " more requests.",
    )
    republish_s: float = Field(
        default=900.0,
        ge=1,
        description="Seconds after which the cosignatures of a log that does not grow"
        " are renewed. Clients may judge a checkpoint by their age.",
    )
    monitoring: dict[str, Url] = Field(
        default_factory=dict,
        description="Monitoring address of a witness by its name in the policy."
        " Default: its submission address in the policy.",
    )
    stale_after_s: float = Field(
        default=60.0,
        gt=0,
        description="Seconds a grown log may go without a published checkpoint before"
        " the server calls itself not ready.",
    )
    max_queue: int = Field(
        default=50_000,
        ge=1,
        le=1_000_000,
        description="Entries that may wait to be committed; more get 429. Each may be"
        " 64 KiB of memory.",
    )
    max_queue_bytes: int = Field(
        default=128 * 1024 * 1024,
        ge=16 * 1024 * 1024,
        description="Bytes of entries that may wait to be committed; more get 429.",
    )
    max_unwitnessed_s: float | None = Field(
        default=None,
        gt=0,
        description="Seconds without a witnessed head after which entries get 503."
        " Default: never.",
    )
    max_unwitnessed_entries: int | None = Field(
        default=None,
        ge=1,
        description="Entries beyond the witnessed head after which entries get 503."
        " Default: never.",
    )
    public: bool = Field(
        default=False,
        description="Let anybody read tiles, proofs and receipts of a log of events."
        " Danger: they tell how much happens and when. A log of raw entries is open to"
        " all in any case.",
    )
    unknown_actions: Literal["allow", "warn", "refuse"] = Field(
        default="allow",
        description="What becomes of an event whose action no schema was registered"
        " for: it is taken (`allow`), taken with a warning (`warn`), or refused"
        " (`refuse`). Of a log of events.",
    )
    dead_letters_max: int = Field(
        default=10_000,
        ge=0,
        le=1_000_000,
        description="Refused events that are kept for another look; for one more, the"
        " oldest goes of the principal that has most. 0 keeps none. Of a log of"
        " events.",
    )
    dead_letters_max_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=0,
        description="Bytes of refused events that are kept; for more, the oldest go of"
        " the principal that has most of them. Of a log of events.",
    )
    dead_letters_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        description="Days after which a refused event is forgotten. Danger: it holds"
        " what somebody sent, encrypted as one. Of a log of events.",
    )
