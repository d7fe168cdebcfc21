"""Mails: how slates look in them, tried on recipients before the very next mail looks so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from service.console.api import ApiAnswer, address
from service.console.customers import RECENT, find_recent
from service.console.visit import Move, ScreenContent, ScreenVisit

RECIPIENTS: Final = 10
MOST_BLOCKS: Final = 200  # of a shop
NUMBERS: Final = ("columns", "font_size", "corners", "width")
WORDS: Final = ("heading", "button", "font", "picture")
COLORS: Final = ("background", "text", "reason", "button", "button_text", "tile")
AUDIENCE: Final = ("customers", "campaign")  # fields about whom mails are shown to, and which
COLOR: Final = "color-"  # begins the names of fields about colours


async def show(visit: ScreenVisit) -> ScreenContent:
    name = visit.asked("name")
    if not name:
        return await _page(visit, {name: visit.asked(name) for name in AUDIENCE})
    read = await visit.get(address("blocks", name))
    if not read.ok:
        return ScreenContent("failed.html", {"answer": read, "back": "mails"})
    return await _page(visit, write_form(read.json["block"]))


async def act(visit: ScreenVisit) -> ScreenContent | Move:
    path = address("blocks", visit.sent("name"))
    if visit.sent("act") == "delete":
        deleted = await visit.send("DELETE", path)
        if not deleted.ok:
            return ScreenContent("failed.html", {"answer": deleted, "back": "mails"})
        return Move("mails?done=deleted")
    if visit.sent("act") == "preview":
        return await _page(visit, visit.form)
    try:
        look = await _read_look(visit, visit.form)
    except ValueError as error:
        return await _page(visit, visit.form, str(error))
    made = await visit.send("PUT", path, look)
    if not made.ok:
        return await _page(visit, visit.form, made.problem)
    return Move("mails?done=block")


async def _page(visit: ScreenVisit, form: Mapping[str, str], problem: str = "") -> ScreenContent:
    """Return the blocks of the shop, the form, and what it makes of the mails of recipients."""
    blocks = await visit.get("/v1/blocks", limit=MOST_BLOCKS)
    customers = form.get("customers") or ", ".join(await _find_recipients(visit))
    mails: list[tuple[str, ApiAnswer]] = []
    try:
        look = await _read_look(visit, form)
    except ValueError as error:
        problem = problem or str(error)
    else:
        mails = await _preview(visit, look, _split(customers), form.get("campaign") or None)
    values = {
        "blocks": blocks,
        "form": {**form, "customers": customers},
        "colors": COLORS,
        "color": COLOR,
        "mails": mails,
        "problem": problem,
    }
    return ScreenContent("mails.html", values)


async def _find_recipients(visit: ScreenVisit) -> list[str]:
    """Return customers who did something lately."""
    recent = find_recent(await visit.get("/v1/events", limit=RECENT)) or []
    return [one["id"] for one in recent[:RECIPIENTS]]


async def _preview(
    visit: ScreenVisit, look: Mapping[str, Any], customers: Iterable[str], campaign: str | None
) -> list[tuple[str, ApiAnswer]]:
    """Return the mails of customers, as a campaign would send them now if one is named."""
    ids = list(dict.fromkeys(customers))[:RECIPIENTS]
    same = {"look": look, "locale": visit.language, "campaign": campaign}
    bodies = [{"customer_id": one, **same} for one in ids]
    answers = [visit.send("POST", "/v1/blocks/preview", body) for body in bodies]
    return list(zip(ids, await asyncio.gather(*answers), strict=True))


async def _read_look(visit: ScreenVisit, form: Mapping[str, str]) -> dict[str, Any]:
    """Return the block that a form describes; what it leaves out stays as it is.

    Raises ValueError with the field that is wrong.
    """
    before: dict[str, Any] = {}
    if form.get("name"):
        read = await visit.get(address("blocks", form["name"]))
        before = {**read.json["block"]} if read.ok else {}
        before.pop("name", None)
    return {**before, **read_form(form, before.get("colors", {}))}


def read_form(form: Mapping[str, str], colors: Mapping[str, str]) -> dict[str, Any]:
    """Return what a form says of a block. `colors`: those of before.

    Raises ValueError with the field that is wrong.
    """
    sent = {name: text.strip() for name, text in form.items() if text.strip()}
    look: dict[str, Any] = {name: sent[name] for name in WORDS if name in sent}
    if form and "heading" not in sent:
        look["heading"] = None
    for name in NUMBERS:
        if name not in sent:
            continue
        if not sent[name].isdecimal():
            raise ValueError(f"{name}: {sent[name][:40]!r} is no whole number")
        look[name] = int(sent[name])
    if "parts" in sent:
        look["parts"] = _split(sent["parts"])
    chosen = {name: sent[COLOR + name] for name in COLORS if COLOR + name in sent}
    return {**look, "colors": {**colors, **chosen}} if chosen else look


def write_form(block: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields of a form that describes a block."""
    form = {name: str(block[name]) for name in ("name", *NUMBERS, *WORDS) if block[name]}
    form["parts"] = ", ".join(block["parts"])
    return form | {COLOR + name: block["colors"][name] for name in COLORS}


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
