"""Campaigns: mailings that are open, and what they show whom."""

from __future__ import annotations

from service.console.api import address
from service.console.mails import RECIPIENTS
from service.console.visit import Move, ScreenContent, ScreenVisit


async def show(visit: ScreenVisit) -> ScreenContent:
    if visit.asked("id"):
        return await _show_one(visit, visit.asked("id"))
    campaigns = await visit.get("/v1/campaigns", after=visit.asked("after"))
    return ScreenContent("campaigns.html", {"campaigns": campaigns})


async def _show_one(visit: ScreenVisit, campaign_id: str) -> ScreenContent:
    """Show a campaign, and what followed from it as far as the visitor may see that."""
    campaign = await visit.get(address("campaigns", campaign_id))
    told, mails, rows = None, None, []
    if visit.is_admin and campaign.ok:
        told, mails = await visit.get_each(
            ("/v1/insights/attribution", {"by": "campaign"}),
            (address("campaigns", campaign_id, "mails"), {"limit": RECIPIENTS}),
        )
        rows = [row for row in told.json.get("attribution", []) if row["value"] == campaign_id]
    values = {
        "campaign_id": campaign_id,
        "campaign": campaign,
        "told": told,
        "rows": rows,
        "mails": mails,
    }
    return ScreenContent("campaign.html", values)


async def act(visit: ScreenVisit) -> ScreenContent | Move:
    path, body = address("campaigns", visit.sent("campaign")), {}
    if visit.sent("act") == "delete":
        done = await visit.send("DELETE", path)
    else:
        for name in ("window_hours", "not_twice"):
            if visit.sent(name).isdecimal():
                body[name] = int(visit.sent(name))
        done = await visit.send("PUT", path, body)
    if not done.ok:
        return ScreenContent("failed.html", {"answer": done, "back": "campaigns"})
    return Move(f"campaigns?done={'deleted' if visit.sent('act') == 'delete' else 'opened'}")
