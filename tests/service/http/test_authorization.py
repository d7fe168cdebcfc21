"""Every address of the application asks for what its line of the policy says, and of everybody."""

from collections.abc import Iterator

import pytest

from service.app import create
from service.http.authorization import POLICY, Access, Scope
from service.settings import Settings
from tests.support.keyed_service import ANNA, BERT, House, open_house
from tests.support.service_shop import Shop


def routes() -> list[tuple[str, str]]:
    """Method and path of every route there is, hidden ones and mounts too."""
    return [
        (method, route.path_format)  # type: ignore[attr-defined]
        for route in create(Settings()).routes
        for method in sorted(getattr(route, "methods", None) or {"GET", "POST", "DELETE"})
    ]


ROUTES = routes()
LINES = [f"{'GET' if method == 'HEAD' else method} {path}" for method, path in ROUTES]
GUARDED = [
    (method, path, POLICY.get(line, Access(Scope.ADMIN)))
    for (method, path), line in zip(ROUTES, LINES, strict=True)
    if line not in POLICY or POLICY[line].scope is not None
]


@pytest.fixture(scope="module")
def house(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(shop, tmp_path_factory.mktemp("house")) as opened:
        yield opened


def test_what_is_open_to_everyone_is_health_documentation_and_the_links_of_mails() -> None:
    health = {"/healthz", "/readyz"}
    documentation = {"/", "/docs", "/docs/assets/{path}", "/openapi.json"}
    asked = {(method, path) for method, path, _ in GUARDED}
    open_paths = {path for method, path in ROUTES if (method, path) not in asked}
    assert open_paths == health | documentation | {"/r/{token}"}


def test_every_line_of_the_policy_is_an_address() -> None:
    assert set(POLICY) <= set(LINES)


@pytest.mark.parametrize(("method", "path", "access"), GUARDED)
def test_without_a_valid_key_nothing_is_answered(
    house: House, method: str, path: str, access: Access
) -> None:
    for who in (None, "wrong", "expired", "foreign"):
        assert house.call(method, path, who) == 401


@pytest.mark.parametrize(("method", "path", "access"), GUARDED)
def test_a_key_opens_what_its_scope_names_and_nothing_else(
    house: House, method: str, path: str, access: Access
) -> None:
    for scope in (Scope.READ, Scope.WRITE):
        assert (house.call(method, path, scope.value) != 403) is (access.scope is scope), scope
    for who in ("admin", "first"):
        assert house.call(method, path, who, "nobody") not in (401, 403)


@pytest.mark.parametrize(("method", "path", "access"), GUARDED)
def test_a_customer_token_opens_nothing_of_another_customer(
    house: House, method: str, path: str, access: Access
) -> None:
    if "{customer_id}" in path or not access.customer:
        assert house.call(method, path, "token", BERT) == 403
        assert house.call(method, path, "visit", BERT) == 403


@pytest.mark.parametrize(("method", "path", "access"), [one for one in GUARDED if one[2].customer])
def test_a_customer_token_opens_what_is_the_customers_own(
    house: House, method: str, path: str, access: Access
) -> None:
    assert house.call(method, path, "token", ANNA, json={} if method != "GET" else None) in (
        200,
        422,
    )


def test_a_browser_opens_no_campaign(house: House) -> None:
    mail = {"campaign": "autumn", "placement": "email"}
    for path in (
        "/v1/customers/{customer_id}/recommendations",
        "/v1/customers/{customer_id}/recommendations.html",
    ):
        assert house.call("GET", path, "token", ANNA, params=mail) == 403
    assert house.call("POST", "/v1/recommendations", "token", json=mail) == 403
    assert (
        house.client.get(
            "/v1/campaigns/autumn", headers={"X-API-Key": house.made["read"]}
        ).status_code
        == 404
    )


@pytest.mark.parametrize(
    "customer",
    [
        "c00%2Fprofile",
        "c00/",
        "C00",
        "c0%300/x",
        "c01/recommendations%2F..%2Fc00",
        "c00%00",
        "c00%20",
    ],
)
def test_an_id_that_only_looks_like_the_customers_own_is_anothers(
    house: House, customer: str
) -> None:
    assert house.call("GET", "/v1/customers/{customer_id}/recommendations", "token", customer) in (
        403,
        422,
    )


def test_what_is_not_there_is_not_found_with_a_key_and_asks_for_one_without(house: House) -> None:
    assert [house.call("GET", "/v1/nothing", who) for who in (None, "read", "token")] == [
        401,
        404,
        404,
    ]
    assert [house.call("DELETE", "/v1/popular", who) for who in (None, "read", "token")] == [
        401,
        405,
        405,
    ]


def test_a_route_that_nobody_declared_is_open_to_admin_alone(house: House) -> None:
    def forgotten() -> dict[str, str]:
        return {}

    house.client.app.add_api_route("/v1/forgotten", forgotten)  # type: ignore[attr-defined]
    statuses = [
        house.call("GET", "/v1/forgotten", who)
        for who in (None, "token", "read", "write", "admin", "first")
    ]
    assert statuses == [401, 403, 403, 403, 200, 200]


def test_what_is_open_refuses_another_method_without_asking_for_a_key(house: House) -> None:
    assert [house.call(method, "/healthz", None) for method in ("TRACE", "DELETE", "POST")] == [
        405,
        405,
        405,
    ]
    assert [house.call("POST", path, None) for path in ("/readyz", "/v1/popular")] == [405, 401]
