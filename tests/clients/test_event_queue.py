"""Events that wait to be sent survive whatever happens to the process."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from regulars_client import EventQueue, QueueFullError, RefusedEvent

ADD_AND_DIE = """
import os, signal, sys
from regulars_client import EventQueue
queue = EventQueue(sys.argv[1])
for number in range(20):
    queue.add(kind="view", event_id=f"v{number}", customer_id="c00", product_id="bread")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def queue(tmp_path: Path) -> EventQueue:
    return EventQueue(tmp_path / "events.db")


def test_events_of_a_process_that_was_killed_wait_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "events.db"
    source = str(Path(__file__).parents[2] / "clients" / "python")
    command = [sys.executable, "-c", ADD_AND_DIE, str(file)]
    assert subprocess.run(command, env={"PYTHONPATH": source}, check=False).returncode < 0
    waiting = EventQueue(file).first(100)
    assert [one.event["event_id"] for one in waiting] == [f"v{number}" for number in range(20)]


def test_an_event_gets_an_id_and_a_time_where_it_has_none(queue: EventQueue) -> None:
    event_id = queue.add(kind="view", customer_id="c00", product_id="bread")
    (waiting,) = queue.first(10)
    assert waiting.event["event_id"] == event_id
    assert waiting.event["time"].endswith("+00:00")


def test_an_event_that_is_added_twice_waits_once(queue: EventQueue) -> None:
    for _ in range(2):
        queue.add(kind="view", event_id="v1", customer_id="c00", product_id="bread")
    assert len(queue) == 1


def test_threads_add_at_once(queue: EventQueue) -> None:
    with ThreadPoolExecutor(4) as pool:
        ids = list(
            pool.map(lambda _: queue.add(kind="view", session_id="s", product_id="p"), range(80))
        )
    assert {one.event["event_id"] for one in queue.first(100)} == set(ids)


def test_a_queue_that_is_full_says_so_and_keeps_what_it_has(tmp_path: Path) -> None:
    queue = EventQueue(tmp_path / "events.db", most=2)
    for _ in range(2):
        queue.add(kind="view", session_id="s", product_id="bread")
    with pytest.raises(QueueFullError, match="2 events wait"):
        queue.add(kind="view", session_id="s", product_id="bread")
    queue.settle(queue.first(1), {})
    queue.add(kind="view", session_id="s", product_id="bread")
    assert len(queue) == 2


def test_what_is_not_json_is_refused_at_once(queue: EventQueue) -> None:
    with pytest.raises(ValueError, match="JSON"):
        queue.add(kind="rating", customer_id="c00", product_id="bread", rating=float("nan"))
    assert len(queue) == 0


def test_what_the_service_will_not_take_is_kept_aside_until_somebody_has_looked(
    queue: EventQueue,
) -> None:
    for product in ("bread", "milk"):
        queue.add(kind="view", event_id=product, time="2026-01-01T00:00:00Z", product_id=product)
    queue.settle(queue.first(2), {1: "needs a customer"})
    assert len(queue) == 0
    event = {
        "kind": "view",
        "event_id": "milk",
        "time": "2026-01-01T00:00:00Z",
        "product_id": "milk",
    }
    assert queue.refused() == [RefusedEvent(event, "needs a customer")]
    queue.drop_refused()
    assert queue.refused() == []
