"""Addresses of Redis: one server, the Sentinels that know it, or nodes of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import unquote, urlsplit, urlunsplit

SENTINEL: Final = "sentinel"
CLUSTER: Final = "cluster"
DEFAULT_PORTS: Final = {SENTINEL: 26379, CLUSTER: 6379}
SCHEMES: Final = (
    "redis://",
    "rediss://",
    "unix://",
    "redis+sentinel://",
    "rediss+sentinel://",
    "redis+cluster://",
    "rediss+cluster://",
)


@dataclass(frozen=True)
class RedisAddress:
    """A setting REGULARS_REDIS_URL, taken apart.

    redis://HOST:PORT/DATABASE, unix://PATH
    redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DATABASE
    redis+cluster://HOST:PORT,HOST:PORT
    With rediss… instead of redis… every connection is encrypted, those to Sentinels, too.
    """

    kind: str  # "" for one server, SENTINEL or CLUSTER
    server: str  # address of one server with the same user, database and options
    hosts: Sequence[tuple[str, int]] = ()  # Sentinels, or nodes of a cluster
    service: str = ""  # that the Sentinels know

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read an address. Raises ValueError with a sentence that holds no secret."""
        if not url.startswith(SCHEMES):
            raise ValueError(f"should begin with {', '.join(SCHEMES[:-1])} or {SCHEMES[-1]}")
        parts = urlsplit(url)
        scheme, _, kind = parts.scheme.partition("+")
        if not kind:
            return cls("", url)
        user, at, netloc = parts.netloc.rpartition("@")
        service, _, database = parts.path.strip("/").partition("/")
        if kind == CLUSTER:
            service, database = "", service
        _check(kind, service, database)
        server = urlunsplit((scheme, f"{user}{at}host", f"/{database}", parts.query, ""))
        hosts = [_parse_host(host, DEFAULT_PORTS[kind]) for host in netloc.split(",")]
        return cls(kind, server, hosts, unquote(service))


def _check(kind: str, service: str, database: str) -> None:
    if kind == SENTINEL and not service:
        raise ValueError(
            "names no service; write it like redis+sentinel://one:26379,two:26379/mymaster"
        )
    if kind == CLUSTER and database not in ("", "0"):
        raise ValueError("names a database, which a cluster has not; leave it out")
    if database and not database.isdecimal():
        raise ValueError("should end with the number of a database")


def _parse_host(text: str, default_port: int) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(default_port)
    if not host or not port.isdecimal():
        raise ValueError("holds a host that cannot be read; write it like cache:6379")
    return host.strip("[]"), int(port)
