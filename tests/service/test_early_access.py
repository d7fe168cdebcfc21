"""New products that some customers may see before everyone else does."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.data.segments import Segment
from models.data.timestamps import format_timestamp
from tests.support.corner_shop import run
from tests.support.keyed_service import SIGNING_KEY
from tests.support.segments import write_segments
from tests.support.service_shop import Browse, Shop
from tests.support.slates import refused

RULE = {"kind": "early_access", "which": {"product_ids": ["oats"]}, "segments": ["connected"]}
EVERYTHING = {"n": 100, "repeat": "include"}
WEEK = 7 * 86_400


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    """c00 is connected; c05 and c10 like bread as well. Something is new in the category of bread, in a week."""
    write_segments(own_shop.root, c00=Segment.CONNECTED, c10=Segment.LAPSED)
    opened = browse(own_shop.root, signing_key=SIGNING_KEY)
    manifest, catalogue = own_shop.model.recommender.manifest, own_shop.model.recommender.catalogue
    product = {
        "product_id": "oats",
        "title": "Oats",
        "category": catalogue.category_names[catalogue.category[catalogue.ids.find("bread")]],
        "price": 2,
        "in_stock": True,
        "available_from": format_timestamp(manifest.data_as_of + WEEK),
    }
    assert opened.put("/v1/products", json={"products": [product]}).json()["rejected"] == []
    return opened


def shown_to(client: TestClient, customer: str, **options: Any) -> list[str]:
    """Asked twice, so that the next one would come from the cache."""
    path = f"/v1/customers/{customer}/recommendations"
    first, second = (client.get(path, params=EVERYTHING | options) for _ in range(2))
    assert first.content == second.content
    return [product["id"] for product in first.json()["recommendations"]]


def shown_at(client: TestClient, path: str, **options: Any) -> list[str]:
    answered = client.get(path, params={"n": 100, **options})
    answered.raise_for_status()
    return [product["id"] for product in answered.json()["recommendations"]]


def test_those_whom_it_is_for_see_a_product_that_nobody_else_does(client: TestClient) -> None:
    assert "oats" not in shown_to(client, "c00")
    client.put("/v1/rules/early", json=RULE).raise_for_status()
    assert "oats" in shown_to(client, "c00")
    assert "oats" in shown_to(client, "c00", placement="email", campaign="weekly")
    for customer in ("c05", "c10", "stranger"):
        assert "oats" not in shown_to(client, customer)
        assert "oats" not in shown_to(client, customer, placement="email", campaign="weekly")
    for path in ("/v1/popular", "/v1/products/bread/similar"):
        assert "oats" not in shown_at(client, path)
    visit = client.post(
        "/v1/recommendations", json={"session_id": "s1", "n": 100, "recent": ["bread"]}
    )
    assert "oats" not in [product["id"] for product in visit.json()["recommendations"]]
    feed = client.get("/v1/feeds/popular.json", params={"n": 100})
    assert "oats" not in feed.text
    say = {"personalize_email": False}
    client.put("/v1/customers/c00/consent", json=say).raise_for_status()
    assert "oats" not in shown_to(client, "c00", placement="email", campaign="other")
    client.put("/v1/customers/c00/consent", json={"train": False}).raise_for_status()
    assert "oats" not in shown_to(client, "c00")


def test_the_list_of_what_is_new_has_it_for_those_whom_it_names(client: TestClient) -> None:
    path = "/v1/lists/new"
    assert "oats" not in shown_at(client, path, customer_id="c00")
    client.put("/v1/rules/early", json=RULE).raise_for_status()
    answered = client.get(path, params={"customer_id": "c00"}).json()
    assert answered["recommendations"][0]["id"] == "oats"
    assert answered["recommendations"][0]["score"] == 1
    for named in ({}, {"customer_id": "c05"}, {"customer_id": "c10"}, {"customer_id": "stranger"}):
        assert "oats" not in shown_at(client, path, **named)
    assert "oats" not in shown_at(client, "/v1/lists/best-rated", customer_id="c00")
    body = {"customer_id": "c00", "parts": [{"kind": "list", "list_name": "new", "n": 100}]}
    assert "oats" in client.post("/v1/pages", json=body).text
    client.put("/v1/customers/c00/consent", json={"train": False}).raise_for_status()
    assert "oats" not in shown_at(client, path, customer_id="c00")


def test_a_token_asks_for_its_own_customer_and_nobody_else(client: TestClient) -> None:
    made = client.post("/v1/keys", json={"name": "shop", "scopes": ["admin"]})
    key = made.json()["secret"]
    client.headers["X-API-Key"] = key
    tokens = {}
    for customer in ("c00", "c05"):
        made = client.post("/v1/tokens", json={"customer_id": customer})
        tokens[customer] = {"Authorization": f"Bearer {made.json()['token']}"}
    del client.headers["X-API-Key"]

    def sees(customer: str, **named: str) -> bool:
        answered = client.get("/v1/lists/new", headers=tokens[customer], params=named)
        answered.raise_for_status()
        return "oats" in answered.text

    assert not sees("c00")
    rule = client.put("/v1/rules/early", json=RULE, headers={"X-API-Key": key})
    rule.raise_for_status()
    assert [sees("c00"), sees("c05"), sees("c00", customer_id="c00")] == [True, False, True]
    foreign = client.get("/v1/lists/new", headers=tokens["c05"], params={"customer_id": "c00"})
    assert foreign.status_code == 403


def test_from_its_moment_on_everyone_sees_it(client: TestClient, own_shop: Shop) -> None:
    client.put("/v1/rules/early", json=RULE).raise_for_status()
    public = own_shop.model.recommender.manifest.data_as_of + WEEK
    for moment, seen in ((public - 1, False), (public, True)):
        as_of = format_timestamp(moment)
        assert ("oats" in shown_to(client, "c05", as_of=as_of)) is seen
        assert "oats" in shown_to(client, "c00", as_of=as_of)


def test_it_opens_nothing_that_is_sold_out_or_hidden(client: TestClient) -> None:
    client.put("/v1/rules/early", json=RULE).raise_for_status()
    for gone in ({"in_stock": False}, {"in_stock": True, "hidden": True}):
        client.patch("/v1/products/oats", json=gone).raise_for_status()
        assert "oats" not in shown_to(client, "c00")


def test_it_must_say_for_whom(client: TestClient) -> None:
    for nobody in ({}, {"segments": []}, {"customers": {}}):
        assert refused(client.put("/v1/rules/early", json={**RULE, "segments": None, **nobody}))


def test_a_file_shows_it_to_those_whom_it_is_for(
    client: TestClient, own_shop: Shop, tmp_path: Path
) -> None:
    client.put("/v1/rules/early", json=RULE).raise_for_status()
    output = tmp_path / "slates.csv"
    store = f"sqlite:///{own_shop.root}/store.db"
    export = ("export", "--registry", own_shop.root, "--store", store, "--output", output)
    assert run(*export, "-n", "100", "--repeat", "include") == 0
    with output.open(encoding="utf-8", newline="") as stream:
        seen = {row["customer_id"] for row in csv.DictReader(stream) if row["product_id"] == "oats"}
    assert seen == {"c00"}
