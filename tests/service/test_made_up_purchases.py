"""What a customer's token reports counts for that customer at once, and for nobody else."""

import itertools
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from models.data.events import DAY
from service.store.writer import read_position
from tests.support.keyed_service import ANNA, BERT, KeyedService, open_keyed_service, token
from tests.support.service_shop import Shop, wait_until

NUMBERS = itertools.count()
CLAIMED, SOLD, BOUGHT_WITH = "kite", "butter", "bread"
LAST_DAY = {"time": "2025-06-30T20:00:00Z"}  # of the shop's purchases
EVERYONES: Final = (
    "/v1/popular?n=40",
    "/v1/products/bread/bundles",
    "/v1/products/bread/similar?n=40",
    "/v1/customers/c05/recommendations?n=40",
)


@pytest.fixture
def service(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyedService]:
    folder = tmp_path_factory.mktemp("service")
    with open_keyed_service(shop, folder, sales_seconds=0.05) as opened:
        opened.credentials["bert"] = token(BERT)
        opened.credentials["anna in v1"] = token(ANNA, "v1")
        yield opened


def purchase(order_id: object, *products: str, age: int = 0, **more: object) -> dict[str, Any]:
    moment = time.gmtime(time.time() - age)
    return {
        "event_id": f"e{next(NUMBERS)}",
        "kind": "purchase",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", moment),
        "order_id": str(order_id),
        "lines": [{"product_id": product} for product in products],
        **more,
    }


def report(service: KeyedService, who: str, *events: dict[str, Any]) -> None:
    status = service.call("POST", "/v1/events", who, json={"events": events})
    assert status == 202


def get(service: KeyedService, path: str, who: str = "read") -> Any:
    headers = {"Authorization": f"Bearer {service.credentials[who]}"}
    response = service.client.get(path, headers=headers)
    assert response.status_code == 200
    return response.json()


def purchases_of(service: KeyedService, customer: str, product: str) -> int:
    """Return how often a customer bought a product, as their profile tells it."""
    profile = get(service, f"/v1/customers/{customer}/profile?n=100", "admin")
    counts = {entry["id"]: entry["purchases"] for entry in profile["products"]}
    return int(counts.get(product, 0))


def rank(service: KeyedService, product: str) -> int:
    popular = get(service, "/v1/popular?n=40&fields=ids")["recommendations"]
    return [entry["id"] for entry in popular].index(product)


@pytest.mark.parametrize("who", ["token", "visit", "anna in v1"])
def test_thousands_of_made_up_purchases_change_what_nobody_else_sees(
    service: KeyedService, who: str
) -> None:
    def answers() -> list[list[str]]:
        shown = [get(service, path) for path in EVERYONES]
        return [[str(entry) for entry in answer["recommendations"]] for answer in shown]

    before = answers()
    assert rank(service, CLAIMED) > 0
    for _ in range(3):
        orders = [purchase(next(NUMBERS), CLAIMED, BOUGHT_WITH, **LAST_DAY) for _ in range(900)]
        report(service, who, *orders)
    wait_for_count(service)
    assert answers() == before
    assert rank(service, CLAIMED) > 0


def test_what_the_shop_reports_of_a_customer_counts_for_everyone(service: KeyedService) -> None:
    orders = [purchase(next(NUMBERS), CLAIMED, customer_id=ANNA, **LAST_DAY) for _ in range(900)]
    report(service, "write", *orders)
    wait_for_count(service)
    assert rank(service, CLAIMED) == 0


@pytest.mark.parametrize("age", [0, 3 * DAY], ids=["at once", "days later"])
def test_what_a_token_reports_counts_for_its_customer_at_once(
    service: KeyedService, age: int
) -> None:
    before = purchases_of(service, ANNA, CLAIMED)
    report(service, "token", purchase("1001", CLAIMED, age=age))
    assert purchases_of(service, ANNA, CLAIMED) == before + 1


@pytest.mark.parametrize("first", ["token", "write"], ids=["token first", "key first"])
@pytest.mark.parametrize(
    ("key_order", "key_age"),
    [("1001", 0), ("1001", 9 * DAY), ("another id", DAY // 2)],
    ids=["same order", "same order, other day", "same day"],
)
def test_an_order_that_a_token_and_a_key_report_counts_once(
    service: KeyedService, first: str, key_order: str, key_age: int
) -> None:
    before = purchases_of(service, ANNA, CLAIMED)
    reports = [
        ("token", purchase("1001", CLAIMED)),
        ("write", purchase(key_order, CLAIMED, age=key_age, customer_id=ANNA)),
    ]
    for who, order in reports if first == "token" else reversed(reports):
        report(service, who, order)
    assert purchases_of(service, ANNA, CLAIMED) == before + 1


def test_two_orders_of_a_day_that_the_shop_reports_are_two(service: KeyedService) -> None:
    before = purchases_of(service, ANNA, CLAIMED)
    for order_id in ("1001", "1002"):
        report(service, "token", purchase(order_id, CLAIMED))
        report(service, "write", purchase(order_id, CLAIMED, customer_id=ANNA))
    assert purchases_of(service, ANNA, CLAIMED) == before + 2


def test_a_purchase_that_the_shop_does_not_confirm_stays_its_customers(
    service: KeyedService,
) -> None:
    before = [purchases_of(service, ANNA, product) for product in (CLAIMED, SOLD)]
    report(service, "token", purchase("1001", CLAIMED), purchase("1002", SOLD, age=DAY // 2))
    report(service, "write", purchase("1002", SOLD, age=5 * DAY, customer_id=ANNA))
    report(service, "write", purchase("1001", CLAIMED, age=0, customer_id=BERT))
    after = [purchases_of(service, ANNA, product) for product in (CLAIMED, SOLD)]
    assert after == [before[0] + 1, before[1] + 1]


def wait_for_count(service: KeyedService) -> None:
    """Wait until everything that was sold up to now is counted."""
    responder = service.client.app.state.responder  # type: ignore[attr-defined]
    number = service.store.read(read_position).number
    catalogues = responder.computer.catalogues
    wait_until(lambda: catalogues.as_known(responder.model()).sales_number >= number)
