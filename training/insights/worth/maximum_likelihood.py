"""Maximum likelihood of positive parameters, over rows that stand for many customers each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]
# Of positive parameters, by their logarithms: the log-likelihood a customer, and its gradient (p,)
Likelihood = Callable[[Floats], tuple[float, Floats]]

BOUND: Final = 12.0  # of logarithms: a parameter beyond e ± 12 tells apart nothing
TOLERANCE: Final = 1e-10  # of the log-likelihood a customer
FLAT: Final = 1e-6  # gradient at which a maximum is reached: standard errors are far larger
STEP: Final = 1e-4  # of a logarithm, where the gradient is differentiated


@dataclass(frozen=True, eq=False)
class Estimate:
    """Hold p parameters, found on a number of customers."""

    values: Floats  # (p,) positive
    # (p,) of their logarithms; NaN where the data hold nothing about one
    log_errors: Floats
    log_likelihood: float  # of one customer, on average


def maximize(likelihood: Likelihood, start: Floats, customers: float) -> Estimate:
    """Return the parameters under which the data are likeliest. `start`: where to begin, (p,)."""
    found = minimize(
        lambda logs: _negate(likelihood(logs)),
        np.log(start),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-BOUND, BOUND)] * len(start),
        options={"ftol": TOLERANCE, "gtol": FLAT, "maxiter": 1_000},
    )
    information = -_differentiate(likelihood, found.x) * customers
    return Estimate(np.exp(found.x), _log_errors(information), -float(found.fun))


def _negate(found: tuple[float, Floats]) -> tuple[float, Floats]:
    return -found[0], -found[1]


def _differentiate(likelihood: Likelihood, logs: Floats) -> Floats:
    """Return the second derivatives, by central differences of the exact gradient: (p, p)."""
    steps = STEP * np.eye(len(logs))
    rises = [likelihood(logs + step)[1] - likelihood(logs - step)[1] for step in steps]
    hessian = np.array(rises) / (2 * STEP)
    symmetric: Floats = (hessian + hessian.T) / 2
    return symmetric


def _log_errors(information: Floats) -> Floats:
    """Return the standard errors that the information tells: (p,)."""
    values, vectors = np.linalg.eigh(information)
    if values.min() <= 0:
        return np.full(len(values), np.nan)
    variances: Floats = (vectors**2 / values).sum(axis=1)
    return np.sqrt(variances)
