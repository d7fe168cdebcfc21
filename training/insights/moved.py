"""Whom an offer moved, and who would have bought anyway, by segment.

Of the buyers of a variant, as many as the control has would have bought without it: their share is
conversion of the control / conversion of the variant = 1 / (1 + relative difference).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from models.experiments.guardrails import GuardedFigure


def find_moved(facts: Mapping[str, Any], offering: Collection[str]) -> list[dict[str, Any]]:
    """Return for each variant, of all customers and of each segment, who would have bought anyway.

    `facts`: what was compared. `offering`: the variants in which an offer stands.
    """
    parts = {None: facts, **facts.get("segments", {})}
    return [row for segment, part in parts.items() for row in _find_in(part, segment, offering)]


def _find_in(
    part: Mapping[str, Any], segment: str | None, offering: Collection[str]
) -> Iterator[dict[str, Any]]:
    for one in part.get("comparisons", ()):
        if one["metric"] == GuardedFigure.CONVERSION and one["variant"] in offering:
            interval = one["always_valid"] or {}
            yield {
                "variant": one["variant"],
                "segment": segment,
                "bought": one["variant_mean"],
                "bought_without": one["control_mean"],
                "anyway": _find_anyway(one["relative"]),
                "anyway_low": _find_anyway(interval.get("relative_high")),
                "anyway_high": _find_anyway(interval.get("relative_low")),
            }


def _find_anyway(relative: float | None) -> float | None:
    """Return the share of the buyers who would have bought without it; None: it is not known."""
    if relative is None or relative <= -1:
        return None
    return min(1.0, 1 / (1 + relative))
