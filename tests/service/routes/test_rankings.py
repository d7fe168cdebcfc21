"""Given products come back in the order that is best for who looks at them, and none is lost."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from service.schemas.rankings import RankingAnswer
from tests.support.service_shop import Browse, Shop
from tests.support.shop import AISLES, NEVER_SOLD, NO_WEB, SOLD_OUT, SOUTHERN
from tests.support.slates import refused, slate

pytestmark = pytest.mark.slow
EVERYTHING = " ".join(AISLES.values()).split()


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    return browse(own_shop.root)


def ranking(client: TestClient, *products: str, **options: Any) -> dict[str, Any]:
    answer = client.post("/v1/rankings", json={"product_ids": products, **options})
    assert answer.status_code == 200, answer.text
    RankingAnswer.model_validate_json(answer.content)
    body: dict[str, Any] = answer.json()
    return body


def ids(body: dict[str, Any]) -> list[str]:
    return [product["id"] for product in body["recommendations"]]


def test_all_products_come_back_the_likeliest_first(client: TestClient) -> None:
    body = ranking(client, *EVERYTHING, customer_id="c00", market="south", out_of_stock="keep")
    assert sorted(ids(body)) == sorted(EVERYTHING)
    assert (body["requested"], body["complete"], body["left_out"]) == (40, True, [])
    assert (body["strategy"], body["fallback"]) == ("personal", False)
    scores = [product["score"] for product in body["recommendations"]]
    assert scores == sorted(scores, reverse=True)
    bakery = {*AISLES["bakery"].split()}
    assert len(bakery & {*ids(body)[:6]}) >= 3  # what c00 loves, of five aisles


def test_a_slate_and_a_ranking_agree_on_scores_and_reasons(client: TestClient) -> None:
    shown = slate(client, n=8, fields="ids", strict=True, repeat="include")
    body = ranking(client, *EVERYTHING, customer_id="c00", reasons=40)
    ranked = {product["id"]: product for product in body["recommendations"]}
    for product in shown:
        assert ranked[product["id"]]["score"] == pytest.approx(product["score"], abs=2e-6)
        assert ranked[product["id"]]["source"] == product["source"]


def test_the_order_in_which_products_are_given_changes_nothing(client: TestClient) -> None:
    one = client.post("/v1/rankings", json={"product_ids": EVERYTHING, "customer_id": "c01"})
    turned = [*reversed(EVERYTHING), "bread", ""]
    other = client.post("/v1/rankings", json={"product_ids": turned, "customer_id": "c01"})
    assert one.content == other.content
    assert one.headers["etag"] == other.headers["etag"]


def test_reasons_are_told_of_as_many_products_as_are_asked_for(client: TestClient) -> None:
    for count in (0, 3, 40):
        body = ranking(client, *EVERYTHING, customer_id="c00", reasons=count)
        told = [product["reason"] is not None for product in body["recommendations"]]
        assert told == [index < count for index in range(len(told))]
        assert [p["source"] is not None for p in body["recommendations"]] == told


def test_what_is_sold_out_stands_last_or_where_it_would_or_nowhere(client: TestClient) -> None:
    bakery = AISLES["bakery"].split()
    body = ranking(client, *bakery, customer_id="c00")
    assert ids(body)[-1] == SOLD_OUT
    kept = ranking(client, *bakery, customer_id="c00", out_of_stock="keep")
    assert ids(kept)[-1] != SOLD_OUT
    assert set(ids(kept)) == set(bakery)
    gone = ranking(client, *bakery, customer_id="c00", out_of_stock="remove")
    assert gone["left_out"] == [{"id": SOLD_OUT, "rule": "NOT_FOR_SALE"}]
    assert set(ids(gone)) == {*bakery} - {SOLD_OUT}


def test_what_is_not_known_or_not_sold_here_is_told(client: TestClient) -> None:
    body = ranking(client, "bread", "nonsense", SOUTHERN, "kite", market="north", exclude=["kite"])
    assert ids(body) == ["bread"]
    assert body["missing_ids"] == ["nonsense"]
    assert body["left_out"] == [
        {"id": SOUTHERN, "rule": "NOT_FOR_SALE"},
        {"id": "kite", "rule": "EXCLUDED"},
    ]
    cheap = ranking(client, "bagel", "train", filter="product.price < 5")
    assert cheap["left_out"] == [{"id": "train", "rule": "OTHER_ATTRIBUTES"}]


def test_rules_of_the_shop_hold_unless_they_are_ignored(client: TestClient) -> None:
    rules: dict[str, dict[str, Any]] = {
        "no-milk": {"kind": "exclude", "which": {"product_ids": ["milk"]}},
        "rake-first": {"kind": "pin", "which": {"product_ids": ["rake"]}, "position": 1},
        "kites": {"kind": "boost", "which": {"product_ids": ["kite"]}, "strength": 1e6},
    }
    for name, rule in rules.items():
        client.put(f"/v1/rules/{name}", json=rule).raise_for_status()
    given = ["milk", "kite", "bread", "rake", "butter"]
    body = ranking(client, *given, customer_id="c00")
    assert ids(body)[:2] == ["rake", "kite"]
    assert body["recommendations"][0]["source"] == "pinned"
    assert body["left_out"] == [{"id": "milk", "rule": "SHOP_EXCLUDED"}]
    free = ranking(client, *given, customer_id="c00", rules="ignore")
    assert ids(free)[0] != "rake"
    assert free["left_out"] == []


def test_who_said_no_and_who_is_unknown_get_the_order_of_what_sells(client: TestClient) -> None:
    sells = [product["id"] for product in slate(client, "/v1/popular", n=100)]
    refused_them = ranking(client, *EVERYTHING, customer_id=NO_WEB)
    assert (refused_them["strategy"], refused_them["fallback_reason"]) == (
        "not_personalized",
        "no_consent",
    )
    stranger = ranking(client, *EVERYTHING, customer_id="stranger", reasons=100)
    assert (stranger["strategy"], stranger["fallback_reason"]) == ("popular", "unknown_customer")
    assert {product["source"] for product in stranger["recommendations"]} == {"popular"}
    nobody = ranking(client, *EVERYTHING)
    assert ids(nobody) == ids(stranger)
    assert nobody["score_kind"] == "sales"
    assert {*ids(nobody)} >= {*sells}
    assert ids(nobody)[-1] == SOLD_OUT
    assert NEVER_SOLD in ids(nobody)[-2:]


def test_what_was_bought_and_is_in_the_basket_stays(client: TestClient) -> None:
    body = ranking(client, "bread", "butter", "kite", customer_id="c00", basket=["bread"])
    assert sorted(ids(body)) == ["bread", "butter", "kite"]


def test_a_visit_is_ranked_by_what_it_looks_at(client: TestClient) -> None:
    toys = ranking(client, *EVERYTHING, recent=["kite", "puzzle"])
    assert toys["strategy"] == "session"
    assert set(ids(toys)[:4]) <= {*AISLES["toys"].split()}


def test_cards_are_shown_where_they_are_asked_for(client: TestClient) -> None:
    body = ranking(client, "bread", fields="card", locale="de_DE")
    assert body["recommendations"][0]["price_text"] == "3,29\xa0€"
    assert "title" not in ranking(client, "bread")["recommendations"][0]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({}, "product_ids"),
        ({"product_ids": []}, "product_ids"),
        ({"product_ids": [str(number) for number in range(1001)]}, "product_ids"),
        ({"product_ids": ["bread"], "rules": "some"}, "rules"),
        ({"product_ids": ["bread"], "out_of_stock": "first"}, "out_of_stock"),
        ({"product_ids": ["bread"], "reasons": 101}, "reasons"),
        ({"product_ids": ["bread"], "n": 10}, "n"),
    ],
)
def test_a_ranking_that_makes_no_sense_is_refused(
    client: TestClient, content: dict[str, Any], field: str
) -> None:
    assert refused(client.post("/v1/rankings", json=content)) == [field]


def test_ids_are_found_together_as_they_are_one_by_one(client: TestClient) -> None:
    many = [f"{name}{mark}" for name in EVERYTHING for mark in ("", "\u00e9", "x", " ")]
    body = ranking(client, *many, out_of_stock="keep", market="south")
    assert sorted(ids(body)) == sorted(EVERYTHING)
    assert len(body["missing_ids"]) == 3 * len(EVERYTHING)
