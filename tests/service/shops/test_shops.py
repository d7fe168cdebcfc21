"""Several shops in one deployment: each is answered alone, and sees nothing of another."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, make_url
from starlette.testclient import TestClient

from models.artifact.insights import EXPERIMENTS, write_insight
from service.model.guardrails import TOLD
from service.signing.customer_tokens import CustomerToken, sign
from tests.support.deployment import OTHERS, Deployment, open_deployment
from tests.support.keyed_service import FIRST_KEY
from tests.support.quick_service import create_quick
from tests.support.service_shop import Shop, wait_until
from tests.support.store_server import KINDS, new_store

pytestmark = pytest.mark.slow
SLATE = "/v1/customers/c00/recommendations"
# What changes or ends things for good is asked of both shops, and only its refusal is compared.
PUBLIC = ("/r/{token}",)


@pytest.fixture(scope="module", params=KINDS)
def deployment(
    request: pytest.FixtureRequest, shop: Shop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("deployment")
    url = new_store(request.param, folder)
    with open_deployment(shop, folder, url, public_url="https://mail.example") as opened:
        for name in OTHERS:
            wait_until(lambda name=name: opened.of(name, "GET", SLATE).status_code == 200)  # type: ignore[misc]
        yield opened


def buy(deployment: Deployment, shop: str, product: str, event_id: str) -> None:
    """Report a purchase of c00 to a shop."""
    event = {
        "event_id": event_id,
        "kind": "purchase",
        "customer_id": "c00",
        "order_id": event_id,
        "time": "2025-07-02T12:00:00Z",
        "lines": [{"product_id": product}],
    }
    answer = deployment.of(shop, "POST", "/v1/events", json={"events": [event]})
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1), answer.text


def token_of(deployment: Deployment, shop: str, *, named: bool = True) -> str:
    """Return a token of customer c00, as the server of a shop makes it."""
    claims = CustomerToken("c00", None, int(time.time()) + 600)
    secret = deployment.signing_keys[shop].encode()
    return sign(secret, claims, shop=shop if named else None)


def test_a_shop_is_named_by_its_key_its_token_or_its_address(deployment: Deployment) -> None:
    slate = deployment.of("acme", "GET", SLATE).json()
    assert slate["strategy"] == "personal"
    assert deployment.of("acme", "GET", f"/shops/acme{SLATE}").json() == slate
    assert deployment.call(token_of(deployment, "acme"), "GET", SLATE).json() == slate
    unnamed = token_of(deployment, "acme", named=False)
    assert deployment.call(unnamed, "GET", f"/shops/acme{SLATE}").json() == slate
    assert deployment.call(unnamed, "GET", SLATE).status_code == 401


def test_what_one_shop_is_told_shows_there_and_nowhere_else(deployment: Deployment) -> None:
    buy(deployment, "acme", "bread", "sold-at-acme")
    exports = {
        name: deployment.of(name, "GET", "/v1/customers/c00/export").text
        for name in deployment.keys
    }
    assert [name for name, text in exports.items() if "sold-at-acme" in text] == ["acme"]


def test_a_no_in_one_shop_is_none_in_another(deployment: Deployment) -> None:
    address, no = "/v1/customers/c01/consent", {"personalize_web": False}
    assert deployment.of("bolt", "PUT", address, json=no).status_code == 200
    slate = "/v1/customers/c01/recommendations"
    strategies = {
        name: deployment.of(name, "GET", slate).json()["strategy"] for name in deployment.keys
    }
    assert strategies == {"main": "personal", "acme": "personal", "bolt": "not_personalized"}


def test_no_look_of_one_shop_at_another_tells_it_from_one_that_is_not_there(
    deployment: Deployment,
) -> None:
    lookers = [*looking_keys(deployment), None, "regulars-nobody_0_1", "nonsense"]
    looks = 0
    for method, path in operations(deployment):
        address = re.sub(r"\{\w+\}", "c00", path)
        for key in lookers:
            there = deployment.call(key, method, f"/shops/bolt{address}", json={})
            nowhere = deployment.call(key, method, f"/shops/nobody{address}", json={})
            assert (there.status_code, there.content) == (nowhere.status_code, nowhere.content), (
                f"{method} {path}"
            )
            assert there.status_code in (401, 404)
            looks += 1
    assert looks > 400


def looking_keys(deployment: Deployment) -> list[str]:
    """Return keys and tokens of other shops than bolt, and one that says it is of bolt."""
    claims = CustomerToken("c00", None, int(time.time()) + 600)
    forged = sign(deployment.signing_keys["acme"].encode(), claims, shop="bolt")
    tokens = [token_of(deployment, "acme"), token_of(deployment, "main", named=False), forged]
    renamed = deployment.keys["acme"].replace("regulars-acme", "regulars-bolt")
    return [FIRST_KEY, deployment.keys["acme"], renamed, *tokens]


def operations(deployment: Deployment) -> list[tuple[str, str]]:
    paths = deployment.client.get("/openapi.json").json()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def test_a_key_of_one_shop_with_the_name_of_another_opens_nothing(deployment: Deployment) -> None:
    for key in looking_keys(deployment)[2:]:
        if "bolt" in key:
            assert deployment.call(key, "GET", SLATE).status_code == 401


def test_ids_of_one_shop_are_unknown_in_another(deployment: Deployment) -> None:
    rule = {"kind": "exclude", "which": {"category": "bakery"}, "placements": ["home"]}
    assert deployment.of("bolt", "PUT", "/v1/rules/own", json=rule).status_code == 200
    assert deployment.of("bolt", "PUT", "/v1/campaigns/spring", json={}).status_code == 200
    buy(deployment, "bolt", "bread", "sold-at-bolt")
    for address in ("/v1/rules/own", "/v1/campaigns/spring"):
        assert deployment.of("acme", "GET", address).status_code == 404
    exported = deployment.of("acme", "GET", "/v1/customers/c00/export").text
    assert "sold-at-bolt" not in exported
    orders = [
        deployment.of("acme", "GET", f"/v1/orders/{order}/follow-up").content
        for order in ("sold-at-bolt", "sold-nowhere")
    ]
    assert orders[0] == orders[1]


def test_a_variant_that_does_harm_in_one_shop_is_stopped_there_alone(
    deployment: Deployment,
) -> None:
    variants = [{"name": "as now", "share": 0.5}, {"name": "b", "share": 0.5}]
    body = {"variants": variants, "ends": "2999-01-01T00:00:00Z", "placements": ["nowhere"]}
    address = "/v1/experiments/x"
    for name in OTHERS:
        made = deployment.of(name, "PUT", address, json=body).json()["experiment"]
    stop = dict.fromkeys(TOLD, 0.1) | {"variant": "b", "metric": "orders"}
    facts = {"experiments": {"x": {"starts": made["starts"], "stops": [stop]}}}
    write_insight(deployment.registry / "shops" / OTHERS[-1], EXPERIMENTS, facts)

    def stopped(name: str) -> bool:
        found = deployment.of(name, "GET", address).json()["experiment"]
        return "stopped_variants" in found

    wait_until(lambda: stopped(OTHERS[-1]))
    assert not any(stopped(name) for name in OTHERS[:-1])


def test_only_who_may_make_shops_sees_them(deployment: Deployment) -> None:
    for name in OTHERS:
        assert deployment.of(name, "GET", "/v1/shops").status_code == 403
        assert deployment.of(name, "DELETE", "/v1/shops/bolt").status_code == 403
    listed = deployment.of("main", "GET", "/v1/shops").json()["shops"]
    assert [shop["name"] for shop in listed][:2] == ["acme", "bolt"]
    assert all(shop["model_version"] for shop in listed[:2])


def test_a_shop_says_for_itself_what_it_may(deployment: Deployment) -> None:
    assert deployment.make("acme", default_locale="de_DE").status_code == 200
    first = deployment.of("acme", "GET", SLATE).json()["recommendations"][0]
    here = deployment.of("main", "GET", SLATE).json()["recommendations"][0]
    assert first["reason"]["text"] != here["reason"]["text"]
    again = deployment.make("acme").json()
    assert again["key"] is None
    assert again["signing_key"] == deployment.signing_keys["acme"]
    for wrong in ({"api_key": "mine"}, {"deadline_ms": 0}, {"default_locale": "xx_YY"}):
        answer = deployment.make("acme", **wrong)
        assert answer.status_code == 422
        assert next(iter(wrong)) in answer.json()["detail"]
    assert deployment.make("main").status_code == 409
    assert deployment.make("Not a name").status_code == 422


def test_a_shop_that_was_ended_is_gone_and_another_of_its_name_begins_with_nothing(
    deployment: Deployment, shop: Shop
) -> None:
    key = deployment.make("cork").json()["key"]
    deployment.publish("cork", shop)
    wait_until(lambda: deployment.call(key, "GET", SLATE).status_code == 200)
    no = {"personalize_web": False}
    address = "/v1/customers/c02/consent"
    assert deployment.call(key, "PUT", address, json=no).status_code == 200
    receipt = deployment.of("main", "DELETE", "/v1/shops/cork").json()
    assert receipt["store"]["consents"] >= 1
    assert len(receipt["versions"]) == 1
    assert deployment.call(key, "GET", SLATE).status_code == 401
    assert not (deployment.registry / "shops" / "cork").exists()
    assert "shop_cork" not in schemas(deployment)
    assert deployment.of("main", "DELETE", "/v1/shops/cork").status_code == 404

    new_key = deployment.make("cork").json()["key"]
    deployment.publish("cork", shop)
    wait_until(lambda: deployment.call(new_key, "GET", SLATE).status_code == 200)
    assert deployment.call(key, "GET", SLATE).status_code == 401
    slate = deployment.call(new_key, "GET", "/v1/customers/c02/recommendations").json()
    assert slate["strategy"] == "personal"


def schemas(deployment: Deployment) -> list[str]:
    settings = deployment.client.app.state.responder.settings  # type: ignore[attr-defined]
    address = make_url(settings.store_url())
    if address.get_backend_name() == "sqlite":
        return []
    engine = create_engine(address.set(drivername="postgresql+psycopg"))
    try:
        return inspect(engine).get_schema_names()
    finally:
        engine.dispose()


def test_a_shop_has_a_console_of_its_own(shop: Shop, tmp_path: Path) -> None:
    url = new_store("sqlite", tmp_path)
    with open_deployment(shop, tmp_path, url, console=True) as opened:
        buy(opened, "acme", "bread", "seen-in-the-console")
        signing_in = "/shops/acme/console/sign-in"
        for key in (FIRST_KEY, opened.keys["bolt"]):
            refused = opened.client.post(signing_in, data={"key": key}, follow_redirects=False)
            assert refused.status_code == 401
        opened.client.post(signing_in, data={"key": opened.keys["acme"]})
        assert "seen-in-the-console" in opened.client.get("/shops/acme/console/events").text
        assert opened.client.get("/shops/acme/console/shops").status_code == 403
        opened.client.post("/console/sign-in", data={"key": FIRST_KEY})
        shops = opened.client.get("/console/shops").text
        assert all(f'href="../shops/{name}/console/overview"' in shops for name in OTHERS)
        opened.client.cookies.clear()
        assert "/sign-in" in str(opened.client.get("/console/events").url)


def test_more_shops_than_may_be_open_are_answered_one_after_another(
    shop: Shop, tmp_path: Path
) -> None:
    url = new_store("sqlite", tmp_path)
    with open_deployment(shop, tmp_path, url, open_shops=1) as opened:
        shops = opened.client.app.state.shops  # type: ignore[attr-defined]
        for name in OTHERS * 3:
            answer = opened.of(name, "GET", SLATE)
            assert (answer.status_code, answer.json()["strategy"]) == (200, "personal")
            assert shops.open_names == {name}


def test_what_a_shop_is_asked_again_is_ready_as_long_as_it_is_open_and_as_it_was(
    shop: Shop, tmp_path: Path
) -> None:
    url = new_store("sqlite", tmp_path)
    with open_deployment(shop, tmp_path, url, open_shops=1) as opened:
        quick: Any = opened.client.app
        ready = [*ask_twice(opened, "acme"), *ask_twice(opened, "bolt"), *ask_twice(opened, "acme")]
        assert ready == [False, True] * 3  # one that was let go begins anew
        german = {"default_locale": "de_DE"}
        assert opened.make("acme", **german).status_code == 200
        assert opened.of("acme", "GET", SLATE).json()["language"] == "de"
        assert ask_twice(opened, "acme")[1]

        # Another process ends it
        with TestClient(create_quick(quick.state.responder.settings)) as elsewhere:
            admin = {"Authorization": f"Bearer {FIRST_KEY}"}
            assert elsewhere.delete("/v1/shops/acme", headers=admin).status_code == 200
        assert opened.of("acme", "GET", SLATE).status_code == 401


def ask_twice(deployment: Deployment, shop: str) -> list[bool]:
    """Ask a shop for the same slate twice; return whether it was ready."""
    quick: Any = deployment.client.app
    ready = []
    for _ in range(2):
        before = quick.ready_answers
        assert deployment.of(shop, "GET", SLATE).status_code == 200
        ready.append(quick.ready_answers > before)
    return ready


def test_a_shop_whose_store_is_of_another_version_is_told_as_such_and_the_others_answer(
    shop: Shop, tmp_path: Path
) -> None:
    url = new_store("sqlite", tmp_path)
    with open_deployment(shop, tmp_path, url, open_shops=1) as opened:
        opened.of("bolt", "GET", SLATE)  # acme is let go
        store = opened.registry / "shops" / "acme" / "store.db"
        content = store.read_bytes()
        store.write_bytes(b"no database any more")
        assert opened.of("acme", "GET", "/v1/customers/c00/profile").status_code == 503
        assert opened.of("bolt", "GET", SLATE).status_code == 200
        store.write_bytes(content)
        wait_until(lambda: opened.of("acme", "GET", "/v1/customers/c00/profile").status_code == 200)
