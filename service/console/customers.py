"""Customers: what they see and why, what is known of them, and what they allow."""

from __future__ import annotations

from typing import Any, Final

from service.console.api import ApiAnswer, address
from service.console.render import link
from service.console.visit import Move, ScreenContent, ScreenVisit

PLACEMENTS: Final = ("home", "product", "basket", "email")
ALLOW: Final = "allow-"  # begins the names of fields about a purpose
RECENT: Final = 100  # events among which recent customers are looked for
SHOWN: Final = 10


async def show(visit: ScreenVisit) -> ScreenContent:
    customer_id = visit.asked("id")
    if not customer_id:
        recent = find_recent(await visit.get("/v1/events", limit=RECENT))
        known = [] if recent else await _find_known(visit)
        return ScreenContent("customers.html", {"recent": recent, "known": known})
    if visit.asked("forget"):
        return ScreenContent("forget.html", {"customer_id": customer_id})
    placement = visit.asked("placement") or PLACEMENTS[0]
    explain = {
        "placement": placement,
        "product_id": visit.asked("product_id"),
        "n": SHOWN,
        "locale": visit.language,
    }
    profile, explained, history, preferences = await visit.get_each(
        (address("customers", customer_id, "profile"), {"n": 12, "locale": visit.language}),
        (address("customers", customer_id, "explain"), explain),
        ("/v1/events", {"customer_id": customer_id, "limit": 20}),
        (address("customers", customer_id, "preferences"), {}),
    )
    return ScreenContent(
        "customer.html",
        {
            "customer_id": customer_id,
            "placement": placement,
            "placements": PLACEMENTS,
            "profile": profile,
            "explained": explained,
            "products": _by_id(explained.json),
            "history": history,
            "preferences": preferences,
        },
    )


async def _find_known(visit: ScreenVisit) -> list[str]:
    """Return some customers whom the model knows: those to whom a newsletter would be personal."""
    due = await visit.get("/v1/campaigns/newsletter/due", limit=SHOWN)
    return [mail["customer_id"] for mail in due.json.get("due", [])]


def find_recent(events: ApiAnswer) -> list[dict[str, Any]] | None:
    """Return the customers of the newest events, None where they cannot be read."""
    if not events.ok:
        return None
    recent: dict[str, dict[str, Any]] = {}
    for event in events.json["events"]:
        customer_id = event["customer_id"]
        if customer_id is not None:
            seen = recent.setdefault(customer_id, {"id": customer_id, "last": event, "count": 0})
            seen["count"] += 1
    return list(recent.values())


def _by_id(explained: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what is told of each product in the slate, the reason of what fills it up too."""
    return {one["id"]: one for one in explained.get("ranked", [])}


async def act(visit: ScreenVisit) -> ScreenContent | Move:
    customer_id = visit.sent("id")
    if visit.sent("act") == "forget":
        receipt = await visit.send("DELETE", address("customers", customer_id))
        return ScreenContent("forgotten.html", {"customer_id": customer_id, "receipt": receipt})
    answers = {
        name.removeprefix(ALLOW): said == "yes"
        for name, said in visit.form.items()
        if name.startswith(ALLOW)
    }
    said = await visit.send("PUT", address("customers", customer_id, "consent"), answers)
    if not said.ok:
        return ScreenContent(
            "failed.html", {"answer": said, "back": link("customers", id=customer_id)}
        )
    return Move(link("customers", id=customer_id, done="consent"))
