"""Every way to ask a service for products that are shown to one customer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from starlette.testclient import TestClient

EVERYTHING: Final[dict[str, Any]] = {"n": 100, "repeat": "include"}
PARTS: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "bundles", "product_id": "bread", "n": 20},
    {"kind": "basket", "n": 20},
    {"kind": "replenishment", "ahead_days": 365, "n": 20},
    {"kind": "list", "list_name": "new", "n": 20},
    {"kind": "similar", "product_id": "bread", "n": 20},
    {"kind": "customer", "repeat": "include", "n": 20},
    {"kind": "popular", "n": 40},
)


def slate_of(answer: dict[str, Any]) -> set[str]:
    """Return the products of an answer; of bundles all but the one that was asked about."""
    shown: set[str] = set()
    for recommendation in answer["recommendations"]:
        shown |= {product["id"] for product in recommendation.get("products", [recommendation])}
    return shown


def ask_in_every_way(client: TestClient, customer: str) -> Iterator[tuple[str, set[str]]]:
    """Yield the name of each way, and the products that it shows."""
    path = f"/v1/customers/{customer}"

    def get(address: str, **options: Any) -> dict[str, Any]:
        response = client.get(address, params=options)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def post(address: str, **body: Any) -> dict[str, Any]:
        response = client.post(address, json=body)
        assert response.status_code == 200, response.text
        return dict(response.json())

    for name, options in {
        "slate": {},
        "strict": {"strict": True},
        "mail": {"placement": "email"},
        "past": {"as_of": "2025-06-01"},
    }.items():
        yield name, slate_of(get(f"{path}/recommendations", **EVERYTHING, **options))
    for _ in range(2):  # as it was recorded, the second time
        yield "campaign", slate_of(get(f"{path}/recommendations", n=30, campaign="spring"))
    yield "due", slate_of(get(f"{path}/replenishment", ahead_days=365))
    yield "viewed", slate_of(get(f"{path}/recently-viewed"))
    yield "profile", slate_of(get(f"{path}/profile")["slate"])
    visit = {"customer_id": customer, "recent": ["bread"], "basket": ["butter"]}
    yield "visit", slate_of(post("/v1/recommendations", **visit, **EVERYTHING))
    for asked in PARTS:
        (part,) = post("/v1/pages", **visit, parts=[asked])["parts"]
        yield f"page: {part['kind']}", slate_of(part["answer"])
    page = post("/v1/pages", **visit, parts=PARTS)
    yield "page", set().union(*(slate_of(part["answer"]) for part in page["parts"]))
    given = [*_all_products(client), "nonsense"]
    yield "ranking", slate_of(post("/v1/rankings", customer_id=customer, product_ids=given))
    yield "basket", slate_of(post("/v1/baskets/bundles", customer_id=customer, basket=["bread"]))
    recipients = [{"customer_id": customer}]
    batch = post("/v1/recommendations/batch", recipients=recipients, n=100)
    yield "batch", slate_of(batch["answers"][0])
    preview = post("/v1/rules/preview", customer_id=customer, rules=[], n=100)
    yield "preview", {product["id"] for product in preview["with_rules"]}
    block = client.get(f"{path}/recommendations.html", params={"n": 40}).text
    yield "block", {title.lower() for title in re.findall(r"products/(\w+)", block)}


def _all_products(client: TestClient) -> list[str]:
    catalogue = client.app.state.responder.active.current.recommender.catalogue  # type: ignore[attr-defined]
    return list(catalogue.ids)
