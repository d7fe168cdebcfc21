"""Learn the weights of the blend from what was chosen among the candidates of a customer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from models.ranking.features import BLENDED
from models.ranking.ranker import BOUGHT, NEW, VISIT

Floats = NDArray[np.float64]

MIN_SPREAD: Final = 0.02  # of a feature among candidates, so that one that never varies is not used
SCALE_BOUNDS: Final = (0.02, 3.0)  # of all prior weights together
SCALE_PRIOR: Final = 0.05
MAX_ITERATIONS: Final = 100


class Audience(NamedTuple):
    """Customers whose lists hold these kinds of rows, which are weighed against each other."""

    name: str
    kinds: tuple[int, ...]  # indices in models.ranking.ranker.KINDS


AUDIENCES: Final = (Audience("customers", (NEW, BOUGHT)), Audience("visits", (VISIT,)))


class Choices(NamedTuple):
    """Hold r candidates of examples, each example's side by side, and what was bought of them."""

    values: NDArray[np.float32]  # (r, BLENDED)
    kind: NDArray[np.intp]  # (r,) index in models.ranking.ranker.KINDS
    hit: NDArray[np.bool_]  # (r,)
    weight: NDArray[np.float32]  # (r,) of a hit, what it is worth; else how many rows it stands for
    example: NDArray[np.int32]  # (r,) ascending


def learn_weights(
    choices: Choices, prior: NDArray[np.float32], strength: float
) -> NDArray[np.float32]:
    """Return the weights of each kind of row: (KINDS, BLENDED).

    They maximise the likelihood of each hit among the candidates of its example (a conditional
    logit: McFadden 1974), where each example counts alike, less `strength` times the squared
    distance from a multiple of the prior weights (KINDS, BLENDED), in spreads of the features. A
    kind without hits keeps those of the prior.
    """
    weights = prior.copy()
    for _, kinds in AUDIENCES:
        part = _select(choices, kinds)
        if part.hit.any():
            weights[list(kinds)] = _fit(_Likelihood.of(part, prior, kinds), strength)
    return weights


def _select(choices: Choices, kinds: tuple[int, ...]) -> Choices:
    """Return the candidates of these kinds in examples that have a hit among them."""
    ours = np.isin(choices.kind, kinds)
    with_hit = np.unique(choices.example[ours & choices.hit])
    rows = ours & np.isin(choices.example, with_hit)
    return Choices(
        choices.values[rows],
        choices.kind[rows],
        choices.hit[rows],
        choices.weight[rows],
        choices.example[rows],
    )


@dataclass(frozen=True, eq=False)
class _Likelihood:
    """Hold the choices of one audience as the terms of their likelihood."""

    values: list[Floats]  # by kind: (rows of it, BLENDED), in spreads
    rows: list[NDArray[np.intp]]  # by kind: where these rows are
    spread: Floats  # (kinds, BLENDED)
    prior: Floats  # (kinds, BLENDED), in spreads
    first: NDArray[np.intp]  # (examples,) first row of each
    owner: NDArray[np.intp]  # (r,) example of each row
    log_share: Floats  # (r,) ln of how many rows each stands for
    credit: Floats  # (r,) share of a hit in the hits of its example, 0 elsewhere

    @classmethod
    def of(
        cls, choices: Choices, prior: NDArray[np.float32], kinds: tuple[int, ...]
    ) -> _Likelihood:
        values = choices.values.astype(np.float64)
        _, first, owner = np.unique(choices.example, return_index=True, return_inverse=True)
        sizes = np.diff(np.append(first, len(owner)))
        means = np.add.reduceat(values, first) / sizes[:, None]
        deviations = values - means[owner]
        rows = [np.flatnonzero(choices.kind == kind) for kind in kinds]
        spread = np.ones((len(kinds), len(BLENDED)))
        for index, own in enumerate(rows):
            if len(own):
                spread[index] = np.sqrt(np.square(deviations[own]).mean(axis=0))
        spread = np.maximum(spread, MIN_SPREAD)
        worth = np.where(choices.hit, choices.weight, 0).astype(np.float64)
        share = np.where(choices.hit, 1, choices.weight).astype(np.float64)
        return cls(
            values=[values[own] / spread[index] for index, own in enumerate(rows)],
            rows=rows,
            spread=spread,
            prior=prior[list(kinds)] * spread,
            first=first,
            owner=owner,
            log_share=np.log(share),
            credit=worth / np.add.reduceat(worth, first)[owner],
        )

    def loss(self, weights: Floats) -> tuple[float, Floats]:
        """Return the negative log likelihood of weights in spreads, and its gradient."""
        scores = np.empty(len(self.owner))
        for values, rows, own_weights in zip(self.values, self.rows, weights, strict=True):
            scores[rows] = values @ own_weights
        shifted = scores + self.log_share
        highest = np.maximum.reduceat(shifted, self.first)
        odds = np.exp(shifted - highest[self.owner])
        totals = np.add.reduceat(odds, self.first)
        loss = float((highest + np.log(totals)).sum() - self.credit @ scores)
        errors = odds / totals[self.owner] - self.credit
        gradient = [
            errors[rows] @ values for values, rows in zip(self.values, self.rows, strict=True)
        ]
        return loss, np.array(gradient)


def _fit(likelihood: _Likelihood, strength: float) -> Floats:
    """Return the likeliest weights (kinds, BLENDED): prior · scale + change."""
    shape = likelihood.prior.shape

    def loss(parameters: Floats) -> tuple[float, Floats]:
        scale, change = parameters[0], parameters[1:].reshape(shape)
        value, gradient = likelihood.loss(scale * likelihood.prior + change)
        value += strength * float(np.square(change).sum()) + SCALE_PRIOR * (scale - 1) ** 2
        of_scale = float((gradient * likelihood.prior).sum()) + 2 * SCALE_PRIOR * (scale - 1)
        return value, np.append(of_scale, gradient + 2 * strength * change)

    start = np.append(1.0, np.zeros(likelihood.prior.size))
    bounds = [SCALE_BOUNDS, *[(None, None)] * likelihood.prior.size]
    options = {"maxiter": MAX_ITERATIONS}
    best = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    change = best[1:].reshape(shape)
    weights: Floats = (best[0] * likelihood.prior + change) / likelihood.spread
    return weights
