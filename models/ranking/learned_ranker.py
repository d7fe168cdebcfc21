"""What was learned about ranking, from what customers bought after earlier moments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.trees import Trees

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LearnedRanker:
    """On top of the blend: how its scores become log odds of a purchase, and trees that add to them."""

    slope: Floats  # (2,) of the blend's score in the log odds of a purchase, for new products and bought ones
    level: Floats  # (2,)
    trees: Trees  # add to the log odds
    baskets: Trees = field(default_factory=Trees.none)  # log odds that a candidate is what a basket lacks

    @classmethod
    def none(cls) -> Self:
        """Nothing: the blend ranks alone."""
        return cls(np.ones(2, np.float32), np.zeros(2, np.float32), Trees.none())

    @property
    def learned(self) -> bool:
        return len(self.trees) > 0
