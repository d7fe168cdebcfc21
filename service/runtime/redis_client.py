"""Connections to Redis."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from service.redis_address import CLUSTER, SENTINEL, RedisAddress

Client: TypeAlias = Redis | RedisCluster
MAX_CONNECTIONS: Final = 32
MAX_SENTINEL_CONNECTIONS: Final = 256  # its pool refuses what is more, and does not wait
NO_ANSWER: Final = "does not answer"
WORD: Final = re.compile("[A-Z]+")
# What Redis says of itself, by a word of its errors
TROUBLES: Final = {
    "NOAUTH": "asks for a password (NOAUTH); write it into REGULARS_REDIS_URL",
    "WRONGPASS": "refuses the user or password of REGULARS_REDIS_URL (WRONGPASS)",
    "NOPERM": "does not let the user of REGULARS_REDIS_URL do what is needed (NOPERM)",
    "READONLY": "is a replica, which takes no writes (READONLY); REGULARS_REDIS_URL must name the "
    "primary",
    "OOM": "has no memory left (OOM); raise its maxmemory, or let it evict keys",
    "LOADING": "is loading its data (LOADING)",
    "MISCONF": "cannot write to its disk and takes no writes (MISCONF)",
    "MASTERDOWN": "is a replica without its primary (MASTERDOWN)",
}


def describe_trouble(error: BaseException) -> str | None:
    """Return what Redis says is wrong with it; None for what it does not say.

    The client takes the word out of most errors; in those of a script it stands further behind.
    """
    words = {getattr(error, "status_code", None), *WORD.findall(str(error))}
    return next((trouble for code, trouble in TROUBLES.items() if code in words), None)


def connect(url: str, timeout_seconds: float) -> Client:
    """Return a client that does not retry; circuit breakers and time-outs are the caller's.

    `url`: see RedisAddress. Raises ValueError where it cannot be read.
    """
    address = RedisAddress.parse(url)
    options: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "retry": Retry(NoBackoff(), 0),
        "driver_info": None,  # CLIENT SETINFO would cost round trips of the 10 ms
    }
    if address.kind == SENTINEL:
        return _connect_by_sentinels(address, options, timeout_seconds)
    if address.kind == CLUSTER:
        nodes = [ClusterNode(host, port) for host, port in address.hosts]
        return PatientCluster(startup_nodes=nodes, **_own_options(address), **options)
    pool = BlockingConnectionPool.from_url(
        url, max_connections=MAX_CONNECTIONS, timeout=timeout_seconds, **options
    )
    return Redis.from_pool(pool)


def _connect_by_sentinels(
    address: RedisAddress, options: Mapping[str, Any], timeout_seconds: float
) -> Redis:
    """Return a client of whichever server is the primary now."""
    own = _own_options(address)
    # Where one does not answer, there is time to ask the next one.
    share = timeout_seconds / (len(address.hosts) + 1)
    shares = {"socket_timeout": share, "socket_connect_timeout": share}
    of_sentinels = {name: value for name, value in own.items() if name.startswith("ssl")}
    for name in ("username", "password"):
        if (value := own.pop(f"sentinel_{name}", None)) is not None:
            of_sentinels[name] = value
    of_sentinels |= {**options, **shares}
    sentinel = Sentinel(address.hosts, sentinel_kwargs=of_sentinels)  # type: ignore[no-untyped-call]
    own |= {"max_connections": MAX_SENTINEL_CONNECTIONS, **options}
    client: Watched = sentinel.master_for(address.service, Watched, **own)
    client.sentinels = sentinel.sentinels
    return client


def _own_options(address: RedisAddress) -> dict[str, Any]:
    """Return user, password, database and options of TLS that stand in an address."""
    options = dict(parse_url(address.server))
    for name in ("host", "port", "connection_class"):
        options.pop(name, None)
    if address.server.startswith("rediss"):
        options["ssl"] = True
    return options


class Watched(Redis):
    """A client of a primary, which closes its connections to Sentinels with itself."""

    sentinels: Sequence[Redis] = ()

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await super().aclose(close_connection_pool)
        for sentinel in self.sentinels:
            await sentinel.aclose()


class PatientCluster(RedisCluster):
    """A client of a cluster that goes on learning who holds what, when its caller is out of time.

    It takes several round trips; begun anew by each call, it might never end.
    """

    _learning: asyncio.Task[RedisCluster] | None = None

    async def initialize(self, *places: Any, **named: Any) -> RedisCluster:
        if self._learning is None or self._learning.done():
            self._learning = asyncio.create_task(super().initialize(*places, **named))
            self._learning.add_done_callback(_take_error)
        await asyncio.shield(self._learning)
        return self

    async def aclose(self) -> None:
        if self._learning is not None:
            self._learning.cancel()
            await asyncio.gather(self._learning, return_exceptions=True)
        await super().aclose()


def _take_error(task: asyncio.Task[Any]) -> None:
    """Have no warning of an error that meets nobody: its callers are out of time."""
    if not task.cancelled():
        task.exception()
