"""Compare a candidate with what it must not fall behind before it is published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.evaluation import metrics
from training.evaluation.evaluate import Evaluation
from training.evaluation.methods import BASELINES, SERVED
from training.evaluation.metrics import Mean
from training.evaluation.split import MIN_CUSTOMERS

ACTIVE_SETTINGS: Final = "the active version's settings"


@dataclass(frozen=True)
class GateComparison:
    """Hold the Recall of what is served less that of another method, paired by customer."""

    task: str
    against: str
    difference: Mean

    @property
    def worse(self) -> bool:
        """Return whether it is worse beyond chance: the whole interval lies below 0."""
        return self.difference.high < 0

    @property
    def refuses(self) -> bool:
        """Return whether it is worse than the version in service.

        What lost to a simple list still serves a shop better than nothing.
        """
        return self.worse and self.against == ACTIVE_SETTINGS

    def __str__(self) -> str:
        gap = self.difference
        return (
            f"{self.task}: Recall {-gap.value:.4f} below {self.against} "
            f"(interval of the difference {gap.low:+.4f} to {gap.high:+.4f})"
        )


def compare(candidate: Evaluation, active: Evaluation | None, seed: int) -> list[GateComparison]:
    """Compare a candidate's twin with the baselines and with a twin of the active settings.

    A task of too few customers is left out: an interval over three of them is no interval.
    """
    differences: dict[tuple[str, str], NDArray[np.float64]] = {}
    for task, values in candidate.values.items():
        if candidate.customers(task) < MIN_CUSTOMERS:
            continue
        references: dict[str, NDArray[np.float64]] = {
            name: values[name] for name in BASELINES if name in values
        }
        if active is not None:
            references[ACTIVE_SETTINGS] = active.values[task][SERVED]
        differences |= {
            (task, name): values[SERVED][:, 0] - reference[:, 0]
            for name, reference in references.items()
        }
    # Bonferroni: one chance in twenty to refuse a good version, over all comparisons together.
    confidence = 1 - 0.05 / max(len(differences), 1)
    return [
        GateComparison(task, name, metrics.mean(difference, seed, confidence))
        for (task, name), difference in differences.items()
    ]
