"""Connections to a server that may freeze: whoever waits for it gets an error, and does not wait until it goes on."""

from __future__ import annotations

import time
from typing import Any, Final, TypeVar

from psycopg import Connection, OperationalError
from psycopg.abc import PQGen

T = TypeVar("T")
INTERVAL: Final = 0.1  # seconds between two looks at the clock


class ConnectionWithSilenceTimeout(Connection[Any]):
    """Closed when its server says nothing for `silence_seconds`: it has stopped, or the way to it is cut."""

    silence_seconds: float

    def wait(self, gen: PQGen[T], interval: float = INTERVAL, timeout: float | None = None) -> T:
        return super().wait(self._heard(gen), interval, timeout)

    def _heard(self, gen: PQGen[T]) -> PQGen[T]:
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
            found: T = done.value
            return found
