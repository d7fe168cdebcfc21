"""When customers order: BG/NBD and MBG/NBD, two processes of which each shop gets the likelier.

While a customer is there, they order at a rate of their own (gamma over customers); after each
order they leave for good with a probability of their own (beta). In MBG/NBD they may do so after
their first order, in BG/NBD only after one that came again.
P. Fader, B. Hardie, K. Lee: "Counting your customers" the easy way, Marketing Science 2005.
E. Batislam, M. Denizel, A. Filiztekin: Empirical validation and comparison of models for customer
base analysis, IJRM 2007.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln, hyp2f1, psi

from training.insights.worth.maximum_likelihood import Estimate, Floats, maximize

START: Final = (1.0, 1.0, 0.5, 2.0)  # r, alpha in units of the mean age, a, b
NEAR_ONE: Final = 1e-6  # the mean number of orders is a limit where a is 1


@dataclass(frozen=True, eq=False)
class Buying:
    """Hold when n customers ordered, seen from one moment. Days are whole numbers."""

    repeats: NDArray[np.int64]  # x: (n,) orders after the first
    last: NDArray[np.int64]  # t_x: (n,) days from the first order to the last
    age: NDArray[np.int64]  # T: (n,) days from the first order to the moment

    def __len__(self) -> int:
        return len(self.age)

    def distinct(self) -> tuple[Self, Floats, NDArray[np.int64]]:
        """Return the distinct rows, how many customers have each, and the row of each customer."""
        base = int(self.age.max(initial=0)) + 1
        key = (self.repeats * base + self.last) * base + self.age
        _, first, row, count = np.unique(
            key, return_index=True, return_inverse=True, return_counts=True
        )
        rows = type(self)(self.repeats[first], self.last[first], self.age[first])
        return rows, count.astype(np.float64), row


@dataclass(frozen=True, eq=False)
class PurchaseProcess:
    """Hold the parameters that a shop's customers have in common."""

    rate_shape: float  # r
    rate_scale: float  # alpha, days
    leave_a: float  # a
    leave_b: float  # b
    leaves_at_once: bool  # MBG/NBD
    estimate: Estimate  # of the four, in this order

    @property
    def name(self) -> str:
        return "MBG/NBD" if self.leaves_at_once else "BG/NBD"

    @classmethod
    def fit(cls, buying: Buying) -> Self:
        """Return the process under which the orders are likeliest. Needs a customer."""
        fits = [cls.fit_kind(buying, leaves_at_once) for leaves_at_once in (False, True)]
        return max(fits, key=lambda process: process.estimate.log_likelihood)

    @classmethod
    def fit_kind(cls, buying: Buying, leaves_at_once: bool) -> Self:
        """Return the likeliest process of one kind."""
        likelihood = BuyingLikelihood(buying, leaves_at_once)
        start = np.array(START)
        start[1] = max(float(np.average(likelihood.age, weights=likelihood.share)), 1.0)
        found = maximize(likelihood, start, len(buying))
        r, alpha, a, b = found.values.tolist()
        return cls(r, alpha, a, b, leaves_at_once, found)

    def alive(self, buying: Buying) -> Floats:
        """Return the probability that each has not left: (n,)."""
        x, b = buying.repeats, self.leave_b + self.leaves_at_once
        # P = 1 / (1 + a / (b + x - 1) ((alpha + T) / (alpha + t_x))^(r + x)), b + 1 for MBG
        passed = np.log1p((buying.age - buying.last) / (self.rate_scale + buying.last))
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = np.log(self.leave_a) - np.log(b + x - 1) + (self.rate_shape + x) * passed
        never_left = (x == 0) & (not self.leaves_at_once)
        alive: Floats = 1 / (1 + np.exp(np.where(never_left, -np.inf, np.minimum(odds, 700.0))))
        return alive

    def returns_within(self, buying: Buying, days: float) -> Floats:
        """Return the probability that each orders again within some days: (n,)."""
        # P(alive) (1 - ((alpha + T) / (alpha + T + t))^(r + x)): who is there leaves with an order
        shape = self.rate_shape + buying.repeats
        waits = np.exp(-shape * np.log1p(days / (self.rate_scale + buying.age)))
        again: Floats = self.alive(buying) * (1 - waits)
        return again

    def expected_orders(self, buying: Buying, days: float) -> Floats:
        """Return how many orders each makes in the next days, on average: (n,)."""
        rows, _, row = buying.distinct()
        x, b, r = rows.repeats, self.leave_b + self.leaves_at_once, self.rate_shape
        a = self.leave_a if abs(self.leave_a - 1) > NEAR_ONE else 1 + NEAR_ONE
        reach = self.rate_scale + rows.age
        z = days / (reach + days)
        c = a + b + x - 1
        # (a+b+x-1)/(a-1) [1 - (1-z)^(r+x) 2F1(r+x, b+x; c; z)] P(alive), with c = a+b+x-1; by Euler
        # (1-z)^(r+x) 2F1(r+x, b+x; c; z) = (1-z)^(a-1) 2F1(a+b-1-r, a-1; c; z), whose sum is small
        # where a <= 1 + r, and the other's where not
        if a <= 1 + r:
            lost = np.exp((a - 1) * np.log1p(-z)) * hyp2f1(a + b - 1 - r, a - 1, c, z)
        else:
            lost = np.exp((r + x) * np.log1p(-z)) * hyp2f1(r + x, b + x, c, z)
        orders = c / (a - 1) * (1 - lost) * self.alive(rows)
        expected: Floats = np.maximum(orders, 0.0)[row]
        return expected


class BuyingLikelihood:
    """Compute the log-likelihood of a customer's orders, and its gradient.

    Equal customers are one row, and functions of the number of orders are computed once for each
    number, so a million customers cost little more than the distinct ones of them.
    """

    def __init__(self, buying: Buying, leaves_at_once: bool) -> None:
        rows, count, _ = buying.distinct()
        self.age, self._last = rows.age.astype(np.float64), rows.last.astype(np.float64)
        self.share = count / count.sum()
        repeats, self._which = np.unique(rows.repeats, return_inverse=True)
        self._repeats = repeats.astype(np.float64)
        self._shift = float(leaves_at_once)  # k
        self._share_of = np.bincount(self._which, self.share)
        self._can_leave = repeats + leaves_at_once > 0
        self._row_can_leave = self._can_leave[self._which]
        self._x = self._repeats[self._which]

    def __call__(self, logs: Floats) -> tuple[float, Floats]:
        """Return both at the logarithms of r, alpha, a, b: of one customer, on average."""
        r, alpha, a, b = np.exp(logs)
        x, k = self._repeats, self._shift
        # L = Γ(r+x) α^r / Γ(r)  B(a, b+x+k) / B(a, b)  [(α+T)^-(r+x) + a/(b+x+k-1) (α+t_x)^-(r+x)]
        # with k = 1 for MBG, and without the second term where nobody can have left
        by_count = gammaln(r + x) - gammaln(r) + betaln(a, b + x + k) - betaln(a, b)
        left_odds = np.where(self._can_leave, a / np.where(self._can_leave, b + x + k - 1, 1), 0)
        shape = r + self._x
        log_age, log_last = np.log(alpha + self.age), np.log(alpha + self._last)
        with np.errstate(divide="ignore"):
            log_odds = np.log(left_odds)[self._which]
        there, left = -shape * log_age, log_odds - shape * log_last
        either = np.logaddexp(there, left)
        value = self._share_of @ by_count + self.share @ either + r * logs[1]
        # Of the sum, how much is of those who left
        gone = np.where(self._row_can_leave, np.exp(left - either), 0.0)
        log_mean = (1 - gone) * log_age + gone * log_last
        over = (1 - gone) / (alpha + self.age) + gone / (alpha + self._last)
        gone_of = np.bincount(self._which, self.share * gone)
        both = psi(a + b + x + k)
        d_r = self._share_of @ (psi(r + x) - psi(r)) + logs[1] - self.share @ log_mean
        d_alpha = r / alpha - self.share @ (shape * over)
        d_a = self._share_of @ (psi(a + b) - both) + gone_of.sum() / a
        d_b = (
            self._share_of @ (psi(b + x + k) - both + psi(a + b) - psi(b)) - gone_of @ left_odds / a
        )
        return float(value), np.array([d_r * r, d_alpha * alpha, d_a * a, d_b * b])
