"""The mails of a shop as its email system gets them, and the store behind them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update
from starlette.testclient import TestClient

from models.artifact.registry import Registry
from models.data.events import HOUR
from service.store import campaigns
from service.store.store import Store
from service.store.tables import slates
from service.store.writer import Change
from tests.support.service_shop import Shop, wait_until
from tests.support.shop import AISLES, DAYS, Line, moment
from tests.support.training_shop import small_purchases, trained

Body = dict[str, Any]
JUNE = "2025-06-28T12:00:00Z"  # about the newest event that the model of the small shop has learned
CUSTOMERS = [f"c{number:02}" for number in range(54)]


def mail(client: TestClient, customer_id: str, campaign: str | None, **asked: Any) -> Body:
    options = {"n": 4, "placement": "email", "campaign": campaign, **asked}
    given = {name: value for name, value in options.items() if value is not None}
    answered = client.get(f"/v1/customers/{customer_id}/recommendations", params=given)
    assert answered.status_code == 200, answered.text
    body: Body = answered.json()
    return body


def kept(client: TestClient, customer_id: str, campaign: str, **asked: Any) -> Body:
    """The mail once its record is durable."""
    body = mail(client, customer_id, campaign, **asked)
    wait_until(lambda: bool(records(client, customer_id, campaign)))
    return body


def records(client: TestClient, customer_id: str, campaign: str) -> list[Any]:
    found = select(slates.c.document).where(
        slates.c.customer_id == customer_id, slates.c.campaign_id == campaign
    )
    return list(store(client).read(lambda connection: connection.execute(found).scalars().all()))


def store(client: TestClient) -> Store:
    found: Store = client.app.state.responder.store  # type: ignore[attr-defined]
    return found


def shown(body: Body) -> list[str]:
    return [slot["id"] for slot in body["recommendations"]]


def agreed_content(body: Body) -> tuple[Any, ...]:
    """What every part of a mail has to agree about: all but the language of its sentences."""
    slots = []
    for slot in body["recommendations"]:
        reason = slot["reason"]
        slots.append((slot["id"], slot["source"], reason["kind"], reason["product_ids"]))
    return body["recommendation_id"], body["strategy"], slots


def report(
    client: TestClient, customer_id: str, *products: str, when: str = "", order_id: str = ""
) -> None:
    """The customer has bought these, by default now."""
    name = order_id or f"{customer_id} {' '.join(products)}"
    bought = {
        "event_id": name,
        "kind": "purchase",
        "time": when or datetime.now(UTC).isoformat(),
        "customer_id": customer_id,
        "order_id": name,
        "lines": [{"product_id": product} for product in products],
    }
    answered = client.post("/v1/events", json={"events": [bought]})
    assert (answered.status_code, answered.json()["accepted"]) == (202, 1), answered.text


def patch(client: TestClient, product_id: str, **fields: Any) -> None:
    answered = client.patch(f"/v1/products/{product_id}", json=fields)
    assert answered.status_code == 200, answered.text


def agree(client: TestClient, campaign: str, **fields: Any) -> Body:
    answered = client.put(f"/v1/campaigns/{campaign}", json=fields)
    assert answered.status_code == 200, answered.text
    body: Body = answered.json()
    return body


def changed(before: Body, after: Body) -> list[int]:
    """The positions that hold another product, where there are as many of them."""
    assert len(shown(before)) == len(shown(after))
    return [
        place
        for place, (old, new) in enumerate(zip(shown(before), shown(after), strict=True))
        if old != new
    ]


def let_pass(client: TestClient, campaign: str, hours: int) -> None:
    """So many hours have passed since the campaign was opened and its mails were rendered."""

    def work(change: Change) -> None:
        found = campaigns.find(change.connection, campaign)
        assert found is not None
        campaigns.put(change, replace(found, opened=found.opened - hours * HOUR))
        theirs = slates.c.campaign_id == campaign
        change.connection.execute(
            update(slates).where(theirs).values(time=slates.c.time - hours * HOUR)
        )

    store(client).write(work).result()


def publish_other_tastes(shop: Shop) -> str:
    """A version that learned from customers who buy nothing but toys, and is a minute newer."""
    toys = AISLES["toys"].split()
    days = range(0, DAYS, 12)
    lines = [
        Line(name, toys[(number + day) % 5], day + 0.5)
        for number, name in enumerate(CUSTOMERS)
        for day in days
    ]
    other = trained(small_purchases(lines))
    manifest = replace(other.manifest, created=moment(DAYS) + 60)
    return Registry(shop.root).publish(other.model, manifest).version


def wait_for_model(client: TestClient, version: str) -> None:
    wait_until(lambda: client.get("/readyz").json()["model_version"] == version)
