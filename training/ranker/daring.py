"""How far slates may look beyond best sellers before the shop's own customers find less."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.ranking.ranker import KINDS, NEW, RECENT_SALES, VISIT, Ranker, kind_of
from training.ranker.choice import estimate_recall
from training.ranker.rows import RankerRows

DEGREES: Final = (0.1, 0.2, 0.3)
MAX_LOSS: Final = 0.01  # of the Recall of who is not daring, on average
MAX_RISK: Final = 0.03  # of it, that a loss may be given what chance does


def learn_daring(rows: RankerRows, ranker: Ranker) -> NDArray[np.float32]:
    """Return the highest degree that costs next to nothing, for each of KINDS: (3,).

    `rows` are of windows that the ranker has not learned from. Where they are too few to tell, it
    is 0: slates are then as safe as can be.
    """
    daring = np.zeros(len(KINDS), np.float32)
    kind = kind_of(rows.values, rows.bought)
    for one in (NEW, VISIT):
        ours = kind == one
        scores = ranker.score(rows.values[ours], rows.bought[ours]).astype(np.float64)
        sales = rows.values[ours, RECENT_SALES].astype(np.float64)
        hit = rows.hit[ours]
        weight = rows.weight[ours].astype(np.float64)
        safe = estimate_recall(scores, rows.example[ours], hit, weight)[1]
        if len(safe) < 2:
            continue
        for degree in DEGREES:
            discounted = scores - degree * sales
            recall = estimate_recall(discounted, rows.example[ours], hit, weight)[1]
            if _costs_little(safe, recall):
                daring[one] = degree
    return daring


def _costs_little(safe: NDArray[np.float64], daring: NDArray[np.float64]) -> bool:
    """Return whether the loss of the same examples is small, and is not large but for luck."""
    losses, usual = safe - daring, safe.mean()
    loss, error = losses.mean(), losses.std(ddof=1) / np.sqrt(len(losses))
    return bool(loss <= MAX_LOSS * usual and loss + error <= MAX_RISK * usual)
