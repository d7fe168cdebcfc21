"""Feedback: which products disappoint whom, as last computed."""

from __future__ import annotations

from typing import Final

from models.data.segments import SEGMENTS
from service.console.visit import ScreenContent, ScreenVisit

SHOWN: Final = 50


async def show(visit: ScreenVisit) -> ScreenContent:
    segment = visit.asked("segment")
    told = await visit.get("/v1/insights/feedback", segment=segment)
    rows = [
        row
        for row in told.json.get("feedback", [])
        if segment or row["segment"] is None  # with a segment, those of it alone were sent
    ][:SHOWN]
    values = {
        "told": told,
        "rows": rows,
        "segment": segment,
        "segments": SEGMENTS,
        "titles": await visit.find_titles([row["product_id"] for row in rows]),
    }
    return ScreenContent("insights_feedback.html", values)
