"""Bundles that the shop puts together, and whether each is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from service.console.api import address
from service.console.forms import put_form
from service.console.visit import Move, ScreenContent, ScreenVisit

SHOWN: Final = 30  # bundles of a page, each read with how it is shown
WORDS: Final = ("currency", "title")
TIMES: Final = ("starts", "ends")


async def show(visit: ScreenVisit) -> ScreenContent:
    return await _page(visit, {}, "")


async def _page(visit: ScreenVisit, form: Mapping[str, str], problem: str) -> ScreenContent:
    listed = await visit.get("/v1/bundles", limit=SHOWN, after=visit.asked("after"))
    found = listed.json.get("bundles", [])
    read = await visit.get_each(*((address("bundles", one["id"]), {}) for one in found))
    bundles = [one.json for one in read if one.ok]
    ids = {product_id for one in bundles for product_id in one["bundle"]["products"]}
    values = {
        "listed": listed,
        "bundles": bundles,
        "titles": await visit.find_titles(sorted(ids)),
        "form": form,
        "problem": problem,
    }
    return ScreenContent("bundles.html", values)


async def act(visit: ScreenVisit) -> ScreenContent | Move:
    path = address("bundles", visit.sent("id"))
    if visit.sent("act") == "delete":
        deleted = await visit.send("DELETE", path)
        if not deleted.ok:
            return ScreenContent("failed.html", {"answer": deleted, "back": "bundles"})
        return Move("bundles?done=deleted")
    return await put_form(visit, path, read_form, _page, "bundles?done=bundled")


def read_form(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the bundle that a form describes. Raises ValueError with the field that is wrong."""
    sent = {name: text.strip() for name, text in form.items() if text.strip()}
    for name in ("id", "products", "price"):
        if name not in sent:
            raise ValueError(f"{name}: is empty")
    try:
        price = float(sent["price"].replace(",", "."))
    except ValueError:
        raise ValueError(f"price: {sent['price'][:40]!r} is no number") from None
    products = [part.strip() for part in sent["products"].split(",") if part.strip()]
    body: dict[str, Any] = {"products": products, "price": price}
    body |= {name: sent[name] for name in WORDS if name in sent}
    return body | {name: f"{sent[name][:16]}:00Z" for name in TIMES if name in sent}
