"""Events: what the shop tells, as it comes in."""

from __future__ import annotations

from typing import Final

from models.data.events import KINDS
from service.console.visit import ScreenContent, ScreenVisit

SHOWN: Final = 50


async def show(visit: ScreenVisit) -> ScreenContent:
    chosen = {name: visit.asked(name) for name in ("kind", "customer_id", "product_id")}
    events = await visit.get("/v1/events", limit=SHOWN, after=visit.asked("after"), **chosen)
    return ScreenContent(
        "events.html",
        {
            "events": events,
            "kinds": KINDS,
            "chosen": chosen,
        },
    )
