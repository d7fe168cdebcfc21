"""Offers of the shop to its customers, and how many of their codes are left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from service.console.api import address
from service.console.customer_columns import read_columns
from service.console.forms import put_form
from service.console.visit import Move, ScreenContent, ScreenVisit

LISTS: Final = ("segments", "placements", "occasions")
TIMES: Final = ("starts", "ends")


async def show(visit: ScreenVisit) -> ScreenContent:
    return await _page(visit, {}, "")


async def _page(visit: ScreenVisit, form: Mapping[str, str], problem: str) -> ScreenContent:
    offers = await visit.get("/v1/offers", after=visit.asked("after"))
    return ScreenContent("offers.html", {"offers": offers, "form": form, "problem": problem})


async def act(visit: ScreenVisit) -> ScreenContent | Move:
    path = address("offers", visit.sent("id"))
    if visit.sent("act") == "delete":
        deleted = await visit.send("DELETE", path)
        if not deleted.ok:
            return ScreenContent("failed.html", {"answer": deleted, "back": "offers"})
        return Move("offers?done=deleted")
    return await put_form(visit, path, read_form, _page, "offers?done=offered")


def read_form(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the offer that a form describes: a text in each line, a code in each line.

    Raises ValueError for columns of customers that are none.
    """
    sent = {name: text.strip() for name, text in form.items() if text.strip()}
    body: dict[str, Any] = {"text": _read_texts(sent.get("text", ""))}
    if "codes" in sent:
        body["codes"] = sent["codes"].split()
    if "code" in sent:
        body["code"] = sent["code"]
    for name in LISTS:
        if name in sent:
            body[name] = [part.strip() for part in sent[name].split(",") if part.strip()]
    if "columns" in sent:
        body["customers"] = read_columns(sent["columns"])
    body |= {name: f"{sent[name][:16]}:00Z" for name in TIMES if name in sent}
    return body | ({"in_experiments_only": True} if "in_experiments_only" in sent else {})


def _read_texts(lines: str) -> dict[str, str]:
    """Return texts by language of lines like `de: Danke`; a line without one is English."""
    texts = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        language, colon, text = line.partition(":")
        is_named = bool(colon) and language.strip().replace("_", "").isalpha() and len(language) < 6
        texts[language.strip() if is_named else "en"] = text.strip() if is_named else line
    return texts
