"""Campaigns: mailings that are open, and what they show whom."""

from __future__ import annotations

from typing import Final

from models.mail.mailings import MAILINGS, MailKind
from service.console.api import address
from service.console.mails import RECIPIENTS
from service.console.visit import Move, ScreenContent, ScreenVisit

KINDS: Final = tuple(kind for kind in MailKind if MAILINGS[kind].find_occasion is not None)


async def show(visit: ScreenVisit) -> ScreenContent:
    if visit.asked("id"):
        return await _show_one(visit, visit.asked("id"))
    campaigns = await visit.get("/v1/campaigns", after=visit.asked("after"))
    return ScreenContent("campaigns.html", {"campaigns": campaigns, "kinds": KINDS})


async def _show_one(visit: ScreenVisit, campaign_id: str) -> ScreenContent:
    """Show a campaign, whose mail is due, and what followed, as far as the visitor may see that.

    One that is not open yet is shown as its first mail would open it.
    """
    campaign = await visit.get(address("campaigns", campaign_id))
    due, told, mails, rows = None, None, None, []
    if visit.is_admin and (campaign.ok or campaign.status == 404):
        asked = {"limit": RECIPIENTS, "after": visit.asked("after"), "locale": visit.language}
        due = await visit.get(address("campaigns", campaign_id, "due"), **asked)
    if visit.is_admin and campaign.ok:
        told, mails = await visit.get_each(
            ("/v1/insights/attribution", {"by": "campaign"}),
            (address("campaigns", campaign_id, "mails"), {"limit": RECIPIENTS}),
        )
        rows = [row for row in told.json.get("attribution", []) if row["value"] == campaign_id]
    values = {
        "campaign_id": campaign_id,
        "campaign": campaign,
        "due": due,
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
