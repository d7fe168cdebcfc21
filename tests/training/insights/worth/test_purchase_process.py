"""Customers are simulated with known parameters, which are found again."""

from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta, gamma

from training.insights.worth.maximum_likelihood import Floats, maximize
from training.insights.worth.purchase_process import Buying, BuyingLikelihood, PurchaseProcess

TRUE = (0.8, 400.0, 0.9, 2.5)  # r, alpha, a, b
SEEDS = 20
CUSTOMERS = 8_000


def simulate(
    seed: int, leaves_at_once: bool, customers: int = CUSTOMERS, ahead: int = 0
) -> tuple[Buying, Floats]:
    """Return customers, and how many orders each makes in some days after they were looked at."""
    r, alpha, a, b = TRUE
    random = np.random.default_rng(seed)
    age = random.integers(2_000, 12_000, customers)
    rate, leave = random.gamma(r, 1 / alpha, customers), random.beta(a, b, customers)
    there = random.random(customers) >= leave if leaves_at_once else np.ones(customers, np.bool_)
    now, last = np.zeros(customers), np.zeros(customers)
    repeats, later = np.zeros(customers, np.int64), np.zeros(customers)
    while there.any():
        who = np.flatnonzero(there)
        now[who] += random.exponential(1 / rate[who])
        known = who[now[who] <= age[who]]
        repeats[known] += 1
        last[known] = now[known]
        ordered = who[now[who] <= age[who] + ahead]
        later[ordered] += now[ordered] > age[ordered]
        there[who] = False
        there[ordered] = random.random(len(ordered)) >= leave[ordered]
    return Buying(repeats, np.rint(last).astype(np.int64), age), later


@pytest.mark.parametrize("leaves_at_once", [False, True])
def test_the_parameters_of_simulated_customers_lie_within_two_standard_errors(
    leaves_at_once: bool,
) -> None:
    within = []
    for seed in range(SEEDS):
        found = PurchaseProcess.fit_kind(simulate(seed, leaves_at_once)[0], leaves_at_once).estimate
        away = np.abs(np.log(found.values) - np.log(TRUE)) / found.log_errors
        within.append(away <= 2)
    assert np.mean(within) >= 0.95


@pytest.mark.parametrize("leaves_at_once", [False, True])
def test_the_gradient_is_that_of_finite_differences(leaves_at_once: bool) -> None:
    buying, _ = simulate(0, not leaves_at_once, 500)
    likelihood = BuyingLikelihood(buying, leaves_at_once)
    for logs in np.log([TRUE, (2.0, 30.0, 0.1, 0.4), (0.3, 900.0, 3.0, 8.0)]):
        gradient = likelihood(logs)[1]
        step = 1e-5
        for parameter, change in enumerate(step * np.eye(4)):
            rise = likelihood(logs + change)[0] - likelihood(logs - change)[0]
            assert gradient[parameter] == pytest.approx(rise / (2 * step), abs=1e-6)


def average(function: Any, spread: Any) -> float:
    """Return the mean of a function, by quantiles."""
    return float(quad(lambda share: function(spread.ppf(share)), 0, 1, limit=500)[0])


def test_the_likelihood_of_equal_customers_is_that_of_each() -> None:
    """As the paper writes it, a customer at a time."""
    r, alpha, a, b = TRUE
    rates, leaves = gamma(r, scale=1 / alpha), beta(a, b)
    for x, last, age in ((0, 0, 900), (1, 300, 500), (4, 900, 1_000)):

        def of(x: int = x, last: int = last, age: int = age) -> float:
            orders = average(lambda rate: rate**x * np.exp(-rate * age), rates)
            stays = average(lambda leave: (1 - leave) ** x, leaves)
            if x == 0:
                return orders
            gone = average(lambda rate: rate**x * np.exp(-rate * last), rates)
            left = average(lambda leave: leave * (1 - leave) ** (x - 1), leaves)
            return orders * stays + gone * left

        one = Buying(*(np.array([number] * 3) for number in (x, last, age)))
        assert BuyingLikelihood(one, False)(np.log(TRUE))[0] == pytest.approx(
            np.log(of()), rel=1e-5
        )
        assert len(one.distinct()[0]) == 1


@pytest.mark.parametrize("leaves_at_once", [False, True])
def test_what_is_expected_comes(leaves_at_once: bool) -> None:
    buying, later = simulate(5, leaves_at_once, 20_000, ahead=3_000)
    process = PurchaseProcess.fit(buying)
    assert process.leaves_at_once is leaves_at_once
    assert process.expected_orders(buying, 3_000).sum() == pytest.approx(later.sum(), rel=0.04)
    assert process.returns_within(buying, 3_000).mean() == pytest.approx(
        (later > 0).mean(), rel=0.04
    )
    often = np.argsort(-buying.repeats)[:2_000]
    assert process.expected_orders(buying, 3_000)[often].sum() == pytest.approx(
        later[often].sum(), rel=0.05
    )


@pytest.mark.parametrize("leave_a", [0.4, 1.0, 2.5])
def test_expected_orders_are_the_integral_over_customers(leave_a: float) -> None:
    """Of who is there: orders in t are (1 - exp(-rate p t)) / p, on average over p and rate."""
    estimate = maximize(lambda logs: (-float(logs @ logs), -2 * logs), np.ones(4), 1)
    process = PurchaseProcess(0.8, 40.0, leave_a, 2.5, True, estimate)
    x, age, days = 3, 200, 365
    leave, shape, scale = beta(leave_a, 2.5 + 1 + x), 0.8 + x, 40.0 + age

    def over_leaving(p: float) -> float:
        return float((1 - (scale / (scale + p * days)) ** shape) / p * leave.pdf(p))

    mean = quad(over_leaving, 0, 1)[0]
    buying = Buying(np.array([x]), np.array([150]), np.array([age]))
    expected = mean * process.alive(buying)[0]
    assert process.expected_orders(buying, days)[0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("leaves_at_once", [False, True])
def test_a_shop_that_nobody_leaves_is_foretold_too(leaves_at_once: bool) -> None:
    """Nothing tells how they leave, and the parameters of that are at their bounds."""
    random = np.random.default_rng(1)
    age = random.integers(200, 500, 3_000)
    repeats = random.poisson(random.gamma(0.8, 1 / 20, 3_000) * age)
    last = np.where(repeats > 0, np.rint(age * random.beta(repeats + 1.0, 1.0)), 0)
    buying = Buying(repeats, last.astype(np.int64), age)
    process = PurchaseProcess.fit_kind(buying, leaves_at_once)
    steady = (process.rate_shape + repeats) / (process.rate_scale + age) * 365
    expected = process.expected_orders(buying, 365)
    assert expected.sum() == pytest.approx(steady.sum(), rel=0.05)
    assert (expected > 0).all()
    homogeneous = PurchaseProcess(0.8, 40.0, 20_000.0, 150_000.0, True, process.estimate)
    orders = homogeneous.expected_orders(buying, 365)
    assert np.isfinite(orders).all()
    # Who leaves after an order with a probability of 2/17 makes at most 17/2 more
    assert ((orders >= 0) & (orders <= 8.6)).all()


def test_who_stays_away_for_longer_is_likelier_gone_and_nobody_is_surely_there() -> None:
    process = PurchaseProcess.fit(simulate(2, True)[0])
    waits = Buying(np.full(4, 5), np.full(4, 2_000), np.array([2_000, 2_500, 4_000, 9_000]))
    assert (np.diff(process.alive(waits)) < 0).all()
    assert (np.diff(process.returns_within(waits, 365)) < 0).all()
    none = Buying(np.zeros(1, np.int64), np.zeros(1, np.int64), np.array([500]))
    assert 0 < process.alive(none)[0] < 1
    never_leaves = PurchaseProcess.fit_kind(simulate(2, False)[0], False)
    assert never_leaves.alive(none)[0] == 1
