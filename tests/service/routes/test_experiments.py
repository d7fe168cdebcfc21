"""An experiment holds in the very next answer, and nobody is in two at one placement."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from models.artifact.registry import Registry
from models.experiments.assignment import bucket_of
from models.rules.shop_rules import format_moment
from service.answering.query import QueryKind, RecommendationQuery
from tests.support.keyed_service import open_keyed_service
from tests.support.service_shop import Browse, Shop, open_shop
from tests.support.slates import refused

pytestmark = pytest.mark.slow

ENDS = "2999-01-01T00:00:00+00:00"
HALF: list[dict[str, Any]] = [{"name": "as now", "share": 0.5}, {"name": "b", "share": 0.5}]
CUSTOMERS = [f"c{number:02}" for number in range(24)]  # half of them strangers


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    return browse(own_shop.root)


def experiment(**changes: Any) -> dict[str, Any]:
    """All are in the second variant, which has the changes."""
    variants = [{"name": "as now", "share": 0}, {"name": "b", "share": 1, **changes}]
    return {"ends": ENDS, "variants": variants}


def put(client: TestClient, name: str = "x", **body: Any) -> Any:
    return client.put(f"/v1/experiments/{name}", json={"ends": ENDS, "variants": HALF, **body})


def answer(client: TestClient, customer: str = "c00", **options: Any) -> dict[str, Any]:
    """Asked twice, so that the next one would come from the cache."""
    path = f"/v1/customers/{customer}/recommendations"
    first, second = (client.get(path, params=options) for _ in range(2))
    assert first.status_code == 200
    assert first.content == second.content
    answered: dict[str, Any] = first.json()
    return answered


def ids(answered: dict[str, Any]) -> list[str]:
    return [product["id"] for product in answered["recommendations"]]


def test_half_of_the_customers_are_in_each_variant_as_a_client_finds_too(
    client: TestClient,
) -> None:
    assert answer(client)["experiment"] is None
    created = put(client, placements=["home"]).json()
    assert created["state"] == "running"
    key = bytes.fromhex(created["assignment"]["variants_key"])
    found = set()
    for customer in CUSTOMERS:
        answered = answer(client, customer, placement="home")
        expected = "as now" if bucket_of(key, customer) < 5_000 else "b"
        assert (answered["experiment"], answered["variant"]) == ("x", expected)
        found.add(answered["variant"])
        assert answer(client, customer, placement="basket")["experiment"] is None
    assert found == {"as now", "b"}
    assert client.get("/v1/experiments/x").json() == created
    listed = {"experiments": [created["experiment"]], "next": None}
    assert client.get("/v1/experiments").json() == listed


def test_equal_slates_of_two_variants_have_different_recommendation_ids(client: TestClient) -> None:
    before = answer(client, "c01", placement="home")["recommendation_id"]
    client.put("/v1/experiments/x", json=experiment())
    assert answer(client, "c01", placement="home")["recommendation_id"] != before


def test_a_variant_decides_about_products_bought_before(client: TestClient) -> None:
    bought = {product["id"] for product in answer(client, n=40)["recommendations"]
              if product["source"] == "own_purchases"}  # fmt: skip
    assert bought
    client.put("/v1/experiments/x", json=experiment(repeat="exclude"))
    assert bought.isdisjoint(ids(answer(client, n=40, repeat="include")))


def test_a_variant_has_rules_of_its_own_and_lacks_others(client: TestClient) -> None:
    rule = {"kind": "exclude", "which": {"category": "bakery"}}
    assert "bread" in ids(answer(client, n=40, repeat="include"))
    client.put("/v1/experiments/x", json=experiment(rules=[rule]))
    assert "bread" not in ids(answer(client, n=40, repeat="include"))
    client.post("/v1/experiments/x/stop")
    client.put("/v1/rules/no-bakery", json=rule)
    assert "bread" not in ids(answer(client, n=40, repeat="include"))
    made = client.put("/v1/experiments/y", json=experiment(without_rules=["no-bakery"]))
    assert made.status_code == 200, made.text
    assert "bread" in ids(answer(client, n=40, repeat="include"))


def test_a_placement_can_be_switched_off(client: TestClient) -> None:
    body = experiment(shown=False) | {"placements": ["home"]}
    client.put("/v1/experiments/x", json=body)
    off = answer(client, placement="home")
    assert (off["count"], off["fallback_reason"], off["variant"]) == (0, "switched_off", "b")
    assert off["strategy"] == "not_personalized"
    assert answer(client, placement="basket")["count"] > 0


def test_a_variant_is_answered_by_another_model(browse: Browse, own_shop: Shop) -> None:
    registry = Registry(own_shop.root)
    active = registry.active()
    other = open_shop(registry).model.recommender
    later = replace(other.manifest, created=other.manifest.created + 60)
    registry.publish(other.model, later)
    newest = registry.active()
    assert newest != active
    client = browse(own_shop.root)
    assert answer(client)["model_version"] == newest
    client.put(
        "/v1/experiments/x", json=experiment(model_version=active) | {"placements": ["home"]}
    )
    assert answer(client, placement="home")["model_version"] == active
    assert answer(client)["model_version"] == newest
    home = {"kind": "customer", "placement": "home"}
    page = {"customer_id": "c00", "parts": [home, {"kind": "popular"}]}
    parts = client.post("/v1/pages", json=page).json()["parts"]
    assert [part["answer"]["model_version"] for part in parts] == [active, newest]
    unknown = client.put("/v1/experiments/y", json=experiment(model_version="20200101T000000Z-x"))
    assert refused(unknown) == ["variants[1].model_version"]


def test_what_another_model_answers_is_in_no_variant(browse: Browse, own_shop: Shop) -> None:
    registry = Registry(own_shop.root)
    other = open_shop(registry).model.recommender
    version = registry.active()
    registry.publish(
        other.model, replace(other.manifest, created=other.manifest.created + 60), activate=False
    )
    (unserved,) = set(registry.names()) - {version}
    client = browse(own_shop.root)
    made = client.put("/v1/experiments/x", json=experiment(model_version=unserved))
    assert made.status_code == 200, made.text
    mail = {"placement": "email", "campaign": "spring"}
    assert answer(client)["variant"] == answer(client, **mail)["variant"] == "b"
    popular = {"deadline_ms": 1}
    late = client.get("/v1/customers/c03/recommendations", params=popular).json()
    assert (late["fallback_reason"], late["variant"]) == ("deadline", None)
    responder = client.app.state.responder  # type: ignore[attr-defined]
    query = RecommendationQuery(QueryKind.CUSTOMER, "en", customer_id="c00")
    computed = responder.computer.compute_without_store(responder.model(), query)
    away = orjson.loads(computed.answer.body_for("c00"))
    assert (away["fallback_reason"], away["variant"]) == ("store_unavailable", None)
    assert away["model_version"] == version


def test_a_late_mail_is_in_no_variant(browse: Browse, own_shop: Shop) -> None:
    client = browse(own_shop.root)
    client.put("/v1/experiments/x", json=experiment(repeat="exclude"))
    late = {"placement": "email", "campaign": "spring", "deadline_ms": 1}
    answered = client.get("/v1/customers/c00/recommendations", params=late).json()
    assert (answered["fallback_reason"], answered["variant"]) == ("deadline", None)
    assert answer(client, placement="email", campaign="spring")["variant"] == "b"


def test_a_session_stays_in_its_variant_when_its_customer_is_known(client: TestClient) -> None:
    put(client, by="session")
    found = set()
    for number in range(24):
        visit = {"session_id": f"s{number}", "recent": ["bread"]}
        stranger = client.post("/v1/recommendations", json=visit).json()
        known = client.post("/v1/recommendations", json=visit | {"customer_id": "c00"}).json()
        assert stranger["variant"] == known["variant"]
        found.add(stranger["variant"])
    assert found == {"as now", "b"}
    assert answer(client)["variant"] is None


def test_an_experiment_by_customer_takes_no_visit_of_nobody(client: TestClient) -> None:
    put(client)
    visit = {"session_id": "s1", "recent": ["bread"]}
    assert client.post("/v1/recommendations", json=visit).json()["experiment"] is None


def test_a_stopped_experiment_holds_no_longer_and_can_be_deleted(client: TestClient) -> None:
    put(client)
    assert client.delete("/v1/experiments/x").status_code == 409
    assert answer(client)["experiment"] == "x"
    stopped = client.post("/v1/experiments/x/stop").json()
    assert stopped["state"] == "stopped"
    assert answer(client)["experiment"] is None
    assert client.post("/v1/experiments/x/stop").status_code == 409
    assert put(client).status_code == 409
    assert client.delete("/v1/experiments/x").json() == {"experiment": stopped["experiment"]}
    assert client.get("/v1/experiments/x").status_code == 404
    assert client.post("/v1/experiments/x/stop").status_code == 404


def test_an_experiment_begins_and_ends_by_the_clock_or_the_moment_asked_for(
    client: TestClient,
) -> None:
    now = int(time.time()) + 1  # on a busy machine a second passes before the experiment is made
    starts, ends = format_moment(now + 1), format_moment(now + 2)
    assert put(client, starts=starts, ends=ends).json()["state"] == "planned"
    seen = []
    while (clock := time.time()) < now + 3.2:
        seen.append((clock, client.get("/v1/customers/c00/recommendations").json()["experiment"]))
        time.sleep(0.05)
    assert {found for clock, found in seen if clock < now + 0.9} == {None}
    assert {found for clock, found in seen if now + 1.1 < clock < now + 1.9} == {"x"}
    assert {found for clock, found in seen if clock > now + 2.1} == {None}


def test_of_an_experiment_that_has_begun_only_the_end_changes(client: TestClient) -> None:
    begun = put(client).json()["experiment"]
    assert put(client).json()["experiment"] == begun
    longer = put(client, ends="2999-06-01T00:00:00+00:00")
    assert longer.json()["experiment"]["starts"] == begun["starts"]
    others = [{"name": "as now", "share": 0.4}, {"name": "b", "share": 0.6}]
    changed = put(client, variants=others)
    assert changed.status_code == 409
    assert "`variants`" in changed.json()["detail"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"variants": [{"name": "a", "share": 0.5}, {"name": "b", "share": 0.4}]}, "sum to 0.9"),
        ({"variants": [{"name": "a", "share": 0.5}, {"name": "a", "share": 0.5}]}, "name of their"),
        ({"variants": [{"name": "a", "share": 1}]}, "variants"),
        ({"variants": [{"name": "a", "share": 0.33333}, HALF[1]]}, "multiple of 0.0001"),
        ({"variants": [{**HALF[0], "colour": "red"}, HALF[1]]}, "colour"),
        ({"variants": [{**HALF[0], "repeat": "twice"}, HALF[1]]}, "repeat"),
        ({"variants": [{**HALF[0], "without_rules": ["none"]}, HALF[1]]}, "no such rule"),
        ({"variants": [{**HALF[0], "rules": [{"kind": "hide"}]}, HALF[1]]}, "rules[0].kind"),
        ({"starts": "2020-01-01T00:00:00Z"}, "nobody was assigned"),
        ({"ends": "2020-01-01T00:00:00Z"}, "ends"),
        ({"layer_from": 0.5, "layer_to": 0.5}, "layer_to"),
        ({"placements": ["Home page"]}, "placements"),
    ],
)
def test_a_bad_experiment_is_refused_with_what_is_wrong(
    client: TestClient, body: dict[str, Any], said: str
) -> None:
    answered = put(client, **body)
    assert answered.status_code == 422, answered.text
    assert said in orjson.dumps(answered.json()).decode()
    assert client.get("/v1/experiments").json()["experiments"] == []


def test_experiments_that_would_share_customers_or_placements_collide(client: TestClient) -> None:
    assert put(client, "a", layer_to=0.5, placements=["home"]).status_code == 200
    same = put(client, "b", layer_from=0.4, placements=["basket"])
    assert same.status_code == 409
    assert "'a'" in same.json()["detail"]
    assert "0 to 0.5 of the layer 'main'" in same.json()["detail"]
    other = put(client, "b", layer="other", placements=["home", "email"])
    assert "placements home" in other.json()["detail"]
    assert put(client, "b", layer_from=0.5, placements=["home"]).status_code == 200
    assert put(client, "c", layer="other", placements=["email"]).status_code == 200
    assert "by customer" in put(client, "d", by="session").json()["detail"]
    parts = {answer(client, customer, placement="home")["experiment"] for customer in CUSTOMERS}
    assert parts == {"a", "b"}
    assert refused(put(client, "holdout")) == ["id"]


def test_a_mailing_stays_in_the_variant_that_its_first_mail_was_in(client: TestClient) -> None:
    client.put("/v1/experiments/x", json=experiment(repeat="exclude"))
    options = {"placement": "email", "campaign": "spring"}
    first = answer(client, **options)
    assert first["variant"] == "b"
    client.post("/v1/experiments/x/stop")
    assert answer(client, **options)["recommendation_id"] == first["recommendation_id"]
    assert answer(client, n=3, **options)["variant"] == "b"
    assert answer(client, campaign="summer", placement="email")["variant"] is None
    client.delete("/v1/experiments/x")
    assert answer(client, **options)["variant"] == "b"


@pytest.fixture
def restarted(own_shop: Shop, tmp_path: Any) -> Iterator[Any]:
    def restart(**settings: Any) -> Any:
        return open_keyed_service(own_shop, tmp_path, **settings)

    yield restart
    shutil.rmtree(tmp_path / "run", ignore_errors=True)


def test_assignments_outlive_the_signing_key(restarted: Any) -> None:
    keys = []
    for signing_key in ("one", "another"):
        with restarted(signing_key=signing_key) as service:
            admin = {"Authorization": f"Bearer {service.credentials['admin']}"}
            body = {"ends": ENDS, "variants": HALF}
            put_again = service.client.put("/v1/experiments/x", json=body, headers=admin)
            keys.append(put_again.json()["assignment"])
            read = {"Authorization": f"Bearer {service.credentials['read']}"}
            assert service.client.get("/v1/experiments/x", headers=read).status_code == 403
    assert keys[0] == keys[1]
