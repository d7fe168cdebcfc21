"""What each degree of daring costs in hits and gains in products that customers discover."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.events import DAY, PURCHASE
from models.recommender import Recommender
from training.evaluation import metrics
from training.evaluation.methods import degrees_of_daring, served_degree
from training.evaluation.results import Daring, Role
from training.evaluation.split import Split

BESTSELLERS: Final = 100
BESTSELLER_DAYS: Final = 28  # before the cut
MIN_CUSTOMERS: Final = 3  # to whom a product is shown, for it to count as shown


def measure_daring(
    slates: NDArray[np.int64], recommender: Recommender, split: Split, seed: int
) -> tuple[Daring, ...]:
    """Measure slates of products new to the customers of a split: (customers, degrees, k).

    Nothing where nobody discovered anything beyond the best sellers.
    """
    served = served_degree(recommender)
    everyone = np.flatnonzero([len(wanted) > 0 for wanted in split.discoveries])
    targets = [split.discoveries[row] for row in everyone.tolist()]
    bestsellers = find_bestsellers(split)
    rare = [wanted - bestsellers for wanted in targets]
    wants_rare = np.flatnonzero([len(wanted) > 0 for wanted in rare]).tolist()
    if not wants_rare:
        return ()
    rows = []
    for index, degree in enumerate(degrees_of_daring(recommender)):
        shown = slates[everyone, index]
        rare_shown, rare_targets = shown[wants_rare], [rare[row] for row in wants_rare]
        rows.append(
            Daring(
                daring=degree.daring,
                reaches=degree.reaches,
                role=Role.SERVED if degree == served else Role.OTHER,
                recall=metrics.mean(_recalls(shown, targets), seed),
                rare_recall=metrics.mean(_recalls(rare_shown, rare_targets), seed),
                coverage=_count_shown(shown) / max(int(split.countable.sum()), 1),
            )
        )
    return tuple(rows)


def find_bestsellers(split: Split) -> frozenset[int]:
    """Return the products with the most lines in the last days before the cut."""
    past = split.past
    recent = (past.kind == PURCHASE) & (past.time >= split.cut - BESTSELLER_DAYS * DAY)
    lines = np.bincount(past.item[recent], minlength=len(split.countable))
    best = np.argsort(-lines, kind="stable")[:BESTSELLERS]
    return frozenset(best[lines[best] > 0].tolist())


def _recalls(slates: NDArray[np.int64], targets: Sequence[frozenset[int]]) -> NDArray[np.float64]:
    k = slates.shape[-1]
    columns = zip(slates, targets, strict=True)
    return np.array([metrics.recall(slate[slate >= 0], wanted, k) for slate, wanted in columns])


def _count_shown(slates: NDArray[np.int64]) -> int:
    customers = np.bincount(slates[slates >= 0])
    return int(np.count_nonzero(customers >= MIN_CUSTOMERS))
