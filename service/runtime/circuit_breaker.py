"""A breaker: leaves a dependency alone that fails, and finds out by single calls when it is back."""

from __future__ import annotations

from enum import StrEnum


class BreakerState(StrEnum):
    CLOSED = "closed"  # calls go through
    OPEN = "open"  # no call goes through
    HALF_OPEN = "half_open"  # one call is under way to find out


class CircuitBreaker:
    """For one event loop. Times are seconds of any clock that does not go back; the caller passes them in."""

    def __init__(self, failures: int, rest_seconds: float) -> None:
        self._limit = failures
        self._rest_seconds = rest_seconds
        self._failures = 0
        self._rests_until = 0.0
        self.state = BreakerState.CLOSED

    def allows(self, now: float) -> bool:
        """Whether a call may go through. After True, `succeeded` or `failed` must follow."""
        if self.state is BreakerState.CLOSED:
            return True
        if self.state is BreakerState.OPEN and now >= self._rests_until:
            self.state = BreakerState.HALF_OPEN
            return True
        return False

    def succeeded(self) -> None:
        self.state = BreakerState.CLOSED
        self._failures = 0

    def failed(self, now: float) -> None:
        self._failures += 1
        if self.state is not BreakerState.CLOSED or self._failures >= self._limit:
            self.state = BreakerState.OPEN
            self._rests_until = now + self._rest_seconds
