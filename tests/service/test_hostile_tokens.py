"""A customer with a valid token, or with two accounts, reaches nothing of anybody else."""

import itertools
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from service.http.authorization import hash_event_id
from tests.support.keyed_service import ANNA, BERT, KeyedService, open_keyed_service, token
from tests.support.service_shop import Shop, wait_until

NUMBERS = itertools.count()
WHEN = "2025-06-29T10:00:00Z"
ODD_ORDERS = [
    "a/b",
    "a/../b",
    "%2F",
    " 1001",
    "1001 ",
    "100%",
    "_001",
    "' OR '1'='1",
    "o\n1",
    "\u202e1001",
    "1001\u0301",
    "É" * 500,
    "[1]",
    "null",
]


@pytest.fixture(scope="module")
def service(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyedService]:
    with open_keyed_service(shop, tmp_path_factory.mktemp("service")) as opened:
        owners = {
            "anna": (ANNA, None),
            "bert": (BERT, None),
            "anna in v1": (ANNA, "v1"),
            "other visit": (None, "v2"),
            "called None": ("None", None),
            "visit called x": (None, "x"),
        }
        opened.credentials.update({name: token(*ids) for name, ids in owners.items()})
        yield opened


def ask(service: KeyedService, who: str, method: str, path: str, **more: Any) -> Any:
    headers = {"Authorization": f"Bearer {service.credentials[who]}"}
    return service.client.request(method, path, headers=headers, **more)


def view(**more: object) -> dict[str, Any]:
    event = {"event_id": f"e{next(NUMBERS)}", "kind": "view", "time": WHEN, "product_id": "bread"}
    return event | more


def report(service: KeyedService, who: str, *events: dict[str, Any]) -> Any:
    return ask(service, who, "POST", "/v1/events", json={"events": events})


def position(service: KeyedService) -> int:
    return service.store.follow().number


@pytest.mark.parametrize("order_id", ODD_ORDERS)
def test_a_strangers_order_of_any_id_is_answered_like_an_unknown_one(
    service: KeyedService, order_id: str
) -> None:
    lines = [{"product_id": "bread"}, {"product_id": "milk"}]
    order = view(kind="purchase", order_id=order_id, lines=lines, product_id=None)
    for who, customer in (("write", BERT), ("bert", BERT)):
        own = order | {"event_id": f"e{next(NUMBERS)}", "customer_id": customer}
        assert report(service, who, own).json()["accepted"] == 1
    unknown = "x" * len(order_id)
    sizes = itertools.cycle(range(20, 101))  # another question each time, which no cache answers

    def answers(asked: str, n: int) -> list[tuple[int, Any, bytes]]:
        options = {"order_id": asked, "n": n}
        responses = [
            ask(service, "anna", "GET", f"/v1/orders/{quote(asked, safe='')}/follow-up"),
            ask(service, "anna", "POST", "/v1/recommendations", json=options),
            ask(service, "anna", "GET", f"/v1/customers/{ANNA}/recommendations", params=options),
            ask(
                service, "anna", "GET", f"/v1/customers/{ANNA}/recommendations.html", params=options
            ),
        ]
        return [
            (answer.status_code, answer.headers.get("etag"), answer.content) for answer in responses
        ]

    # Bert's order sells bread for everybody, a moment later
    wait_until(lambda: answers(order_id, n := next(sizes)) == answers(unknown, n))
    assert (
        ask(service, "bert", "GET", f"/v1/orders/{quote(order_id, safe='')}/follow-up").status_code
        == 200
    )


@pytest.mark.parametrize(
    ("who", "named"),
    [
        ("anna", {"customer_id": BERT}),
        ("anna", {"session_id": "v1"}),
        ("anna in v1", {"session_id": "v2"}),
        ("anna in v1", {"customer_id": BERT, "session_id": "v1"}),
        ("visit", {"customer_id": ANNA}),
        ("visit", {"session_id": "v2"}),
    ],
)
def test_an_event_of_somebody_else_stops_the_whole_call(
    service: KeyedService, who: str, named: dict[str, str]
) -> None:
    before = position(service)
    assert report(service, who, view(), view(**named)).status_code == 403
    assert position(service) == before


@pytest.mark.parametrize("who", ["anna", "anna in v1", "visit"])
def test_no_event_id_is_taken_from_the_shop_or_from_a_stranger(
    service: KeyedService, who: str
) -> None:
    """A customer who guesses ids reports them first, also as they are kept."""
    guessed = f"order-{next(NUMBERS)}"
    kept = [hash_event_id(BERT, None, guessed), hash_event_id(None, "v2", guessed)]
    taken = report(service, who, *[view(event_id=name) for name in (guessed, *kept)])
    assert taken.json()["accepted"] == 3
    for other, ids in (("write", {"customer_id": BERT}), ("bert", {}), ("other visit", {})):
        answer = report(service, other, view(event_id=guessed, **ids)).json()
        assert (answer["accepted"], answer["repeated"]) == (1, []), other


def test_owners_whose_names_look_alike_have_event_ids_of_their_own(service: KeyedService) -> None:
    for who in ("called None", "visit called x"):
        assert report(service, who, view(event_id="e")).json()["accepted"] == 1
    ids = [("a\nb", "c"), ("a", "b\nc"), ("None", "x"), (None, "x"), ("x", None)]
    assert len({hash_event_id(*owner, "e") for owner in ids}) == len(ids)


def test_an_event_is_one_event_whichever_visit_of_its_customer_repeats_it(
    service: KeyedService,
) -> None:
    event = view(event_id="sent again after a new token")
    answers = [report(service, who, event).json() for who in ("anna", "anna in v1")]
    assert [answer["accepted"] for answer in answers] == [1, 0]


@pytest.mark.parametrize("who", ["anna", "visit"])
@pytest.mark.parametrize(
    ("method", "ending", "body"),
    [
        ("PUT", "/consent", {"personalize_web": False}),
        ("PUT", "/unused", {"product_id": "bread"}),
        ("GET", "/profile", None),
        ("GET", "/export", None),
        ("GET", "/replenishment", None),
        ("GET", "/recommendations", None),
        ("GET", "/recommendations.html", None),
        ("DELETE", "", None),
    ],
)
def test_nothing_of_another_customer_is_read_or_changed(
    service: KeyedService, who: str, method: str, ending: str, body: Any
) -> None:
    before = position(service)
    for customer in (BERT, f"{BERT}%2F", f"{ANNA}%2F..%2F{BERT}", f"%20{ANNA}", ANNA.upper()):
        answer = ask(service, who, method, f"/v1/customers/{customer}{ending}", json=body)
        assert answer.status_code == 403, customer
        assert BERT not in answer.text
    assert position(service) == before


@pytest.mark.parametrize("who", ["anna", "visit"])
def test_campaigns_links_and_records_of_mails_are_the_shops(
    service: KeyedService, who: str
) -> None:
    slate = {"campaign": "spring"}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/v1/recommendations", {"json": slate}),
        ("GET", "/v1/popular", {"params": slate}),
        ("GET", "/v1/products/bread/similar", {"params": slate}),
        ("GET", "/v1/orders/1001/follow-up", {"params": slate}),
        ("GET", "/v1/campaigns", {}),
        ("PUT", "/v1/campaigns/spring", {"json": {"kind": "recommendations"}}),
        ("POST", "/v1/recommendations/batch", {"json": {"recipients": [{"customer_id": ANNA}]}}),
        ("POST", "/v1/tokens", {"json": {"customer_id": BERT}}),
        ("GET", "/v1/products/bread/ratings", {}),
        ("GET", "/v1/audit", {}),
        ("GET", "/metrics", {}),
    ]
    if who == "anna":
        path = f"/v1/customers/{ANNA}/recommendations"
        calls += [("GET", f"{path}{ending}", {"params": slate}) for ending in ("", ".html")]
    before = position(service)
    for method, path, more in calls:
        assert ask(service, who, method, path, **more).status_code == 403, path
    assert position(service) == before


def test_a_made_up_link_counts_no_click(service: KeyedService) -> None:
    before = position(service)
    for name in ("", "x", "A" * 200, service.credentials["anna"]):
        ask(service, "anna", "GET", f"/r/{name}", follow_redirects=False)
    service.store.write(lambda change: None).result(10)  # after whatever was waiting
    assert position(service) == before


def test_two_accounts_confirm_nothing_for_each_other(service: KeyedService) -> None:
    """What one reports of an order is neither the other's nor the shop's."""
    order = view(
        kind="purchase", order_id="shared", lines=[{"product_id": "kite"}], product_id=None
    )
    for who in ("anna", "bert", "visit"):
        assert report(service, who, order).json()["accepted"] == 1
    assert ask(service, "read", "GET", "/v1/orders/shared/follow-up").status_code == 404
    assert service.store.read_records(None, None, 0, "shared").order == []
