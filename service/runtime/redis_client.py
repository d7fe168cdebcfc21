"""Connections to Redis."""

from __future__ import annotations

import re
from typing import Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

MAX_CONNECTIONS: Final = 32
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
