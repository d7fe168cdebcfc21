"""Every address of the application asks for what its line of the policy says, and of everybody."""

from collections.abc import Iterator

import pytest

from service.app import create
from service.http.authorization import POLICY, Access, Scope
from service.settings import Settings
from tests.support.keyed_service import ANNA, BERT, KeyedService, open_keyed_service, token
from tests.support.service_shop import Shop


def routes() -> list[tuple[str, str]]:
    """Method and path of every route there is, hidden ones and mounts too."""
    addresses: list[tuple[str, str]] = []
    for route in create(Settings(console=True)).routes:
        methods = sorted(getattr(route, "methods", None) or {"GET", "POST", "DELETE"})
        path: str = route.path_format  # type: ignore[attr-defined]
        addresses += [(method, path) for method in methods]
    return addresses


ROUTES = routes()
LINES = [f"{'GET' if method == 'HEAD' else method} {path}" for method, path in ROUTES]
GUARDED = [
    (method, path, POLICY.get(line, Access(Scope.ADMIN)))
    for (method, path), line in zip(ROUTES, LINES, strict=True)
    if line not in POLICY or POLICY[line].scope is not None
]
OPEN_TO_CUSTOMERS = [(method, path, access) for method, path, access in GUARDED if access.customer]


@pytest.fixture(scope="module")
def service(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyedService]:
    with open_keyed_service(shop, tmp_path_factory.mktemp("service")) as opened:
        yield opened


def test_what_is_open_to_everyone_is_health_documentation_and_the_links_of_mails() -> None:
    health = {"/healthz", "/readyz"}
    documentation = {"/", "/docs", "/docs/assets/{path}", "/openapi.json"}
    console = {"/console", "/console/{name}"}  # it asks for a key itself
    guarded = {(method, path) for method, path, _ in GUARDED}
    open_paths = {path for method, path in ROUTES if (method, path) not in guarded}
    assert open_paths == health | documentation | console | {"/r/{token}", "/v1/import/{vendor}"}


def test_every_line_of_the_policy_is_an_address() -> None:
    assert set(POLICY) <= set(LINES)


@pytest.mark.parametrize(("method", "path", "access"), GUARDED)
def test_without_a_valid_key_nothing_is_answered(
    service: KeyedService, method: str, path: str, access: Access
) -> None:
    for who in (None, "wrong", "expired", "foreign"):
        assert service.call(method, path, who) == 401


@pytest.mark.parametrize(("method", "path", "access"), GUARDED)
def test_a_key_opens_what_its_scope_names_and_nothing_else(
    service: KeyedService, method: str, path: str, access: Access
) -> None:
    for scope in (Scope.READ, Scope.WRITE, Scope.SHOPS):
        assert (service.call(method, path, scope.value) != 403) is (access.scope is scope), scope
    if access.scope is Scope.SHOPS:
        assert service.call(method, path, "admin") == 403
    for who in ("first",) if access.scope is Scope.SHOPS else ("admin", "first"):
        assert service.call(method, path, who, "nobody") not in (401, 403)


@pytest.mark.parametrize(("method", "path", "access"), GUARDED)
def test_a_customer_token_opens_nothing_of_another_customer(
    service: KeyedService, method: str, path: str, access: Access
) -> None:
    if "{customer_id}" in path or not access.customer:
        assert service.call(method, path, "token", BERT) == 403
        assert service.call(method, path, "visit", BERT) == 403


@pytest.mark.parametrize(("method", "path", "access"), OPEN_TO_CUSTOMERS)
def test_a_customer_token_opens_what_is_the_customers_own(
    service: KeyedService, method: str, path: str, access: Access
) -> None:
    body = None if method == "GET" else {}
    customer = ANNA
    if method == "DELETE":  # nothing of hers is left for other tests
        customer = f"leaver {len(path)}"
        service.credentials[customer] = token(customer)
    who = "token" if customer == ANNA else customer
    nothing = ("/v1/orders/{order_id}/follow-up", "/v1/lists/{name}")  # of the name x
    answered = (404,) if path in nothing else (200, 422)
    assert service.call(method, path, who, customer, json=body) in answered


def test_a_customer_token_opens_what_is_known_of_the_customer_and_their_erasure() -> None:
    opened = {f"{method} {path}" for method, path, _ in OPEN_TO_CUSTOMERS}
    assert {
        "GET /v1/customers/{customer_id}/profile",
        "GET /v1/customers/{customer_id}/export",
        "DELETE /v1/customers/{customer_id}",
    } <= opened


MAIL = {"campaign": "autumn"}
BASKET = {"basket": ["bread"]}
PRODUCT_PAGE = [
    ("GET", "/v1/products/bread/similar", {}, {"params": MAIL}),
    ("GET", "/v1/products/bread/bundles", {}, {"params": MAIL}),
    ("POST", "/v1/baskets/bundles", {"json": BASKET}, {"json": BASKET | MAIL}),
    ("GET", "/v1/popular", {}, {"params": MAIL}),
]


@pytest.mark.parametrize(("method", "path", "sent", "sent_for_mail"), PRODUCT_PAGE)
@pytest.mark.parametrize("who", ["token", "visit"])
def test_a_browser_shows_what_goes_with_a_product_or_a_basket(
    service: KeyedService,
    method: str,
    path: str,
    sent: dict[str, object],
    sent_for_mail: dict[str, object],
    who: str,
) -> None:
    assert service.call(method, path, who, **sent) == 200
    assert service.call(method, path, who, **sent_for_mail) == 403
    assert service.call(method, path, "read", **sent_for_mail) == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/feeds/popular.json"),
        ("GET", "/v1/products/bread"),
        ("GET", "/v1/products/bread/ratings"),
        ("POST", "/v1/recommendations/batch"),
        ("GET", "/v1/models"),
    ],
)
def test_a_browser_opens_nothing_of_the_shops_own(
    service: KeyedService, method: str, path: str
) -> None:
    assert service.call(method, path, "token") == service.call(method, path, "visit") == 403


def test_a_browser_opens_no_campaign(service: KeyedService) -> None:
    mail = {"campaign": "autumn", "placement": "email"}
    for path in (
        "/v1/customers/{customer_id}/recommendations",
        "/v1/customers/{customer_id}/recommendations.html",
    ):
        assert service.call("GET", path, "token", ANNA, params=mail) == 403
    assert service.call("POST", "/v1/recommendations", "token", json=mail) == 403
    assert service.call("GET", "/v1/campaigns/autumn", "read") == 404


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
    service: KeyedService, customer: str
) -> None:
    path = "/v1/customers/{customer_id}/recommendations"
    assert service.call("GET", path, "token", customer) in (403, 422)


def test_what_is_not_there_is_not_found_with_a_key_and_asks_for_one_without(
    service: KeyedService,
) -> None:
    callers = (None, "read", "token")
    assert [service.call("GET", "/v1/nothing", who) for who in callers] == [401, 404, 404]
    assert [service.call("DELETE", "/v1/popular", who) for who in callers] == [401, 405, 405]


def test_a_route_that_nobody_declared_is_open_to_admin_alone(service: KeyedService) -> None:
    def forgotten() -> dict[str, str]:
        return {}

    service.client.app.add_api_route("/v1/forgotten", forgotten)  # type: ignore[attr-defined]
    statuses = [
        service.call("GET", "/v1/forgotten", who)
        for who in (None, "token", "read", "write", "admin", "first")
    ]
    assert statuses == [401, 403, 403, 403, 200, 200]


def test_what_is_open_refuses_another_method_without_asking_for_a_key(
    service: KeyedService,
) -> None:
    methods = ("TRACE", "DELETE", "POST")
    assert [service.call(method, "/healthz", None) for method in methods] == [405, 405, 405]
    assert [service.call("POST", path, None) for path in ("/readyz", "/v1/popular")] == [405, 401]
