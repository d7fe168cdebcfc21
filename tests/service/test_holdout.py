"""Customers in the holdout are never personalised, wherever one asks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from models.experiments.assignment import bucket_of
from models.rules.shop_rules import format_moment
from tests.support.service_shop import Browse, Shop
from training.cli.commands import main as train

pytestmark = pytest.mark.slow

CUSTOMERS = [f"c{number:02}" for number in range(12)]
HALF = {"share": 0.5}


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    return browse(own_shop.root)


def slate(client: TestClient, customer: str, **options: Any) -> dict[str, Any]:
    answered = client.get(f"/v1/customers/{customer}/recommendations", params=options)
    found: dict[str, Any] = answered.json()
    return found


def split(client: TestClient) -> tuple[str, str]:
    """Half of the customers are in the holdout: return one of them, and one of the others."""
    key = bytes.fromhex(client.get("/v1/holdout").json()["key"])
    by_bucket = sorted(CUSTOMERS[:8], key=lambda customer: bucket_of(key, customer))
    share = min((bucket_of(key, by_bucket[3]) + 1) / 10_000, 0.9)
    client.put("/v1/holdout", json={"share": share}).raise_for_status()
    return by_bucket[0], by_bucket[-1]


def is_held_out(answered: dict[str, Any]) -> bool:
    facts = (answered["strategy"], answered["fallback"], answered["fallback_reason"])
    return facts == ("not_personalized", True, "holdout")


def test_nobody_is_held_out_before_the_shop_says_so(client: TestClient) -> None:
    nothing = client.get("/v1/holdout").json()["holdout"]
    assert nothing == {"share": 0.0, "since": None}
    assert not any(is_held_out(slate(client, customer)) for customer in CUSTOMERS)


def test_a_held_out_customer_gets_what_is_popular_wherever_one_asks(client: TestClient) -> None:
    assert not is_held_out(slate(client, CUSTOMERS[0]))
    held, other = split(client)
    assert not is_held_out(slate(client, other))
    assert is_held_out(slate(client, held))
    sources = {product["source"] for product in slate(client, held)["recommendations"]}
    assert sources <= {"popular", "fill"}
    visit = {"customer_id": held, "session_id": "s1", "recent": ["bread"]}
    assert is_held_out(client.post("/v1/recommendations", json=visit).json())
    batch = {"recipients": [{"customer_id": held}, {"customer_id": other}]}
    answers = client.post("/v1/recommendations/batch", json=batch).json()["answers"]
    assert list(map(is_held_out, answers)) == [True, False]
    page = {"customer_id": held, "parts": [{"kind": "customer"}]}
    assert is_held_out(client.post("/v1/pages", json=page).json()["parts"][0]["answer"])
    given = {"customer_id": held, "product_ids": ["bread", "milk"]}
    assert is_held_out(client.post("/v1/rankings", json=given).json())
    viewed = client.get(f"/v1/customers/{held}/recently-viewed").json()
    assert is_held_out(viewed)
    due = client.get(f"/v1/customers/{held}/replenishment", params={"ahead_days": 300}).json()
    assert due["recommendations"] == []


def test_a_mail_to_a_held_out_customer_is_about_nothing(client: TestClient) -> None:
    held, _ = split(client)
    for campaign in ("newsletter", "replenishment", "basket"):
        answered = slate(client, held, campaign=campaign)
        assert is_held_out(answered)
        assert answered["occasion"] is None


def test_a_session_of_a_held_out_customer_is_theirs_without_their_name_too(
    client: TestClient,
) -> None:
    held, _ = split(client)
    visit = {"session_id": "s1", "recent": ["bread"]}
    assert not is_held_out(client.post("/v1/recommendations", json=visit).json())
    view = {"kind": "view", "product_id": "bread", "session_id": "s1", "customer_id": held}
    event = {"event_id": "e1", "time": format_moment(int(time.time())), **view}
    assert client.post("/v1/events", json={"events": [event]}).status_code == 202
    assert is_held_out(client.post("/v1/recommendations", json=visit).json())


def test_nobody_in_the_holdout_is_in_an_experiment(client: TestClient) -> None:
    held, other = split(client)
    halves = [{"name": "a", "share": 0.5}, {"name": "b", "share": 0.5}]
    client.put(
        "/v1/experiments/x", json={"ends": "2999-01-01T00:00:00Z", "variants": halves}
    ).raise_for_status()
    assert slate(client, held)["experiment"] is None
    assert slate(client, other)["experiment"] == "x"


def test_it_ends_for_who_asks_to_be_personalised(client: TestClient) -> None:
    held, _ = split(client)
    early = {"personalize_web": True, "time": "2026-01-01T00:00:00Z"}
    client.put(f"/v1/customers/{held}/consent", json=early).raise_for_status()
    assert is_held_out(slate(client, held))
    client.put(f"/v1/customers/{held}/consent", json={"personalize_web": True}).raise_for_status()
    assert not is_held_out(slate(client, held))
    assert is_held_out(slate(client, held, placement="email"))


def test_it_ends_for_who_says_what_they_like(client: TestClient) -> None:
    held, _ = split(client)
    said = {"likes": [{"attribute": "category", "values": ["bakery"]}]}
    client.put(f"/v1/customers/{held}/preferences", json=said).raise_for_status()
    assert not is_held_out(slate(client, held))
    client.delete(f"/v1/customers/{held}/preferences")
    assert is_held_out(slate(client, held))


def test_where_everybody_is_asked_first_a_yes_is_no_wish(browse: Browse, own_shop: Shop) -> None:
    client = browse(own_shop.root, unasked="refuse")
    held, _ = split(client)
    assert slate(client, held)["fallback_reason"] == "no_consent"
    client.put(f"/v1/customers/{held}/consent", json={"personalize_web": True})
    assert is_held_out(slate(client, held))


def test_a_file_holds_out_the_same_customers(
    client: TestClient, own_shop: Shop, tmp_path: Path
) -> None:
    split(client)
    served = {
        customer: is_held_out(slate(client, customer, placement="email")) for customer in CUSTOMERS
    }
    (tmp_path / "who.csv").write_text("\n".join(["customer_id", *CUSTOMERS]))
    output = tmp_path / "out.ndjson"
    command = ["export", "--registry", own_shop.root, "--recipients", tmp_path / "who.csv"]
    assert (
        train(
            [*map(str, command), "--output", str(output), "--layout", "long"], now=int(time.time())
        )
        == 0
    )
    sources: dict[str, set[str]] = {}
    for line in output.read_bytes().splitlines():
        row = orjson.loads(line)
        sources.setdefault(row["customer_id"], set()).add(row["source"])
    filed = {customer: sources[customer] <= {"popular", "fill"} for customer in CUSTOMERS}
    assert filed == served


@pytest.mark.parametrize("layout", ["long", "wide"])
def test_a_file_names_the_experiment_and_the_variant_of_each_customer(
    client: TestClient, own_shop: Shop, tmp_path: Path, layout: str
) -> None:
    split(client)
    halves = [{"name": "as now", "share": 0.5}, {"name": "nothing twice", "share": 0.5}]
    halves[1]["repeat"] = "exclude"
    ends = format_moment(int(time.time()) + 100_000)
    body = {"placements": ["email"], "variants": halves, "ends": ends}
    client.put("/v1/experiments/mails", json=body).raise_for_status()
    told = {customer: slate(client, customer, placement="email") for customer in CUSTOMERS}
    served = {customer: (one["experiment"], one["variant"]) for customer, one in told.items()}
    assert len(set(served.values())) == 3  # held out, and two variants
    (tmp_path / "who.csv").write_text("\n".join(["customer_id", *CUSTOMERS]))
    command = ["export", "--registry", own_shop.root, "--recipients", tmp_path / "who.csv"]
    command += ["--output", tmp_path / "out.ndjson", "--layout", layout]
    assert train([str(word) for word in command], now=int(time.time()) + 1) == 0
    rows = [orjson.loads(line) for line in (tmp_path / "out.ndjson").read_bytes().splitlines()]
    assert {row["customer_id"]: (row["experiment"], row["variant"]) for row in rows} == served
    assert all(list(row)[-2:] == ["experiment", "variant"] for row in rows)


def test_the_holdout_is_audited_and_grows_around_who_is_in_it(client: TestClient) -> None:
    first = client.put("/v1/holdout", json={"share": 0.3}).json()["holdout"]
    before = {customer for customer in CUSTOMERS if is_held_out(slate(client, customer))}
    second = client.put("/v1/holdout", json=HALF).json()["holdout"]
    assert second["since"] == first["since"]
    after = {customer for customer in CUSTOMERS if is_held_out(slate(client, customer))}
    assert before <= after
    actions = [change["action"] for change in client.get("/v1/audit").json()["changes"]]
    assert actions == ["holdout changed", "holdout made"]
    client.put("/v1/holdout", json={"share": 0})
    assert not any(is_held_out(slate(client, customer)) for customer in CUSTOMERS)
    for share in (0.95, -1, 0.00001):
        assert client.put("/v1/holdout", json={"share": share}).status_code == 422
