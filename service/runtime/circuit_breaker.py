"""Circuit breakers leave a failing dependency alone and try single calls until it is back."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from types import TracebackType


class BreakerState(StrEnum):
    """A state of a circuit breaker."""

    CLOSED = "closed"  # calls go through
    OPEN = "open"  # no call goes through
    HALF_OPEN = "half_open"  # one call is under way to find out


class CircuitOpenError(Exception):
    """A call that was not made, because the dependency is left alone."""


class CircuitBreaker:
    """A guard of calls to one dependency: `with breaker:` around each of them.

    Entering raises CircuitOpenError while the dependency is left alone. An error of any kind that
    leaves the block is a failed call. `clock` gives seconds and does not go back.
    """

    def __init__(
        self, failures: int, rest_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_failures = failures
        self._rest_seconds = rest_seconds
        self._clock = clock
        self._failures = 0
        self._rests_until = 0.0
        self.state = BreakerState.CLOSED

    def __enter__(self) -> None:
        if self.state is BreakerState.CLOSED:
            return
        if self.state is BreakerState.HALF_OPEN or self._clock() < self._rests_until:
            raise CircuitOpenError
        self.state = BreakerState.HALF_OPEN

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error_type is None:
            self.state = BreakerState.CLOSED
            self._failures = 0
            return
        self._failures += 1
        if self.state is not BreakerState.CLOSED or self._failures >= self._max_failures:
            self.state = BreakerState.OPEN
            self._rests_until = self._clock() + self._rest_seconds
