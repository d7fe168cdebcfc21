"""Insights: what followed from what was recommended, what customers are worth and say."""

from __future__ import annotations

from typing import Final

from models.data.segments import SEGMENTS
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
NOT_FOUND: Final = 404  # it was not computed


async def show(visit: ScreenVisit) -> ScreenContent:
    if visit.asked("of") in worth.PARTS:
        return await worth.show(visit)
    if visit.asked("of") == "feedback":
        return await feedback.show(visit)
    by, segment = visit.asked("by") or DIMENSIONS[0], visit.asked("segment")
    overview, attribution = await visit.get_each(
        ("/v1/insights/overview", {"segment": segment}),
        ("/v1/insights/attribution", {"by": by, "segment": segment}),
    )
    # Whoever computes what customers are worth alone looks at an empty first screen
    worth_known = overview.status == NOT_FOUND and (await visit.get("/v1/insights/segments")).ok
    rows = sorted(attribution.json.get("attribution", []), key=lambda row: -(row["revenue"] or 0))
    ids = [row["value"] for row in rows[:SHOWN] if by == "product" and row["value"]]
    return ScreenContent(
        "insights.html",
        {
            "by": by,
            "segment": segment,
            "segments": SEGMENTS,
            "dimensions": DIMENSIONS,
            "overview": overview,
            "worth_known": worth_known,
            "attribution": attribution,
            "rows": rows[:SHOWN],
            "titles": await visit.find_titles(ids),
        },
    )
