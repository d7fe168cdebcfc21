"""Every address answers as it is documented, whatever ids are made of."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from starlette.routing import Match
from starlette.testclient import TestClient

from models.slate import SlateRequest
from service.errors import ProblemBody
from service.schemas.answers import BundleAnswer, Recommendation, SlateAnswer
from tests.support.service_shop import Shop
from tests.support.shop import NO_EMAIL, NO_WEB, REGULAR, SOLD_OUT, SOUTHERN

CUSTOMERS = "/v1/customers/{}/recommendations"
GETS: dict[str, type[BaseModel]] = {
    "/v1/customers/c00/recommendations": SlateAnswer,
    "/v1/customers/stranger/recommendations": SlateAnswer,
    "/v1/products/bread/similar": SlateAnswer,
    "/v1/products/nonsense/similar": SlateAnswer,
    "/v1/products/bread/bundles": BundleAnswer,
    "/v1/products/nonsense/bundles": BundleAnswer,
    "/v1/popular": SlateAnswer,
}
POSTS: dict[str, type[BaseModel]] = {
    "/v1/recommendations": SlateAnswer,
    "/v1/baskets/bundles": BundleAnswer,
}
OPTIONS: dict[str, Any] = {
    "n": 4,
    "placement": "home",
    "exclude": ["bread", "nonsense"],
    "min_price": 2,
    "max_price": 30,
    "market": "north",
    "locale": "de_DE",
    "strict": False,
    "campaign": "spring",
    "as_of": "2025-06-01T12:00:00Z",
    "deadline_ms": 5000,
    "fields": "card",
}


@pytest.mark.parametrize("address", GETS)
def test_an_answer_is_what_its_schema_says(client: TestClient, address: str) -> None:
    for options in (
        {},
        OPTIONS,
        {"fields": "ids", "n": 100},
        {"strict": True, "category": "no such aisle"},
    ):
        response = client.get(address, params=options)
        assert response.status_code == 200
        GETS[address].model_validate_json(response.content, strict=False)


@pytest.mark.parametrize("address", POSTS)
@pytest.mark.parametrize(
    "body", [{"basket": ["bread", "nonsense"]}, {"basket": []}, {"basket": ["bread"], **OPTIONS}]
)
def test_a_posted_question_gets_what_its_schema_says(
    client: TestClient, address: str, body: dict[str, Any]
) -> None:
    response = client.post(address, json=body)
    assert response.status_code == 200
    POSTS[address].model_validate_json(response.content)


def test_the_fields_stand_in_the_documented_order(client: TestClient) -> None:
    body = client.get(CUSTOMERS.format("c00")).json()
    assert [*body] == [*SlateAnswer.model_fields]
    assert [*body["recommendations"][0]] == [*Recommendation.model_fields]


# "%2F" and "." are sent to a real server in test_workers.py: the client used here changes them.
IDS = [
    "a/b",
    "a b",
    "/",
    "//",
    "?",
    "#",
    "ü",
    "🍎",
    "a\nb",
    "\n",
    "x" * 500,
    "007",
    "a;b",
    "recommendations",
]


@pytest.mark.parametrize(
    "name", [*IDS, "a/recommendations", "/v1/customers/x/recommendations", "a/similar"]
)
def test_an_id_may_hold_any_character(client: TestClient, name: str) -> None:
    response = client.get(CUSTOMERS.format(quote(name, safe="")))
    assert response.status_code == 200
    assert response.json()["customer_id"] == name


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="%.\0"), min_size=1, max_size=30
    )
)
def test_whatever_the_id_the_answer_is_about_it(client: TestClient, name: str) -> None:
    response = client.get(CUSTOMERS.format(quote(name, safe="")))
    assert response.status_code == 200
    assert response.json()["customer_id"] == name


@pytest.mark.parametrize("name", ["", "x" * 501])
def test_an_id_has_between_1_and_500_characters(client: TestClient, name: str) -> None:
    assert client.get(CUSTOMERS.format(name)).status_code == 422
    assert client.get(f"/v1/products/{name}/similar").status_code == 422


def test_what_is_asked_of_a_product_is_told_by_the_end_of_the_address(client: TestClient) -> None:
    similar = client.get("/v1/products/a%2Fbundles/similar").json()
    bundles = client.get("/v1/products/a%2Fsimilar/bundles").json()
    assert (similar["missing_ids"], bundles["missing_ids"]) == (["a/bundles"], ["a/similar"])
    assert (similar["strategy"], bundles["strategy"]) == ("popular", "bundles")


WRONG = {
    "nn=3": ("nn", "is not known here; did you mean 'n'?"),
    "categry=x": ("categry", "is not known here; did you mean 'category'?"),
    "zzz=1": ("zzz", "is not known here"),
    "n=1000": ("n", "should be less than or equal to 100"),
    "n=ten": ("n", "should be a valid integer, unable to parse string as an integer"),
    "min_price=-1": ("min_price", "should be greater than or equal to 0"),
    "repeat=sometimes": ("repeat", "should be 'auto', 'include' or 'exclude'"),
    "as_of=yesterday": ("as_of", "should be an ISO 8601 date or time, like 2017-12-31T23:55:00Z"),
}


@pytest.mark.parametrize("query", WRONG)
def test_a_wrong_parameter_is_named_with_what_is_wrong(client: TestClient, query: str) -> None:
    response = client.get(f"{CUSTOMERS.format('c00')}?{query}")
    assert (response.status_code, response.headers["content-type"]) == (
        422,
        "application/problem+json",
    )
    problem = ProblemBody.model_validate_json(response.content)
    assert [(error.field, error.problem) for error in problem.errors] == [WRONG[query]]


def test_an_option_of_another_address_is_not_known(client: TestClient) -> None:
    assert client.get("/v1/popular?repeat=auto").status_code == 422
    assert client.get("/v1/products/bread/bundles?size=5").status_code == 422


BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"\xff",
    b"[" * 100_000,
    b'{"recent": "bread"}',
    b'{"recent": [1]}',
]
BODIES += [
    b'{"customer_id": "\\ud800"}',
    b'{"n": NaN}',
    b'{"customer_id": ""}x',
    b'{"basket": {}}',
    b'{"n": 1e999}',
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize("address", POSTS)
def test_a_wrong_body_is_refused_with_a_problem(
    client: TestClient, address: str, body: bytes
) -> None:
    response = client.post(address, content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.headers["content-type"]) == (
        422,
        "application/problem+json",
    )
    assert ProblemBody.model_validate_json(response.content).errors


def test_the_longest_wrong_name_is_not_repeated_in_full(client: TestClient) -> None:
    response = client.get(f"{CUSTOMERS.format('c00')}?{'x' * 5000}=1")
    assert len(response.content) < 1000


def test_a_visit_of_a_known_customer_is_answered_like_the_customer(client: TestClient) -> None:
    by_address = client.get(CUSTOMERS.format("c00") + "?n=5")
    assert (
        client.post("/v1/recommendations", json={"customer_id": "c00", "n": 5}).content
        == by_address.content
    )


def products_of(body: dict[str, Any]) -> Iterator[str]:
    for recommendation in body["recommendations"]:
        yield from (product["id"] for product in recommendation.get("products", [recommendation]))


@pytest.mark.parametrize("address", GETS)
def test_nobody_is_shown_what_is_sold_out_or_sold_elsewhere(
    client: TestClient, address: str
) -> None:
    body = client.get(f"{address}?n=100&market=north").json()
    assert not {SOLD_OUT, SOUTHERN} & {*products_of(body)}


@pytest.mark.parametrize(
    "address", ["/v1/customers/c00/recommendations", "/v1/popular", "/v1/products/bread/similar"]
)
def test_no_product_stands_in_a_slate_twice(client: TestClient, address: str) -> None:
    shown = list(products_of(client.get(f"{address}?n=100").json()))
    assert len(shown) == len(set(shown))


@pytest.mark.parametrize(
    ("customer", "placement", "strategy"),
    [
        (NO_WEB, "home", "not_personalized"),
        (NO_WEB, "email", "personal"),
        (NO_EMAIL, "home", "personal"),
        (NO_EMAIL, "email", "not_personalized"),
    ],
)
def test_a_no_is_heard_where_it_was_said(
    client: TestClient, customer: str, placement: str, strategy: str
) -> None:
    body = client.get(CUSTOMERS.format(customer), params={"placement": placement}).json()
    assert body["strategy"] == strategy
    assert (body["fallback_reason"] == "no_consent") == (strategy == "not_personalized")


def test_what_was_bought_before_comes_back_or_not_as_asked(client: TestClient) -> None:
    path = CUSTOMERS.format(REGULAR) + "?n=40&repeat="
    assert "decaf" in products_of(client.get(path + "include").json())
    assert "decaf" not in products_of(client.get(path + "exclude").json())


def test_bundles_are_units_of_at_most_the_size_asked_for(client: TestClient) -> None:
    for size in (2, 3, 4):
        units = client.get(f"/v1/products/bread/bundles?size={size}&n=3").json()["recommendations"]
        assert units
        assert all(
            1 <= len(unit["products"]) < size and unit["anchor_id"] == "bread" for unit in units
        )


def test_a_basket_is_completed_by_what_goes_with_it(client: TestClient) -> None:
    body = client.post("/v1/baskets/bundles", json={"basket": ["bread"], "n": 3}).json()
    assert body["recommendations"][0]["products"][0]["id"] == "butter"
    assert body["recommendations"][0]["products"][0]["source"] == "bought_together"


def test_a_market_that_nobody_knows_is_named_and_answered_like_all(client: TestClient) -> None:
    everywhere = client.get("/v1/popular").json()
    somewhere = client.get("/v1/popular?market=atlantis").json()
    assert everywhere["unknown_names"] == {}
    assert somewhere == {**everywhere, "unknown_names": {"market": "atlantis"}}
    feed = client.get("/v1/feeds/popular.json?market=atlantis&category=myths").json()
    assert feed["unknown_names"] == {"market": "atlantis", "category": "myths"}


def test_popular_counts_the_days_that_are_asked_for(client: TestClient, shop: Shop) -> None:
    ids = {}
    for days in (1, 28):
        slate = client.get(f"/v1/popular?n=40&fields=ids&window_days={days}").json()
        lines = shop.model.recommender.popular(SlateRequest(n=40), days).slots
        ids[days] = [product["id"] for product in slate["recommendations"]]
        assert ids[days] == [shop.model.recommender.catalogue.ids[slot.item] for slot in lines]
    assert ids[1] != ids[28]


def test_without_days_popular_is_what_a_stranger_is_shown(client: TestClient) -> None:
    popular = client.get("/v1/popular?n=40&fields=ids").json()
    stranger = client.get("/v1/customers/nobody/recommendations?n=40&fields=ids").json()
    feed = client.get("/v1/feeds/popular.json?n=40").json()
    ids = [product["id"] for product in popular["recommendations"]]
    assert ids == [product["id"] for product in stranger["recommendations"]]
    assert ids == [product["id"] for product in feed["recommendations"]]


def test_between_two_prices_the_wrong_way_round_there_is_nothing(client: TestClient) -> None:
    response = client.get("/v1/popular?min_price=9&max_price=1").json()
    assert (response["recommendations"], response["fallback_reason"]) == ([], "no_candidates")


def test_what_was_looked_at_in_another_order_is_the_same_visit(client: TestClient) -> None:
    first, second = (
        {"recent": list(names)} for names in (["bread", "butter"], ["butter", "bread"])
    )
    answers = [client.post("/v1/recommendations", json=body).content for body in (first, second)]
    assert answers[0] == answers[1]


def test_an_answer_tells_nobody_the_way_to_another_address(client: TestClient) -> None:
    for address in ("/v1/popular/", "/v1/", "//v1/popular"):
        response = client.get(address, follow_redirects=False)
        assert (response.status_code, response.headers["content-type"]) == (
            404,
            "application/problem+json",
        )


def test_who_opens_the_bare_address_is_shown_the_documentation(client: TestClient) -> None:
    response = client.get("/", follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (307, "docs")


def test_a_wrong_method_is_told_the_right_one(client: TestClient) -> None:
    response = client.post("/v1/popular")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")
    assert re.search(r"method", response.json()["title"])


def test_a_path_belongs_to_one_address_alone(client: TestClient) -> None:
    """Consent of "x" that is withdrawn does not erase a customer named "x/consent"."""
    routes = [route for route in client.app.routes if isinstance(route, APIRoute)]
    for route in routes:
        for name in ("x", "x/y", "consent", "bundles"):
            path = re.sub(r"{\w+}", name, route.path_format)
            at = {
                other.path_format
                for other in routes
                if other.matches({"type": "http", "method": "GET", "path": path})[0]
                is not Match.NONE
            }
            assert at == {route.path_format} or (
                not at
                and re.search(
                    "{version}|{vendor}|{key_id}|shops|blocks|trainings|assets", route.path_format
                )
            ), path


def test_an_unfinished_call_never_falls_on_a_whole_customer_or_product(client: TestClient) -> None:
    for method, address, allowed in [
        ("DELETE", "/v1/customers/x/consent", "PUT"),
        ("DELETE", "/v1/customers/a%2Fb/profile", "GET, HEAD"),
        ("PATCH", "/v1/products/x/ratings", "GET, HEAD"),
        ("DELETE", "/v1/rules/preview", "POST"),
        ("OPTIONS", "/v1/customers/x", "DELETE"),
        ("OPTIONS", "/v1/rules/x", "DELETE, GET, HEAD, PUT"),
        ("TRACE", "/healthz", "GET, HEAD"),
    ]:
        response = client.request(method, address)
        assert (response.status_code, response.headers["allow"]) == (405, allowed), address


def test_a_visit_is_answered_from_its_pages_its_events_and_without_its_order(
    client: TestClient,
) -> None:
    def visit(**body: Any) -> tuple[str, list[str]]:
        answer = client.post("/v1/recommendations", json={"n": 100, **body}).json()
        return answer["strategy"], [product["id"] for product in answer["recommendations"]]

    events = [
        {"event_id": "v1", "kind": "view", "product_id": "mug", "session_id": "a visit"},
        {
            "event_id": "v2",
            "kind": "purchase",
            "lines": [{"product_id": "butter"}],
            "order_id": "order of a visit",
            "session_id": "another visit",
        },
    ]
    timed = [{**event, "time": "2025-06-29T12:00:00Z"} for event in events]
    assert client.post("/v1/events", json={"events": timed}).json()["rejected"] == []
    strategy, shown = visit(recent=["bread"])
    assert (strategy, "bread" in shown, "butter" in shown) == ("session", False, True)
    assert visit(session_id="a visit")[0] == "session"
    assert "butter" not in visit(recent=["bread"], order_id="order of a visit")[1]
