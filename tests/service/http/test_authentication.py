"""Keys and tokens are sent in several ways; a browser may do little; frequent callers wait."""

import base64
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.slate import FallbackReason
from service.http.authorization import Scope
from tests.support.keyed_service import (
    ANNA,
    BERT,
    FIRST_KEY,
    SIGNING_KEY,
    KeyedService,
    make_key,
    open_keyed_service,
    store_of,
    token,
)
from tests.support.redis_server import RedisServer
from tests.support.service_shop import Browse, Shop, process, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def service(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyedService]:
    with open_keyed_service(shop, tmp_path_factory.mktemp("service")) as opened:
        yield opened


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.mark.parametrize(
    "headers",
    [
        lambda key: {"Authorization": f"Bearer {key}"},
        lambda key: {"authorization": f"bearer   {key}"},
        lambda key: {"X-API-Key": key},
        lambda key: {"Authorization": basic("anything", key)},
        lambda key: {"Authorization": basic(key, "")},
        lambda key: {"Authorization": basic("the proxy's", "own"), "X-API-Key": key},
    ],
)
@pytest.mark.parametrize("who", ["read", "first"])
def test_a_key_may_be_sent_in_three_ways(
    service: KeyedService, headers: Callable[[str], dict[str, str]], who: str
) -> None:
    assert (
        service.client.get("/v1/popular", headers=headers(service.credentials[who])).status_code
        == 200
    )
    wrong = headers(service.credentials[who] + "x")
    assert service.client.get("/v1/popular", headers=wrong).status_code == 401


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !!!", "Basic Og==", "Bearer", "Bearer a.b.c", "Digest x", "é"]
)
def test_a_header_that_is_no_key_is_a_401(service: KeyedService, header: str) -> None:
    assert (
        service.client.get("/v1/popular", headers={"Authorization": header.encode()}).status_code
        == 401
    )


def test_a_shop_may_open_its_feeds_and_nothing_else(
    browse: Browse, own_shop: Shop, service: KeyedService
) -> None:
    client = browse(own_shop.root, api_key=FIRST_KEY, open_feeds=True)
    opened = [
        client.get(path).status_code
        for path in ("/v1/feeds/popular.json", "/v1/popular", "/v1/customers/c00")
    ]
    assert opened == [200, 401, 401]
    assert service.client.get("/v1/feeds/popular.json").status_code == 401


def test_no_refusal_repeats_what_was_sent(service: KeyedService) -> None:
    for who, sent in service.credentials.items():
        for method, path in (
            ("GET", "/v1/audit"),
            ("POST", "/v1/tokens"),
            ("DELETE", "/v1/customers/anna-17"),
        ):
            for headers in ({"Authorization": f"Bearer {sent}"}, {"X-API-Key": sent + "x"}):
                response = service.client.request(method, path, headers=headers, json={"x": sent})
                assert sent not in response.text
                if response.status_code >= 400:
                    assert "anna-17" not in response.text
                    assert response.headers["content-type"] == "application/problem+json", who


def slate(service: KeyedService, who: str, **body: object) -> tuple[int, object]:
    response = service.client.post(
        "/v1/recommendations",
        json=body,
        headers={"Authorization": f"Bearer {service.credentials[who]}"},
    )
    return response.status_code, response.json().get("customer_id")


def test_a_visit_in_the_browser_is_the_customers_own(service: KeyedService) -> None:
    assert slate(service, "token") == slate(service, "token", customer_id=ANNA) == (200, ANNA)
    assert slate(service, "token", customer_id=BERT)[0] == 403
    assert slate(service, "token", session_id="v2")[0] == 403
    assert slate(service, "visit", session_id="v1") == slate(service, "visit") == (200, None)
    assert (
        slate(service, "visit", session_id="v2")[0]
        == slate(service, "visit", customer_id=ANNA)[0]
        == 403
    )
    assert slate(service, "read", customer_id=BERT, session_id="v9") == (200, BERT)


def report(service: KeyedService, who: str, *events: dict[str, object]) -> tuple[int, object]:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    whole = [{"kind": "view", "time": now, "product_id": "bread", **event} for event in events]
    response = service.client.post(
        "/v1/events",
        json={"events": whole},
        headers={"Authorization": f"Bearer {service.credentials[who]}"},
    )
    return response.status_code, response.json().get("accepted")


def test_a_browser_reports_its_own_customers_events_only(service: KeyedService) -> None:
    assert report(
        service, "token", {"event_id": "b-1"}, {"event_id": "b-2", "customer_id": ANNA}
    ) == (202, 2)
    assert (
        report(service, "token", {"event_id": "b-3"}, {"event_id": "b-4", "customer_id": BERT})[0]
        == 403
    )
    assert report(service, "token", {"event_id": "b-3", "session_id": "v1"})[0] == 403
    assert report(service, "visit", {"event_id": "b-3"}) == (202, 1)
    assert report(service, "read", {"event_id": "b-4", "customer_id": ANNA})[0] == 403
    rows = service.store.read_records(BERT, None, 0).rows
    assert rows == []


def test_a_browser_cannot_take_the_shops_event_ids(service: KeyedService) -> None:
    assert report(service, "token", {"event_id": "order-1"}) == (202, 1)
    assert report(service, "token", {"event_id": "order-1"}) == (202, 0)
    assert report(service, "write", {"event_id": "order-1", "customer_id": ANNA}) == (202, 1)


def test_the_shops_server_asks_for_what_the_browser_may_hold(service: KeyedService) -> None:
    asked = service.client.post(
        "/v1/tokens",
        json={"customer_id": BERT},
        headers={"X-API-Key": service.credentials["write"]},
    )
    assert asked.headers["cache-control"] == "no-store"
    headers = {"Authorization": f"Bearer {asked.json()['token']}"}
    assert service.client.get(f"/v1/customers/{BERT}/profile", headers=headers).status_code == 200
    assert service.client.get(f"/v1/customers/{ANNA}/profile", headers=headers).status_code == 403
    assert service.call("POST", "/v1/tokens", "write", json={}) == 422
    assert (
        service.call("POST", "/v1/tokens", "write", json={"customer_id": BERT, "minutes": 1441})
        == 422
    )


def test_over_the_limit_a_slate_is_popular_and_everything_else_waits(service: KeyedService) -> None:
    key = {"X-API-Key": make_key(service.store, Scope.READ, Scope.WRITE, calls_a_minute=3)}
    address = f"/v1/customers/{ANNA}/recommendations"
    reasons = [service.client.get(address, headers=key).json()["fallback_reason"] for _ in range(5)]
    assert reasons == [None] * 3 + [FallbackReason.RATE_LIMITED] * 2
    limited = service.client.get(address, headers=key)
    assert (limited.status_code, limited.json()["strategy"], limited.json()["count"]) == (
        200,
        "popular",
        10,
    )
    assert limited.headers["cache-control"] == "no-store"
    for method, path in (("PUT", "/v1/products"), ("GET", "/v1/models"), ("POST", "/v1/events")):
        refused = service.client.request(method, path, headers=key)
        assert (refused.status_code, refused.json()["type"]) == (
            429,
            "urn:regulars:problem:too_many_calls",
        )
        assert 1 <= int(refused.headers["retry-after"]) <= 20
    assert (
        service.client.get(address, headers={"X-API-Key": service.credentials["read"]}).json()[
            "fallback_reason"
        ]
        is None
    )


def test_a_shop_with_an_audience_opens_to_tokens_that_carry_it(
    browse: Browse, tmp_path: Path
) -> None:
    client = browse(
        api_key=FIRST_KEY,
        signing_key=SIGNING_KEY,
        token_audience="regulars",
        database_url=f"sqlite:///{tmp_path / 'store.db'}",
    )
    key = {"X-API-Key": FIRST_KEY}
    made_here = client.post("/v1/tokens", json={"customer_id": ANNA}, headers=key).json()["token"]
    for sent, status in ((made_here, 200), (token(ANNA), 401)):
        headers = {"Authorization": f"Bearer {sent}"}
        assert client.get(f"/v1/customers/{ANNA}/profile", headers=headers).status_code == status


def test_every_customer_has_a_limit_of_their_own(browse: Browse, tmp_path: Path) -> None:
    client = browse(
        api_key=FIRST_KEY,
        signing_key=SIGNING_KEY,
        customer_calls_a_minute=2,
        database_url=f"sqlite:///{tmp_path / 'store.db'}",
    )

    def statuses(customer: str) -> list[int]:
        headers = {"Authorization": f"Bearer {token(customer)}"}
        return [
            client.get(f"/v1/customers/{customer}/profile", headers=headers).status_code
            for _ in range(3)
        ]

    assert statuses(ANNA) == statuses(BERT) == [200, 200, 429]


def test_a_customer_with_two_visits_has_one_limit(browse: Browse, tmp_path: Path) -> None:
    client = browse(
        api_key=FIRST_KEY,
        signing_key=SIGNING_KEY,
        customer_calls_a_minute=2,
        database_url=f"sqlite:///{tmp_path / 'store.db'}",
    )
    visits: list[str | None] = [None, "v1", "v2"]
    statuses = []
    for visit in visits:
        headers = {"Authorization": f"Bearer {token(ANNA, visit)}"}
        answer = client.get(f"/v1/customers/{ANNA}/profile", headers=headers)
        statuses.append(answer.status_code)
    assert statuses == [200, 200, 429]


def test_two_hosts_with_one_redis_count_together(
    browse: Browse, redis_server: RedisServer, tmp_path: Path
) -> None:
    shared = {
        "database_url": f"sqlite:///{tmp_path / 'store.db'}",
        "redis_url": redis_server.url,
        "api_key": FIRST_KEY,
    }
    first, second = (
        browse(**shared, redis_timeout_ms=1000, runtime_dir=tmp_path / name) for name in ("a", "b")
    )
    key = {"X-API-Key": make_key(store_of(first), Scope.READ, calls_a_minute=4)}
    wait_until(lambda: second.get("/v1/models", headers=key).status_code == 200)
    clients = (first, second) * 3
    statuses = [client.get("/v1/models", headers=key).status_code for client in clients]
    assert statuses == [200] * 3 + [429] * 3


def test_a_page_of_the_shop_may_call_and_no_other(browse: Browse, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    client = browse(
        api_key=FIRST_KEY,
        signing_key=SIGNING_KEY,
        cors_origins="https://shop.example, https://m.example",
        database_url=url,
    )
    address = f"/v1/customers/{ANNA}/recommendations"
    for origin, allowed in (
        ("https://shop.example", True),
        ("https://m.example", True),
        ("https://evil.example", False),
    ):
        asked = {
            "Origin": origin,
            "Access-Control-Request-Headers": "authorization",
        }
        for method in ("GET", "POST", "PUT", "DELETE"):
            preflight = {**asked, "Access-Control-Request-Method": method}
            before = client.options(address, headers=preflight)
            assert (before.status_code == 200) is allowed
        for sent, status in ((token(ANNA), 200), ("wrong", 401)):
            response = client.get(
                address, headers={"Origin": origin, "Authorization": f"Bearer {sent}"}
            )
            assert response.status_code == status
            assert (response.headers.get("access-control-allow-origin") == origin) is allowed


def test_without_the_setting_no_page_may_call(service: KeyedService) -> None:
    response = service.client.get("/healthz", headers={"Origin": "https://shop.example"})
    assert "access-control-allow-origin" not in response.headers


def test_on_this_machine_everything_is_open_until_the_first_key_is_made(
    browse: Browse, tmp_path: Path
) -> None:
    client = browse(database_url=f"sqlite:///{tmp_path / 'store.db'}")
    assert client.get("/v1/audit").status_code == 200
    key = make_key(store_of(client), Scope.READ)
    assert client.get("/v1/audit").status_code == 401
    assert client.get("/v1/popular", headers={"X-API-Key": key}).status_code == 200
    assert (
        client.get("/v1/popular", headers={"Authorization": f"Bearer {token(ANNA)}"}).status_code
        == 401
    )


def test_a_key_revoked_at_the_command_line_is_refused_by_every_worker_in_the_next_call(
    shop: Shop, tmp_path: Path
) -> None:
    settings = {
        "database_url": f"sqlite:///{tmp_path / 'store.db'}",
        "api_key": FIRST_KEY,
        "workers": 2,
    }
    variables = {f"REGULARS_{name.upper()}": str(value) for name, value in settings.items()}
    variables |= {
        "REGULARS_RUNTIME_DIR": str(tmp_path / "run"),
        "REGULARS_REGISTRY": str(shop.root),
    }

    def command(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "service", *arguments],
            env=variables,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def status(connection: http.client.HTTPConnection, key: str) -> int:
        connection.request("GET", "/v1/popular?n=1", headers={"X-API-Key": key})
        response = connection.getresponse()
        json.load(response)
        return response.status

    with process(shop.root, tmp_path / "run", **settings) as port:
        connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=10) for _ in range(16)]
        for _ in range(2):
            key = command("keys", "create", "--name", "mailer", "--scope", "read")
            assert {status(connection, key) for connection in connections} == {200}
            command("keys", "revoke", key.split("_")[1])
            assert {status(connection, key) for connection in connections} == {401}
        for connection in connections:
            connection.close()
