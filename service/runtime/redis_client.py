"""Connections to Redis."""

from __future__ import annotations

from typing import Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

MAX_CONNECTIONS: Final = 32


def connect(url: str, timeout_seconds: float) -> Redis:
    """Return a client that does not retry; circuit breakers and time-outs are the caller's."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        timeout=timeout_seconds,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=Retry(NoBackoff(), 0),
        driver_info=None,  # CLIENT SETINFO would cost round trips of the 10 ms
    )
    return Redis.from_pool(pool)
