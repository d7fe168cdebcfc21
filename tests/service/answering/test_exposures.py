"""What was delivered is recorded once, behind the answers, and under no id without consent."""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, select
from starlette.testclient import TestClient

from service.answering.exposures import ExposureRecorder, ShownAnswer
from service.answering.query import QueryKind, RecommendationQuery
from service.answering.render import RenderedAnswer
from service.answering.responder import Responder
from service.runtime.metrics import child_of
from service.store.exposures import forget
from service.store.tables import exposures, shown_slates
from tests.support.service_shop import Browse, wait_until
from tests.support.shop import MONTHLY, NO_WEB, REGULAR

CUSTOMERS = (REGULAR, MONTHLY, NO_WEB, "newcomer")
Who = tuple[str | None, str | None]
BODY = (
    b'{"recommendation_id":"x","placement":null,"strategy":"popular",'
    b'"recommendations":[{"id":"bread"}]}'
)


@pytest.fixture
def client(browse: Browse, store_url: str) -> TestClient:
    return browse(database_url=store_url, exposures=1, mail_days=30)


def responder_of(client: TestClient) -> Responder:
    responder: Responder = client.app.state.responder  # type: ignore[attr-defined]
    return responder


def recorder_of(client: TestClient) -> ExposureRecorder:
    recorder = responder_of(client).exposures
    assert recorder is not None
    return recorder


def recorded(client: TestClient) -> Counter[Who]:
    """How many exposures of whom there are, once all that was delivered is recorded."""
    wait_until(lambda: recorder_of(client).is_idle)
    return responder_of(client).store.read(_count)


def _count(connection: Connection) -> Counter[Who]:
    counts: Counter[Who] = Counter()
    columns = (exposures.c.customer_id, exposures.c.session_id, exposures.c["count"])
    for customer_id, session_id, count in connection.execute(select(*columns)):
        counts[customer_id, session_id] += count
    return counts


def slate(client: TestClient, customer_id: str = REGULAR, **options: Any) -> dict[str, Any]:
    answer = client.get(f"/v1/customers/{customer_id}/recommendations", params=options)
    assert answer.status_code == 200
    content: dict[str, Any] = answer.json()
    return content


def say(client: TestClient, customer_id: str, *, measure: bool) -> None:
    said = client.put(f"/v1/customers/{customer_id}/consent", json={"measure": measure})
    assert said.status_code == 200


def test_a_slate_that_is_fetched_again_is_the_same_exposure(client: TestClient) -> None:
    path = f"/v1/customers/{REGULAR}/recommendations"
    client.head(path)
    assert recorded(client) == {}
    first = client.get(path)
    assert client.get(path, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    client.get(f"{path}?fields=ids")
    assert recorded(client) == {(REGULAR, None): 1}
    (told,) = client.get(f"/v1/customers/{REGULAR}/export").json()["exposures"]
    assert told["recommendation_id"] == first.json()["recommendation_id"]
    assert told["showed"] == [product["id"] for product in first.json()["recommendations"]]
    slate(client, placement="basket")
    assert recorded(client) == {(REGULAR, None): 2}


def test_another_worker_of_the_same_store_counts_no_repeat(
    browse: Browse, client: TestClient, store_url: str
) -> None:
    other = browse(database_url=store_url, exposures=1)
    slate(client)
    recorded(client)
    slate(other)
    assert recorded(other) == {(REGULAR, None): 1}


def test_pages_and_batches_count_slate_by_slate_and_mails_of_a_campaign_not_at_all(
    client: TestClient,
) -> None:
    parts = [{"kind": "customer"}, {"kind": "popular"}]
    client.post("/v1/pages", json={"customer_id": REGULAR, "parts": parts})
    assert recorded(client) == {(REGULAR, None): 2}
    recipients = [{"customer_id": MONTHLY}, {"customer_id": "newcomer"}]
    client.post("/v1/recommendations/batch", json={"recipients": recipients})
    slate(client, "c05", campaign="spring")
    assert recorded(client) == {
        (REGULAR, None): 2,
        (MONTHLY, None): 1,
        ("newcomer", None): 1,
    }


def test_what_nobody_is_named_for_is_counted_each_time_and_under_no_id(client: TestClient) -> None:
    for _ in range(3):
        client.get("/v1/popular")
    assert recorded(client) == {(None, None): 3}


def test_who_is_not_to_be_measured_is_nobody_from_then_on_and_before(client: TestClient) -> None:
    slate(client)
    say(client, MONTHLY, measure=False)
    slate(client, MONTHLY)
    assert recorded(client) == {(REGULAR, None): 1, (None, None): 1}
    say(client, REGULAR, measure=False)
    assert recorded(client) == {(None, None): 2}


def test_a_visit_is_the_customers_who_logged_into_it(client: TestClient) -> None:
    visit = {"session_id": "s-1", "recent": ["bread"]}
    client.post("/v1/recommendations", json=visit)
    assert recorded(client) == {(None, "s-1"): 1}
    login = {
        "event_id": "v-1",
        "kind": "view",
        "time": "2025-06-01T00:00:00Z",
        "customer_id": REGULAR,
        "session_id": "s-1",
        "product_id": "bread",
    }
    client.post("/v1/events", json={"events": [login]})
    client.post("/v1/recommendations", json={**visit, "recent": ["milk"]})
    assert recorded(client) == {(None, "s-1"): 1, (REGULAR, None): 1}
    assert len(client.get(f"/v1/customers/{REGULAR}/export").json()["exposures"]) == 2
    receipt = client.delete(f"/v1/customers/{REGULAR}").json()
    assert receipt["deleted"]["exposures"] == 2
    assert recorded(client) == {}


def test_visits_are_nobodys_where_the_shop_does_not_personalise_them(
    browse: Browse, store_url: str
) -> None:
    client = browse(database_url=store_url, exposures=1, visits="refuse")
    client.post("/v1/recommendations", json={"session_id": "s-1"})
    assert recorded(client) == {(None, None): 1}


def test_nothing_is_recorded_unless_it_is_asked_for(client: TestClient, browse: Browse) -> None:
    quiet = browse()
    slate(quiet)
    assert responder_of(quiet).exposures is None
    slate(client)
    assert recorded(client) == {(REGULAR, None): 1}


def test_a_sample_holds_everything_of_a_customer_or_nothing(browse: Browse, store_url: str) -> None:
    client = browse(database_url=store_url, exposures=0.5)
    for number in range(40):
        for placement in ("home", "basket"):
            slate(client, f"c{number:02d}", placement=placement)
    found = recorded(client)
    assert set(found.values()) == {2}
    assert 8 <= len(found) <= 32


def test_old_exposures_go_with_their_slates(client: TestClient) -> None:
    slate(client)
    recorded(client)
    store = responder_of(client).store
    store.write(lambda change: forget(change, before=2**40)).result()
    assert store.read(lambda connection: connection.execute(select(shown_slates)).all()) == []
    assert recorded(client) == {}


@pytest.fixture
def narrow(client: TestClient) -> Iterator[ExposureRecorder]:
    responder = responder_of(client)
    recorder = ExposureRecorder(
        responder.computer, responder.active, responder.metrics, 1.0, max_waiting=3
    )
    yield recorder
    recorder.close()


def test_what_finds_no_room_is_dropped_and_counted(
    client: TestClient, narrow: ExposureRecorder
) -> None:
    dropped = child_of(responder_of(client).metrics.exposures, "dropped")
    body = BODY
    answer = RenderedAnswer("popular", "none", body)
    queries = [RecommendationQuery(QueryKind.CUSTOMER, "", customer_id=str(n)) for n in range(50)]
    narrow.note([ShownAnswer(query, answer) for query in queries])
    wait_until(lambda: narrow.is_idle)
    kept = sum(recorded(client).values())
    assert 3 <= kept < 50
    assert dropped._value.get() == 50 - kept


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_nobody_is_counted_by_name_who_refused_or_was_erased(
    client: TestClient, seed: int
) -> None:
    rng, allowed, erased = random.Random(seed), dict.fromkeys(CUSTOMERS, True), set[str]()
    for step in range(25):
        customer_id = rng.choice(CUSTOMERS)
        deed = rng.choice(["slate", "slate", "no", "yes", "erase", "look"])
        if deed == "slate":
            slate(client, customer_id, placement=f"home-{step}")
        elif deed == "erase" and len(erased) < 2:
            client.delete(f"/v1/customers/{customer_id}")
            erased.add(customer_id)
        elif deed in ("yes", "no") and customer_id not in erased:
            say(client, customer_id, measure=deed == "yes")
            allowed[customer_id] = deed == "yes"
        else:
            _check(client, allowed, erased)
    _check(client, allowed, erased)


def _check(client: TestClient, allowed: dict[str, bool], erased: set[str]) -> None:
    named = {customer_id for customer_id, _ in recorded(client) if customer_id is not None}
    assert named <= {name for name, yes in allowed.items() if yes} - erased
