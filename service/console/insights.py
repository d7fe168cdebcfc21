"""Insights: what followed from what was recommended, as it was last computed."""

from __future__ import annotations

from typing import Final

from service.console.visit import Page, Visit

DIMENSIONS: Final = ("placement", "campaign", "source", "strategy", "reason", "product")
SHOWN: Final = 50


async def show(visit: Visit) -> Page:
    by = visit.asked("by") or DIMENSIONS[0]
    overview, attribution = await visit.get_each(
        ("/v1/insights/overview", {}), ("/v1/insights/attribution", {"by": by})
    )
    rows = sorted(attribution.json.get("attribution", []), key=lambda row: -(row["revenue"] or 0))
    ids = [row["value"] for row in rows[:SHOWN] if by == "product" and row["value"]]
    return Page(
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
