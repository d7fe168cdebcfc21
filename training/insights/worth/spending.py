"""What customers spend on an order: Gamma-Gamma.

Orders of a customer spread around a mean of their own, and the means spread over customers; how
much they spend says nothing about how often they order.
P. Fader, B. Hardie: The Gamma-Gamma model of monetary value, 2013.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, psi

from training.insights.worth.maximum_likelihood import Estimate, Floats, maximize

START: Final = (2.0, 2.0, 1.0)  # p, q, gamma in units of the mean order


@dataclass(frozen=True, eq=False)
class Spending:
    """Hold the parameters that a shop's customers have in common."""

    order_shape: float  # p
    customer_shape: float  # q
    scale: float  # gamma, money
    estimate: Estimate  # of the three, in this order

    @classmethod
    def fit(cls, orders: NDArray[np.int64], mean: Floats) -> Self:
        """Return the parameters under which the means are likeliest.

        `orders` and `mean`: (n,) of customers, both above 0, n at least 1.
        """
        likelihood = SpendingLikelihood(orders, mean)
        start = np.array(START) * (1, 1, mean.mean())
        found = maximize(likelihood, start, len(mean))
        p, q, gamma = found.values.tolist()
        return cls(p, q, gamma, found)

    def expected(self, orders: NDArray[np.int64], mean: Floats) -> Floats:
        """Return what an order of each is worth on average: (n,), where `orders` may be 0."""
        # E = p (gamma + m x) / (p x + q - 1): their own mean and everybody's, weighed by orders
        p, q = self.order_shape, max(self.customer_shape, 1 + 1e-6)
        value: Floats = p * (self.scale + orders * mean) / (p * orders + q - 1)
        return value


class SpendingLikelihood:
    """Compute the log-likelihood of a customer's mean order, and its gradient."""

    def __init__(self, orders: NDArray[np.int64], mean: Floats) -> None:
        counts, self._which, customers = np.unique(orders, return_inverse=True, return_counts=True)
        self._orders = counts.astype(np.float64)
        self._share = customers / len(orders)
        self._each = 1 / len(orders)
        self._x, self._total = orders.astype(np.float64), orders * mean
        log_mean = np.bincount(self._which, np.log(mean)) * self._each
        self._log_mean = float(log_mean.sum())
        self._log_total = float(self._orders @ (log_mean + self._share * np.log(self._orders)))

    def __call__(self, logs: Floats) -> tuple[float, Floats]:
        """Return both at the logarithms of p, q, gamma: of one customer, on average."""
        p, q, gamma = np.exp(logs)
        x, share = self._orders, self._share
        # L = Γ(px+q) / (Γ(px) Γ(q)) γ^q m^(px-1) x^(px) / (γ + m x)^(px+q)
        reach = gamma + self._total
        log_reach = np.log(reach)
        by_count = gammaln(p * x + q) - gammaln(p * x)
        both = psi(p * x + q)
        mean_reach = log_reach.sum() * self._each
        weighed_reach = (self._x @ log_reach) * self._each
        over = ((p * self._x + q) / reach).sum() * self._each
        value = share @ by_count - gammaln(q) + q * logs[2] + p * self._log_total
        value -= self._log_mean + p * weighed_reach + q * mean_reach
        d_p = share @ (x * (both - psi(p * x))) + self._log_total - weighed_reach
        d_q = share @ both - psi(q) + logs[2] - mean_reach
        d_gamma = q / gamma - over
        return float(value), np.array([d_p * p, d_q * q, d_gamma * gamma])
