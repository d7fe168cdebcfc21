"""A breaker leaves Redis alone after failures and finds out by single calls when it is back."""

import contextlib

import pytest

from service.runtime.circuit_breaker import BreakerState, CircuitBreaker, CircuitOpenError

CALL_SECONDS = 0.125


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class RedisAwayError(Exception):
    pass


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_breaker(clock: Clock) -> CircuitBreaker:
    breaker = CircuitBreaker(failures=3, rest_seconds=1.0, clock=clock)
    for _ in range(3):
        fail(breaker)
    assert breaker.state is BreakerState.OPEN
    return breaker


def fail(breaker: CircuitBreaker, clock: Clock | None = None) -> None:
    """Make a call that fails, and takes a while where there is a clock."""
    with pytest.raises(RedisAwayError), breaker:
        call(clock)


def call(clock: Clock | None) -> None:
    if clock is not None:
        clock.now += CALL_SECONDS
    raise RedisAwayError


def allows(breaker: CircuitBreaker) -> bool:
    """Make a good call, if one may be made."""
    with contextlib.suppress(CircuitOpenError), breaker:
        return True
    return False


def test_single_failures_change_nothing() -> None:
    breaker = CircuitBreaker(failures=3, rest_seconds=1.0)
    for _ in range(10):
        fail(breaker)
        fail(breaker)
        assert allows(breaker)
    assert breaker.state is BreakerState.CLOSED


def test_an_open_breaker_lets_nothing_through(open_breaker: CircuitBreaker, clock: Clock) -> None:
    for clock.now in (0.0, 0.5, 0.99):
        assert not allows(open_breaker)
    assert open_breaker.state is BreakerState.OPEN


def test_after_the_rest_exactly_one_call_finds_out(
    open_breaker: CircuitBreaker, clock: Clock
) -> None:
    clock.now = 1.0
    with open_breaker:
        assert open_breaker.state is BreakerState.HALF_OPEN
        assert not any(allows(open_breaker) for _ in range(4))


def test_a_good_call_closes_it(open_breaker: CircuitBreaker, clock: Clock) -> None:
    clock.now = 1.0
    assert all(allows(open_breaker) for _ in range(5))
    assert open_breaker.state is BreakerState.CLOSED


def test_a_failed_call_opens_it_again_at_once(open_breaker: CircuitBreaker, clock: Clock) -> None:
    clock.now = 1.0
    fail(open_breaker, clock)
    clock.now = 2.0
    assert not allows(open_breaker)
    clock.now = 2.0 + CALL_SECONDS
    assert allows(open_breaker)


def test_a_closed_again_breaker_forgets_old_failures(
    open_breaker: CircuitBreaker, clock: Clock
) -> None:
    clock.now = 1.0
    assert allows(open_breaker)
    fail(open_breaker)
    assert open_breaker.state is BreakerState.CLOSED


def test_a_call_that_is_given_up_counts_as_failed(
    open_breaker: CircuitBreaker, clock: Clock
) -> None:
    clock.now = 1.0
    with pytest.raises(KeyboardInterrupt), open_breaker:
        raise KeyboardInterrupt
    assert open_breaker.state is BreakerState.OPEN
