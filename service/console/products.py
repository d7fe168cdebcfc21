"""Products: what is shown beside one, and whether it can be shown at all."""

from __future__ import annotations

import json
from typing import Final

from service.console.api import address
from service.console.visit import ScreenContent, ScreenVisit

FOUND: Final = 24
WORDS: Final = 4


async def show(visit: ScreenVisit) -> ScreenContent:
    product_id, words = visit.asked("id"), visit.asked("q")
    if not product_id:
        return await _search(visit, words)
    options = {"locale": visit.language}
    product, similar, bundles, ratings = await visit.get_each(
        (address("products", product_id), {}),
        (address("products", product_id, "similar"), {"n": 8, "strict": "true", **options}),
        (address("products", product_id, "bundles"), {"n": 4, **options}),
        (address("products", product_id, "ratings"), {"limit": 5}),
    )
    return ScreenContent(
        "product.html",
        {
            "product_id": product_id,
            "product": product,
            "similar": similar,
            "bundles": bundles,
            "ratings": ratings,
        },
    )


async def _search(visit: ScreenVisit, words: str) -> ScreenContent:
    """Find products by the words of their titles, or by an id; show best sellers before."""
    options = {"n": FOUND, "locale": visit.language}
    exact = await visit.get(address("products", words)) if words else None
    if words:
        options["filter"] = write_filter(words)
    found = await visit.get("/v1/popular", **options)
    return ScreenContent("products.html", {"words": words, "found": found, "exact": exact})


def write_filter(words: str) -> str:
    """Return a filter of titles that hold each of some words, in the usual ways to write them."""
    conditions = []
    for word in words.split()[:WORDS]:
        ways = dict.fromkeys((word, word.lower(), word.capitalize(), word.upper()))
        held = [f"product.title.contains({json.dumps(way)})" for way in ways]
        conditions.append(f"({' || '.join(held)})")
    return " && ".join(conditions)
