"""Connections to a server that may freeze: waiting for it ends with an error."""

from __future__ import annotations

import time
from typing import Any, Final, TypeVar

from psycopg import Connection, OperationalError
from psycopg.abc import PQGen

T = TypeVar("T")
INTERVAL: Final = 0.1  # seconds between two looks at the clock


class ConnectionWithSilenceTimeout(Connection[Any]):
    """A connection that closes when its server says nothing for `silence_seconds`.

    The server has stopped, or the way to it is cut.
    """

    silence_seconds: float

    def wait(self, gen: PQGen[T], interval: float = INTERVAL, timeout: float | None = None) -> T:
        return super().wait(self._watch_silence(gen), interval, timeout)

    def _watch_silence(self, gen: PQGen[T]) -> PQGen[T]:
        heard = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready:
                    heard = time.monotonic()
                elif time.monotonic() - heard > self.silence_seconds:
                    self.pgconn.finish()
                    raise OperationalError("the server says nothing")
                wanted = gen.send(ready)
        except StopIteration as done:
            result: T = done.value
            return result
