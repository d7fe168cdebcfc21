"""What customers say they like, avoid and need, in the very next answer to every question."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from tests.support.keyed_service import ANNA, BERT, KeyedService, open_keyed_service
from tests.support.service_shop import Browse, Shop, wait_until
from tests.support.shop import AISLES, NO_WEB
from tests.support.store_server import KINDS, new_store
from tests.support.ways_to_ask import ask_in_every_way, slate_of

pytestmark = pytest.mark.slow

AVOIDS: Final[dict[str, Any]] = {
    "avoids": [
        {"attribute": "brand", "values": ["hartley"]},
        {"attribute": "category", "values": ["Toys"]},
    ]
}
LIKES: Final[dict[str, Any]] = {"likes": [{"attribute": "category", "values": ["coffee"]}]}
NOTHING: Final[dict[str, Any]] = {"likes": [], "avoids": [], "needs": []}
NEW_TOY: Final = "rocket"
WHEN: Final = "2025-06-29T10:00:00Z"


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    return browse(own_shop.root)


@pytest.fixture
def avoided(shop: Shop) -> set[str]:
    catalogue = shop.model.recommender.catalogue
    hartley, toys = catalogue.brand_names.find("Hartley"), catalogue.category_names.find("toys")
    mask = (catalogue.brand == hartley) | (catalogue.category == toys)
    names = {name for name, is_avoided in zip(catalogue.ids, mask, strict=True) if is_avoided}
    return names | {NEW_TOY}


def say(client: TestClient, customer: str = "c00", **body: Any) -> dict[str, Any]:
    response = client.put(f"/v1/customers/{customer}/preferences", json=body)
    assert response.status_code == 200, response.text
    return dict(response.json())


def slate(client: TestClient, customer: str = "c00", **options: Any) -> dict[str, Any]:
    path = f"/v1/customers/{customer}/recommendations"
    first, second = (client.get(path, params={"n": 40, **options}) for _ in range(2))
    assert first.content == second.content
    return dict(first.json())


def report_something(client: TestClient, customer: str) -> None:
    """Report what every way to ask has something to show of."""
    product = {"product_id": NEW_TOY, "category": "toys", "available_from": "2025-06-20"}
    assert client.put("/v1/products", json={"products": [product]}).json()["written"] == 1
    bought = [{"product_id": "bread"}, {"product_id": "kite"}]
    events = [
        {"kind": "view", "product_id": name, "event_id": f"view {customer} {name}"}
        for name in ("kite", "puzzle", "milk", "kefir", "rake", "capsules")
    ]
    order = {"kind": "purchase", "event_id": f"order {customer}", "order_id": customer}
    for event in (*events, {**order, "lines": bought}):
        event |= {"customer_id": customer, "time": WHEN}
        response = client.post("/v1/events", json={"events": [event]})
        assert response.json()["accepted"] == 1, response.text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("customer", ["c04", "newcomer"])
def test_no_way_to_ask_shows_a_customer_what_they_avoid(
    browse: Browse, own_shop: Shop, avoided: set[str], kind: str, customer: str, tmp_path: Path
) -> None:
    client = browse(own_shop.root, database_url=new_store(kind, tmp_path))
    if customer == "c04":
        report_something(client, customer)
    before: dict[str, set[str]] = {}
    for way, shown in ask_in_every_way(client, customer):
        before.setdefault(way, set()).update(shown)
    assert say(client, customer, **AVOIDS)["warnings"] == []
    for way, shown in ask_in_every_way(client, customer):
        assert not avoided & shown, way
    if customer == "c04":  # each of them showed some of it, so the test can fail
        assert not [way for way, shown in before.items() if not avoided & shown]
    say(client, customer)
    again = dict(ask_in_every_way(client, customer))
    assert avoided & again["slate"]


def test_what_goes_out_when_an_answer_is_late_holds_nothing_that_is_avoided(
    client: TestClient, avoided: set[str]
) -> None:
    path = "/v1/customers/c00/recommendations"

    def late(n: int) -> set[str]:
        answer = client.get(path, params={"n": n, "deadline_ms": 1}).json()
        assert answer["fallback_reason"] == "deadline"
        return slate_of(answer)

    sizes = iter(range(30, 100))  # another question each time, which no cache answers
    assert avoided & late(next(sizes))
    say(client, **AVOIDS)
    # A busy machine may take longer to ask the store than such an answer can wait
    wait_until(lambda: not avoided & late(next(sizes)))
    parts = [{"kind": "customer"}, {"kind": "similar", "product_id": "bread"}]
    body = {"customer_id": "c00", "deadline_ms": 1, "parts": parts}

    def late_page(n: int) -> set[str]:
        page = client.post("/v1/pages", json=body | {"recent": [f"p{n}"]}).json()
        return set().union(*(slate_of(part["answer"]) for part in page["parts"]))

    wait_until(lambda: not avoided & late_page(next(sizes)))


def test_a_mail_that_was_made_says_no_more_what_was_taken_back(client: TestClient) -> None:
    say(client, "c03", **LIKES)
    options = {"campaign": "spring", "n": 10}
    told = slate(client, "c03", **options)
    liked = {one["id"] for one in told["recommendations"] if one["source"] == "liked"}
    assert liked
    client.delete("/v1/customers/c03/preferences")
    after = slate(client, "c03", **options)
    assert "liked" not in {one["source"] for one in after["recommendations"]}
    kept = [one["id"] for one in told["recommendations"] if one["id"] not in liked]
    assert [one["id"] for one in after["recommendations"] if one["id"] in kept] == kept
    say(client, "c03", **LIKES)
    assert slate(client, "c03", **options) == told


def test_nothing_that_is_avoided_follows_an_order_of_the_customer(
    client: TestClient, avoided: set[str]
) -> None:
    report_something(client, "c04")
    shown = slate_of(client.get("/v1/orders/c04/follow-up", params={"n": 40}).json())
    assert avoided & shown
    say(client, "c04", **AVOIDS)
    after = slate_of(client.get("/v1/orders/c04/follow-up", params={"n": 40}).json())
    assert after
    assert not avoided & after


def test_a_list_that_is_none_is_called_what_json_calls_it(client: TestClient) -> None:
    refused = client.put("/v1/customers/c00/preferences", json={"avoids": 5})
    assert refused.status_code == 422
    assert refused.json()["errors"] == [{"field": "avoids", "problem": "should be a JSON array"}]


def test_many_who_share_an_order_say_each_thing_once(client: TestClient, avoided: set[str]) -> None:
    """A till may give one number to everybody; most of them have said nothing."""
    events: list[dict[str, Any]] = []
    for number in range(40):
        event: dict[str, Any] = {
            "kind": "purchase",
            "event_id": f"till {number}",
            "order_id": "till",
        }
        lines = [{"product_id": "bread"}]
        event |= {"customer_id": f"guest{number}", "time": WHEN, "lines": lines}
        events.append(event)
    assert client.post("/v1/events", json={"events": events}).json()["accepted"] == 40
    say(client, "guest0", **AVOIDS)
    answer = client.get("/v1/orders/till/follow-up", params={"n": 40})
    assert answer.status_code == 200
    assert not avoided & slate_of(answer.json())


def test_what_is_liked_rises_in_the_very_next_answer_and_says_so_in_any_language(
    client: TestClient,
) -> None:
    assert not set(AISLES["coffee"].split()) & slate_of(slate(client, "c03", n=10))
    say(client, "c03", **LIKES)
    answer = slate(client, "c03", n=10, locale="de_DE")
    liked = [one for one in answer["recommendations"] if one["source"] == "liked"]
    assert {one["category"] for one in liked} == {"coffee"}
    assert {one["reason"]["kind"] for one in liked} == {"because_you_told_us"}
    sentence = "Weil Sie uns gesagt haben, dass Sie coffee mögen"
    assert {one["reason"]["text"] for one in liked} == {sentence}


def test_of_a_new_customer_a_questionnaire_is_enough(client: TestClient) -> None:
    assert slate(client, "newcomer")["fallback_reason"] == "unknown_customer"
    say(client, "newcomer", **LIKES)
    answer = slate(client, "newcomer", n=5)
    assert (answer["strategy"], answer["fallback"]) == ("personal", False)
    assert answer["recommendations"][0]["category"] == "coffee"


def test_all_that_was_said_before_is_replaced_and_can_be_taken_back(client: TestClient) -> None:
    path = "/v1/customers/c00/preferences"
    assert client.get(path).json() == {
        "customer_id": "c00",
        **NOTHING,
        "time": None,
        "warnings": [],
    }
    before = slate(client)
    said = say(client, **AVOIDS, needs=[{"attribute": "shelf", "values": [3, 4.5, True]}])
    assert said["needs"] == [{"attribute": "shelf", "values": ["3", "4.5", "true"]}]
    assert [warning["field"] for warning in said["warnings"]] == [
        "needs[0].values[1]",
        "needs[0].values[2]",
    ]
    assert client.get(path).json() == said
    assert say(client, **LIKES)["avoids"] == []
    taken_back = client.delete(path).json()
    assert taken_back | {"time": None} == {**NOTHING, "customer_id": "c00", "time": None} | {
        "warnings": []
    }
    assert slate(client) == before


@pytest.mark.parametrize(
    ("body", "field", "problem"),
    [
        (
            {"avoids": [{"attribute": "shelve", "values": ["1"]}]},
            "avoids[0].attribute",
            "no product has the attribute 'shelve'; did you mean 'shelf'?",
        ),
        (
            {"likes": [{"attribute": "brand", "values": ["Ashby", "Hartly"]}]},
            "likes[0].values[1]",
            "no product bears 'Hartly' as its 'brand'; did you mean 'Hartley'?",
        ),
    ],
)
def test_what_nothing_bears_is_kept_and_told(
    client: TestClient, body: dict[str, Any], field: str, problem: str
) -> None:
    assert say(client, **body)["warnings"] == [{"field": field, "problem": problem}]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"dislikes": []}, "dislikes"),
        ({"likes": {"attribute": "brand", "values": ["A"]}}, "likes"),
        ({"likes": [{"attribute": "brand"}]}, "likes[0].values"),
        ({"likes": [{"attribute": "brand", "value": "A"}]}, "likes[0].values"),
        ({"likes": [{"attribute": "", "values": ["A"]}]}, "likes[0].attribute"),
        ({"likes": [{"attribute": "brand", "values": []}]}, "likes[0].values"),
        ({"likes": [{"attribute": "brand", "values": [" "]}]}, "likes[0].values[0]"),
        ({"likes": [{"attribute": "brand", "values": [None]}]}, "likes[0].values[0]"),
        ({"likes": [{"attribute": "brand", "values": ["A" * 201]}]}, "likes[0].values[0]"),
        ({"likes": [{"attribute": "brand", "values": ["A\0"]}]}, "likes[0].values[0]"),
        ({"likes": [{"attribute": "brand", "values": ["A"] * 51}]}, "likes[0].values"),
        ({"likes": [{"attribute": "brand", "values": ["A"] * 26}] * 2}, "body"),
        ([], "body"),
    ],
)
def test_bad_preferences_are_refused_by_field_and_nothing_is_lost(
    client: TestClient, body: Any, field: str
) -> None:
    said = say(client, **AVOIDS)
    response = client.put("/v1/customers/c00/preferences", json=body)
    assert response.status_code == 422, response.text
    assert field in [error["field"] for error in response.json()["errors"]]
    assert client.get("/v1/customers/c00/preferences").json() == said


def test_without_consent_nothing_that_was_said_is_used(
    client: TestClient, avoided: set[str]
) -> None:
    say(client, NO_WEB, **AVOIDS, **LIKES)
    plain = client.get("/v1/popular", params={"n": 40, "market": "north"}).json()
    assert slate_of(slate(client, NO_WEB)) == slate_of(plain)
    assert avoided & slate_of(slate(client, NO_WEB))
    client.put(f"/v1/customers/{NO_WEB}/consent", json={"personalize_web": True})
    assert not avoided & slate_of(slate(client, NO_WEB))
    say(client, "c01", **AVOIDS)
    client.put("/v1/customers/c01/consent", json={"personalize_email": False})
    assert not avoided & slate_of(slate(client, "c01"))
    assert avoided & slate_of(slate(client, "c01", placement="email"))


def test_who_was_never_asked_is_not_served_by_what_they_said_where_the_shop_refuses_it(
    browse: Browse, own_shop: Shop, avoided: set[str]
) -> None:
    client = browse(own_shop.root, unasked="refuse")
    say(client, "c00", **AVOIDS)
    for way in ({}, {"deadline_ms": 1}):
        path = "/v1/customers/c00/recommendations"
        assert avoided & slate_of(client.get(path, params={"n": 40, **way}).json())


def test_a_ranking_that_leaves_the_rules_alone_ranks_what_is_avoided_too(
    client: TestClient, avoided: set[str]
) -> None:
    say(client, **AVOIDS)
    body = {"customer_id": "c00", "product_ids": sorted(avoided - {NEW_TOY}), "rules": "ignore"}
    assert slate_of(client.post("/v1/rankings", json=body).json()) == avoided - {NEW_TOY}
    told = client.post("/v1/rankings", json=body | {"rules": "apply"}).json()
    assert {one["rule"] for one in told["left_out"]} == {"AVOIDED"}


# Every worker, a restart, the store away


@pytest.mark.parametrize("kind", KINDS)
def test_another_worker_knows_at_once_and_another_host_within_a_moment(
    browse: Browse, own_shop: Shop, avoided: set[str], kind: str, tmp_path: Path
) -> None:
    url = new_store(kind, tmp_path)
    here, beside, there = (
        browse(own_shop.root, database_url=url, runtime_dir=tmp_path / host, follow_seconds=0.02)
        for host in ("here", "here", "there")
    )
    workers = (here, beside, there)
    for body, is_shown in ((AVOIDS, False), ({}, True), (AVOIDS, False)):
        say(here, **body)
        assert bool(avoided & slate_of(slate(beside))) is is_shown
        wait_until(lambda: bool(avoided & slate_of(_once(there))) is is_shown)  # noqa: B023
    for worker in workers:
        worker.__exit__(None, None, None)
    restarted = browse(own_shop.root, database_url=url, runtime_dir=tmp_path / "new host")
    assert not avoided & slate_of(slate(restarted))


def _once(client: TestClient) -> dict[str, Any]:
    path = "/v1/customers/c00/recommendations"
    return dict(client.get(path, params={"n": 40}).json())


# All that is known, and forget me


def test_profile_and_export_tell_what_was_said_and_an_erasure_leaves_nothing(
    client: TestClient,
) -> None:
    said = say(client, **AVOIDS, **LIKES)
    document = {kind: said[kind] for kind in NOTHING}
    profile = client.get("/v1/customers/c00/profile").json()
    assert profile["known"]["preferences"] == document
    export = client.get("/v1/customers/c00/export").json()
    assert export["preferences"] == {**document, "time": said["time"]}
    counted = {"likes": 1, "avoids": 2, "needs": 0}
    audited, _ = export["audited"]  # and that the profile was looked at
    assert (audited["action"], audited["before"]) == ("preferences changed", None)
    assert audited["after"] == counted
    receipt = client.delete("/v1/customers/c00").json()
    assert receipt["deleted"]["preferences"] == 1
    assert client.get("/v1/customers/c00/export").json()["preferences"] is None
    assert client.get("/v1/customers/c00/preferences").json()["avoids"] == []
    assert client.get("/v1/customers/c00/profile").json()["known"]["preferences"] == NOTHING
    refused = client.put("/v1/customers/c00/preferences", json=AVOIDS)
    assert (refused.status_code, refused.json()["type"]) == (410, "urn:regulars:problem:forgotten")


def test_what_a_new_customer_says_is_not_told_to_be_learned_from(client: TestClient) -> None:
    say(client, "newcomer", **LIKES)
    profile = client.get("/v1/customers/newcomer/profile").json()
    assert len(profile["used_for"]) == 2
    assert not any("learn" in purpose for purpose in profile["used_for"])
    assert profile["slate"]["recommendations"][0]["reason"]["kind"] == "because_you_told_us"


# Tokens


@pytest.fixture
def service(own_shop: Shop, tmp_path: Path) -> Iterator[KeyedService]:
    with open_keyed_service(own_shop, tmp_path / "keyed", customer_events_a_day=3) as opened:
        yield opened


PATH: Final = "/v1/customers/{customer_id}/preferences"


def test_a_customers_token_sets_reads_and_takes_back_their_own_and_nobody_elses(
    service: KeyedService,
) -> None:
    for method, body in (("PUT", AVOIDS), ("GET", None), ("DELETE", None)):
        more = {} if body is None else {"json": body}
        assert service.call(method, PATH, "token", ANNA, **more) == 200
        assert service.call(method, PATH, "token", BERT, **more) == 403
        assert service.call(method, PATH, "visit", ANNA, **more) == 403
        assert service.call(method, PATH, None, ANNA, **more) == 401
        assert service.call(method, PATH, "read", ANNA, **more) == 403
        assert service.call(method, PATH, "admin", BERT, **more) == 200
    assert service.call("PUT", PATH, "write", ANNA, json=LIKES) == 200
    assert service.call("GET", PATH, "write", ANNA) == 403


def test_a_token_says_so_much_in_a_day_and_can_always_take_it_back(service: KeyedService) -> None:
    for brand in ("Ashby", "Hartley", "Corner & Co"):
        body = {"likes": [{"attribute": "brand", "values": [brand]}]}
        assert service.call("PUT", PATH, "token", ANNA, json=body) == 200
        assert service.call("PUT", PATH, "token", ANNA, json=body) == 200  # the same again
    assert service.call("PUT", PATH, "token", ANNA, json=AVOIDS) == 429
    assert service.call("DELETE", PATH, "token", ANNA) == 200


def test_a_basket_with_a_customers_token_is_completed_with_nothing_they_avoid(
    service: KeyedService, avoided: set[str]
) -> None:
    headers = {"Authorization": f"Bearer {service.credentials['token']}"}

    def completing() -> set[str]:
        body = {"basket": ["bread"], "n": 20}
        response = service.client.post("/v1/baskets/bundles", json=body, headers=headers)
        return slate_of(response.json())

    assert avoided & completing()
    assert service.call("PUT", PATH, "token", ANNA, json=AVOIDS) == 200
    assert completing()
    assert not avoided & completing()


def test_a_caller_over_the_limit_gets_popular_products_without_what_is_avoided(
    own_shop: Shop, avoided: set[str], tmp_path: Path
) -> None:
    with open_keyed_service(own_shop, tmp_path / "limited", customer_calls_a_minute=2) as service:
        assert service.call("PUT", PATH, "admin", ANNA, json=AVOIDS) == 200
        headers = {"Authorization": f"Bearer {service.credentials['token']}"}
        path = f"/v1/customers/{ANNA}/recommendations"
        answers = [
            service.client.get(path, params={"n": 40}, headers=headers).json() for _ in range(4)
        ]
    assert answers[-1]["fallback_reason"] == "rate_limited"
    for answer in answers:
        assert answer["recommendations"]
        assert not avoided & slate_of(answer)
