"""Guardrails: figures that no variant of an experiment may harm by more than a bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self


class GuardedFigure(StrEnum):
    """A figure of the customers of a variant."""

    CONVERSION = "conversion"
    ORDERS = "orders"
    REVENUE = "revenue"
    MARGIN = "margin"
    ORDER_VALUE = "order_value"
    REPEAT_RATE = "repeat_rate"
    REFUSALS = "refusals"  # share of those who dismissed a product or refused to be personalised


HARMED_BY_MORE: Final = (GuardedFigure.REFUSALS,)  # all others are harmed by less


@dataclass(frozen=True)
class Guardrail:
    """Hold how far a figure of a variant may lie on the wrong side of the control's."""

    figure: GuardedFigure
    harm: float  # a share of the control's figure

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """Return the guardrail of a document that was checked."""
        return cls(GuardedFigure(document["metric"]), float(document["harm"]))

    def is_crossed(self, low: float, high: float) -> bool:
        """Tell whether all of an interval of the relative difference lies beyond the bound."""
        return low > self.harm if self.figure in HARMED_BY_MORE else high < -self.harm
