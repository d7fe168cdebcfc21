"""The Python clients against a running service that is killed, slow, limited, or behind a bad line."""

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from regulars_client import (
    AsyncClient,
    Call,
    Client,
    Delivery,
    EventQueue,
    NoAnswerError,
    RegularsError,
    Retry,
    ServiceError,
)

from tests.support.keyed_service import FIRST_KEY
from tests.support.lossy_proxy import LossyProxy, Mishap
from tests.support.service_process import free_port, kill
from tests.support.service_shop import Shop, process, started, wait_until
from tests.support.store_clients import audit_sent

pytestmark = pytest.mark.slow
SOON = Retry(attempts=4, first_seconds=0.01)
ONCE = Retry(attempts=1)


@pytest.fixture
def client(proxy: LossyProxy) -> Iterator[Client]:
    with Client(proxy.url, key=FIRST_KEY, retry=SOON) as opened:
        yield opened


@pytest.fixture
def queue(tmp_path: Path) -> EventQueue:
    return EventQueue(tmp_path / "events.db")


def add_views(queue: EventQueue, name: str, count: int) -> list[str]:
    return [
        queue.add(kind="view", event_id=f"{name}-{number}", customer_id="c09", product_id="bread")
        for number in range(count)
    ]


def test_a_storefront_and_a_mail_system_get_what_they_ask_for(client: Client) -> None:
    slate = client.slate("c00", n=3, placement="home", exclude=["bread"])
    assert slate["count"] == len(slate["recommendations"]) == 3
    assert client.visit(recent=["bread"], n=2)["strategy"] == "session"
    assert client.similar("bread", n=2)["strategy"] == "similar"
    assert client.bundles("bread")["strategy"] == "bundles"
    assert client.basket_bundles(basket=["bread"])["strategy"] == "bundles"
    assert client.popular(n=4, strict=True)["count"] == 4
    assert client.shop_list("new")["strategy"] == "list"
    page = client.page(customer_id="c00", parts=[{"kind": "customer", "n": 2}, {"kind": "popular"}])
    assert [part["kind"] for part in page["parts"]] == ["customer", "popular"]
    assert client.rank(product_ids=["milk", "bread"], customer_id="c00")["count"] == 2
    answers = client.batch(recipients=[{"customer_id": "c00"}, {"customer_id": "c01"}], n=1)
    assert answers["count"] == 2
    assert client.replenishment("c00")["customer_id"] == "c00"
    assert client.token(customer_id="c00", minutes=5)["token"]


def test_what_customers_and_the_shop_say_is_set_and_read(client: Client) -> None:
    consent = client.set_consent("c08", personalize_email=False)["consent"]
    assert consent["personalize_email"]["given"] is False
    client.set_preferences("c08", avoids=[{"attribute": "brand", "values": ["Ashby"]}])
    assert client.preferences("c08")["avoids"][0]["values"] == ["Ashby"]
    client.delete_preferences("c08")
    assert client.preferences("c08")["avoids"] == []
    assert client.put_products(products=[{"product_id": "rye/1", "title": "Rye"}])["written"] == 1
    assert client.change_product("rye/1", price=3.5)["document"]["price"] == 3.5
    client.delete_product("rye/1")
    with pytest.raises(ServiceError) as refused:
        client.product("rye/1")
    assert (refused.value.status, refused.value.kind) == (404, "not_found")
    client.report(
        events=[
            {
                "event_id": "dismissed",
                "kind": "dismiss",
                "time": "2026-01-01T00:00:00Z",
                "customer_id": "c08",
                "product_id": "milk",
            }
        ]
    )
    shown = [one["id"] for one in client.slate("c08", n=100)["recommendations"]]
    assert "milk" not in shown


def test_a_refusal_says_which_field_is_wrong(client: Client, proxy: LossyProxy) -> None:
    with pytest.raises(ServiceError, match="422 invalid_request") as refused:
        client.slate("c00", n=0)
    assert refused.value.errors[0]["field"] == "n"
    assert len(proxy.calls) == 1
    with Client(proxy.url, key="wrong") as stranger, pytest.raises(ServiceError) as unauthorized:
        stranger.popular()
    assert unauthorized.value.kind == "unauthorized"


def test_a_slate_is_asked_for_again_when_the_line_is_bad(client: Client, proxy: LossyProxy) -> None:
    proxy.mishaps = [Mishap.LOST, Mishap.UNANSWERED]
    assert client.slate("c00", n=1)["count"] == 1
    assert len(proxy.calls) == 3


def test_a_price_is_not_changed_again_when_its_answer_was_lost(
    client: Client, proxy: LossyProxy
) -> None:
    proxy.mishaps = [Mishap.UNANSWERED]
    with pytest.raises(NoAnswerError):
        client.change_product("bread", price=2.0)
    assert len(proxy.calls) == 1
    proxy.mishaps = [Mishap.GARBLED]
    with pytest.raises(NoAnswerError, match="no JSON"):
        client.popular()


def test_the_client_comes_back_when_the_service_says(client: Client, proxy: LossyProxy) -> None:
    proxy.mishaps = [Mishap.BUSY]
    begun = time.monotonic()
    assert client.popular(n=1)["count"] == 1
    assert time.monotonic() - begun >= 1.0
    proxy.mishaps = [Mishap.BUSY]
    with Client(proxy.url, retry=ONCE) as hasty, pytest.raises(ServiceError) as busy:
        hasty.popular()
    assert (busy.value.status, busy.value.kind, busy.value.retry_after) == (503, "", 1.0)


def test_events_whose_answer_was_lost_are_stored_once(
    client: Client, proxy: LossyProxy, queue: EventQueue, store_url: str
) -> None:
    sent = add_views(queue, "unanswered", 600)
    proxy.mishaps = [Mishap.UNANSWERED, Mishap.LOST, Mishap.UNANSWERED]
    assert client.deliver(queue) == Delivery(stored=600)
    assert len(queue) == 0
    assert audit_sent(store_url, sent) == (0, 0)


def test_events_that_could_not_be_delivered_wait_for_the_next_time(
    client: Client, proxy: LossyProxy, queue: EventQueue
) -> None:
    add_views(queue, "waited", 60)
    proxy.mishaps = [Mishap.LOST] * 4
    with pytest.raises(NoAnswerError):
        client.deliver(queue)
    assert len(queue) == 60
    assert client.deliver(queue) == Delivery(stored=60)
    assert client.deliver(queue) == Delivery()


def test_a_bad_event_is_kept_aside_and_keeps_no_other_back(
    client: Client, queue: EventQueue
) -> None:
    add_views(queue, "before", 2)
    queue.add(kind="view", event_id="bad", product_id="bread")
    add_views(queue, "after", 2)
    assert client.deliver(queue) == Delivery(stored=4, refused=1)
    (refused,) = queue.refused()
    assert refused.event["event_id"] == "bad"
    assert "customer_id" in refused.problem


def test_a_batch_that_is_too_large_is_halved_until_the_event_behind_it_stands_alone(
    client: Client, queue: EventQueue, store_url: str
) -> None:
    sent = add_views(queue, "small", 3)
    queue.add(kind="view", event_id="huge", customer_id="c09", product_id="x" * 1_000_000)
    sent += add_views(queue, "next", 3)
    assert client.deliver(queue) == Delivery(stored=6, refused=1)
    assert queue.refused()[0].event["event_id"] == "huge"
    assert audit_sent(store_url, sent) == (0, 0)


def test_the_client_with_await_does_the_same(
    proxy: LossyProxy, queue: EventQueue, store_url: str
) -> None:
    sent = add_views(queue, "awaited", 60)

    async def visit_and_deliver() -> Delivery:
        async with AsyncClient(proxy.url, key=FIRST_KEY, retry=SOON) as client:
            proxy.mishaps = [Mishap.LOST]
            assert (await client.slate("c00", n=2))["count"] == 2
            with pytest.raises(ServiceError):
                await client.send(Call("GET", "/v1/nowhere"))
            proxy.mishaps = [Mishap.UNANSWERED, Mishap.LOST]
            return await client.deliver(queue)

    assert asyncio.run(visit_and_deliver()) == Delivery(stored=60)
    assert audit_sent(store_url, sent) == (0, 0)


def test_a_client_over_its_rate_waits_as_long_as_it_is_told(
    shop: Shop, queue: EventQueue, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path / 'store.db'}"
    settings = {"database_url": database, "api_key": FIRST_KEY, "calls_a_minute": 30}
    with (
        process(shop.root, tmp_path / "run", unasked="allow", **settings) as port,
        Client(f"http://127.0.0.1:{port}", key=FIRST_KEY) as client,
    ):
        sent = add_views(queue, "limited", 3)
        wait_until(lambda: client.popular()["fallback_reason"] == "rate_limited", 60)
        begun = time.monotonic()
        assert client.deliver(queue) == Delivery(stored=3)
        assert time.monotonic() - begun >= 1.0
    assert audit_sent(database, sent) == (0, 0)


def test_a_service_that_is_killed_and_frozen_loses_and_doubles_no_event(
    shop: Shop, tmp_path: Path
) -> None:
    """The process that reports is one that restarts too: it opens its queue again each time."""
    database, port = f"sqlite:///{tmp_path / 'store.db'}", free_port()
    sent: list[str] = []
    over = threading.Event()

    def report() -> None:
        retry = Retry(attempts=2, first_seconds=0.02)
        url = f"http://127.0.0.1:{port}"
        with Client(url, key=FIRST_KEY, timeout_seconds=0.4, retry=retry) as client:
            for turn in range(1_000_000):
                queue = EventQueue(tmp_path / "events.db")
                sent.extend(add_views(queue, f"turn-{turn}", 20))
                try:
                    client.deliver(queue)
                except RegularsError:
                    time.sleep(0.05)
                last = over.is_set() and not len(queue)
                queue.close()
                if last:
                    return

    @contextmanager
    def service() -> Iterator[psutil.Process]:
        settings = {"port": port, "database_url": database, "api_key": FIRST_KEY}
        with started(shop.root, tmp_path / "run", unasked="allow", **settings) as (_, running):
            yield running

    def more_are_sent(than: int) -> None:
        wait_until(lambda: len(sent) > than, 60)

    reporter = threading.Thread(target=report)
    with service() as running:
        reporter.start()
        more_are_sent(60)
        running.send_signal(signal.SIGSTOP)
        more_are_sent(len(sent) + 20)
        running.send_signal(signal.SIGCONT)
        more_are_sent(len(sent) + 60)
        kill(running.pid)
        more_are_sent(len(sent) + 20)
    with service():
        over.set()
        reporter.join(60)
    assert not reporter.is_alive()
    assert audit_sent(database, sent) == (0, 0)
