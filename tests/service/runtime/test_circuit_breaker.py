"""A breaker leaves Redis alone after failures and finds out by single calls when it is back."""

import pytest

from service.runtime.circuit_breaker import BreakerState, CircuitBreaker


@pytest.fixture
def open_breaker() -> CircuitBreaker:
    breaker = CircuitBreaker(failures=3, rest_seconds=1.0)
    for _ in range(3):
        assert breaker.allows(0.0)
        breaker.failed(0.0)
    assert breaker.state is BreakerState.OPEN
    return breaker


def test_single_failures_change_nothing() -> None:
    breaker = CircuitBreaker(failures=3, rest_seconds=1.0)
    for _ in range(10):
        breaker.failed(0.0)
        breaker.failed(0.0)
        breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED


def test_an_open_breaker_lets_nothing_through(open_breaker: CircuitBreaker) -> None:
    assert not any(open_breaker.allows(now) for now in (0.0, 0.5, 0.99))


def test_after_the_rest_exactly_one_call_finds_out(open_breaker: CircuitBreaker) -> None:
    assert [open_breaker.allows(1.0) for _ in range(5)] == [True, False, False, False, False]
    assert open_breaker.state is BreakerState.HALF_OPEN


def test_a_good_call_closes_it(open_breaker: CircuitBreaker) -> None:
    assert open_breaker.allows(1.0)
    open_breaker.succeeded()
    assert all(open_breaker.allows(1.0) for _ in range(5))


def test_a_failed_call_opens_it_again_at_once(open_breaker: CircuitBreaker) -> None:
    assert open_breaker.allows(1.0)
    open_breaker.failed(1.01)
    assert not open_breaker.allows(2.0)
    assert open_breaker.allows(2.01)


def test_a_closed_again_breaker_forgets_old_failures(open_breaker: CircuitBreaker) -> None:
    assert open_breaker.allows(1.0)
    open_breaker.succeeded()
    open_breaker.failed(2.0)
    assert open_breaker.state is BreakerState.CLOSED
