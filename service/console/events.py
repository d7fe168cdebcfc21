"""Events: what the shop tells, as it comes in."""

from __future__ import annotations

from typing import Final

from models.data.events import KINDS
from service.console.visit import Page, Visit

SHOWN: Final = 50


async def show(visit: Visit) -> Page:
    chosen = {name: visit.asked(name) for name in ("kind", "customer_id", "product_id")}
    events = await visit.get("/v1/events", limit=SHOWN, after=visit.asked("after"), **chosen)
    return Page(
        "events.html",
        {
            "events": events,
            "kinds": KINDS,
            "chosen": chosen,
        },
    )
