"""What customers spend is simulated with known parameters, which are found again."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.insights.worth.maximum_likelihood import Floats
from training.insights.worth.spending import Spending, SpendingLikelihood

# Of 60 parameters, three of each seed not independent; of 300 seeds 96 % lie within
LEAST_WITHIN = 0.88
TRUE = (4.0, 3.5, 60.0)  # p, q, gamma


def simulate(seed: int, customers: int = 4_000) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return the orders of customers, what they were worth on average, and their true mean."""
    p, q, gamma = TRUE
    random = np.random.default_rng(seed)
    orders = 1 + random.poisson(random.gamma(0.7, 4.0, customers))
    rate = random.gamma(q, 1 / gamma, customers)
    return orders, random.gamma(p * orders, 1 / (rate * orders)), p / rate


def test_the_parameters_of_simulated_customers_lie_within_two_standard_errors() -> None:
    within = []
    for seed in range(20):
        found = Spending.fit(*simulate(seed)[:2]).estimate
        within.append(np.abs(np.log(found.values) - np.log(TRUE)) / found.log_errors <= 2)
    assert np.mean(within) >= LEAST_WITHIN


def test_the_gradient_is_that_of_finite_differences() -> None:
    orders, mean, _ = simulate(0, 500)
    likelihood, step = SpendingLikelihood(orders, mean), 1e-5
    for logs in np.log([TRUE, (0.6, 1.2, 8.0), (20.0, 9.0, 300.0)]):
        gradient = likelihood(logs)[1]
        for parameter, change in enumerate(step * np.eye(3)):
            rise = likelihood(logs + change)[0] - likelihood(logs - change)[0]
            assert gradient[parameter] == pytest.approx(rise / (2 * step), abs=1e-6)


def test_one_order_says_less_of_a_customer_than_many() -> None:
    orders, mean, true = simulate(1)
    spending = Spending.fit(orders, mean)
    expected = spending.expected(orders, mean)
    once = orders == 1
    everybody = expected.mean()
    assert np.abs(expected - true)[once].mean() < np.abs(mean - true)[once].mean()
    large = np.array([10 * everybody])
    dear = [spending.expected(np.array([n]), large)[0] for n in (0, 1, 50)]
    assert dear[0] == pytest.approx(everybody, rel=0.1)
    assert dear[0] < dear[1] < dear[2]
    assert dear[2] == pytest.approx(10 * everybody, rel=0.1)
