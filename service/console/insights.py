"""Insights: what followed from what was recommended, what customers are worth and say."""

from __future__ import annotations

from typing import Final

from service.console import feedback, worth
from service.console.visit import ScreenContent, ScreenVisit

DIMENSIONS: Final = (
    "placement",
    "campaign",
    "source",
    "strategy",
    "reason",
    "product",
    "experiment",
    "variant",
)
SHOWN: Final = 50


async def show(visit: ScreenVisit) -> ScreenContent:
    if visit.asked("of") in worth.PARTS:
        return await worth.show(visit)
    if visit.asked("of") == "feedback":
        return await feedback.show(visit)
    by = visit.asked("by") or DIMENSIONS[0]
    overview, attribution = await visit.get_each(
        ("/v1/insights/overview", {}), ("/v1/insights/attribution", {"by": by})
    )
    rows = sorted(attribution.json.get("attribution", []), key=lambda row: -(row["revenue"] or 0))
    ids = [row["value"] for row in rows[:SHOWN] if by == "product" and row["value"]]
    return ScreenContent(
        "insights.html",
        {
            "by": by,
            "dimensions": DIMENSIONS,
            "overview": overview,
            "attribution": attribution,
            "rows": rows[:SHOWN],
            "titles": await visit.find_titles(ids),
        },
    )
