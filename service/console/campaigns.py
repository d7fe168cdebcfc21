"""Campaigns: mailings that are open, and what they show whom."""

from __future__ import annotations

from service.console.api import address
from service.console.visit import Move, Page, Visit


async def show(visit: Visit) -> Page:
    campaigns = await visit.get("/v1/campaigns", after=visit.asked("after"))
    return Page("campaigns.html", {"campaigns": campaigns})


async def act(visit: Visit) -> Page | Move:
    path, body = address("campaigns", visit.sent("campaign")), {}
    if visit.sent("act") == "delete":
        done = await visit.send("DELETE", path)
    else:
        for name in ("window_hours", "not_twice"):
            if visit.sent(name).isdecimal():
                body[name] = int(visit.sent(name))
        done = await visit.send("PUT", path, body)
    if not done.ok:
        return Page("failed.html", {"answer": done, "back": "campaigns"})
    return Move(f"campaigns?done={'deleted' if visit.sent('act') == 'delete' else 'opened'}")
