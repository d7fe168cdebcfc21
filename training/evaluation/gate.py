"""Whether a version is good enough to be published."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation import metrics
from training.evaluation.evaluate import Evaluation
from training.evaluation.methods import BASELINES, SERVED
from training.evaluation.metrics import Mean
from training.evaluation.split import MIN_CUSTOMERS


@dataclass(frozen=True)
class GateComparison:
    """What is served, its Recall less that of something it must not fall behind, customer by customer."""

    task: str
    against: str
    difference: Mean

    @property
    def worse(self) -> bool:
        """Worse beyond chance: the whole interval of the paired difference lies below 0."""
        return self.difference.high < 0

    def __str__(self) -> str:
        gap = self.difference
        return (
            f"{self.task}: Recall {-gap.value:.4f} below {self.against} "
            f"(interval of the difference {gap.low:+.4f} to {gap.high:+.4f})"
        )


def compare(candidate: Evaluation, active: Evaluation | None, seed: int) -> list[GateComparison]:
    """Every comparison of a candidate's twin with the baselines and with the twin of the active version's settings.

    A task of too few customers is left out: an interval over three of them is no interval.
    """
    differences: dict[tuple[str, str], NDArray[np.float64]] = {}
    for task, values in candidate.values.items():
        if candidate.customers(task) < MIN_CUSTOMERS:
            continue
        rivals = {name: values[name] for name in BASELINES}
        if active is not None:
            rivals["the active version's settings"] = active.values[task][SERVED]
        differences |= {
            (task, name): values[SERVED][:, 0] - rival[:, 0] for name, rival in rivals.items()
        }
    # Bonferroni: one chance in twenty to refuse a good version, over all comparisons together.
    confidence = 1 - 0.05 / max(len(differences), 1)
    return [
        GateComparison(*names, metrics.mean(lost, seed, confidence))
        for names, lost in differences.items()
    ]
