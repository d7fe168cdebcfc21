"""Nobody is told before it is durable, and what is told is there once."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event as Signal

import pytest
from sqlalchemy import Connection, select

from service.store.change_counters import counter_of
from service.store.events import Event, EventLine, write
from service.store.store import Store
from service.store.tables import events
from service.store.writer import COLLECT_SECONDS, Change, read_position
from tests.support.store_server import new_store

pytestmark = pytest.mark.slow


def view(name: str, customer_id: str = "ann") -> Event:
    return Event(name, kind=2, time=1000, lines=(EventLine("bread"),), customer_id=customer_id)


def reported(*names: str, customer_id: str = "ann") -> partial[object]:
    return partial(_reported, [view(name, customer_id) for name in names])


def _reported(batch: list[Event], change: Change) -> object:
    return write(change, batch)


def numbers(store: Store) -> list[int]:
    return store.read(
        lambda connection: list(connection.execute(select(events.c.number)).scalars())
    )


def test_what_is_acknowledged_is_there_and_seen_by_every_worker_of_the_host(
    store_url: str, store: Store, tmp_path: Path
) -> None:
    other = Store(store_url, tmp_path / "run")
    store.write(reported("e1")).result(10)
    assert other.counters[counter_of("customer", "ann")] == 1
    assert len(other.read_records("ann", None, 0).rows) == 1
    other.close()


def test_another_host_sees_it_when_it_looks(store_url: str, store: Store, tmp_path: Path) -> None:
    elsewhere = Store(store_url, tmp_path / "another host")
    store.write(reported("e1")).result(10)
    assert elsewhere.counters[counter_of("customer", "ann")] == 0
    elsewhere.follow()
    assert elsewhere.counters[counter_of("customer", "ann")] >= 1
    assert elsewhere.counters[counter_of("customer", "bob")] == 0
    elsewhere.close()


def test_a_host_that_was_away_catches_up_before_it_answers(
    store_url: str, store: Store, tmp_path: Path
) -> None:
    Store(store_url, tmp_path / "another host").close()
    store.write(reported("e1")).result(10)
    restarted = Store(store_url, tmp_path / "another host")
    assert restarted.counters[counter_of("customer", "ann")] >= 1
    restarted.close()


def test_numbers_have_no_gap_however_many_write(
    store_url: str, store: Store, tmp_path: Path
) -> None:
    other = Store(store_url, tmp_path / "run")
    with ThreadPoolExecutor(8) as callers:
        waits = [
            callers.submit(
                lambda number: (store, other)[number % 2].write(reported(f"e{number}")).result(20),
                number,
            )
            for number in range(60)
        ]
        assert all(wait.result(30) for wait in waits)
    assert sorted(numbers(store)) == list(range(1, 61))
    other.close()


def test_whoever_sees_a_number_sees_all_below_it(
    store_url: str, store: Store, tmp_path: Path
) -> None:
    """Training takes the position first and the rows after it: none of them may come later."""
    other, over = Store(store_url, tmp_path / "run"), Signal()

    def read() -> bool:
        whole = True
        while not over.is_set():
            seen = store.read(_seen)
            whole &= set(range(1, seen[0] + 1)) <= set(seen[1])
        return whole

    with ThreadPoolExecutor(3) as threads:
        reading = threads.submit(read)
        for number in range(40):
            first = store.write(reported(f"a{number}", f"b{number}"))
            other.write(reported(f"c{number}")).result(10)
            first.result(10)
        over.set()
        assert reading.result(10)
    other.close()


def _seen(connection: Connection) -> tuple[int, list[int]]:
    now = read_position(connection)
    return now.number, list(connection.execute(select(events.c.number)).scalars())


def test_one_that_breaks_takes_none_of_the_others_down(store: Store) -> None:
    held, going = Signal(), Signal()

    def hold(change: Change) -> None:
        going.set()
        held.wait(10)

    def breaks(change: Change) -> None:
        raise ZeroDivisionError

    waiting = store.write(hold)
    assert going.wait(10)
    group = [store.write(reported("e1")), store.write(breaks), store.write(reported("e2"))]
    held.set()
    waiting.result(10)
    assert group[0].result(10)
    assert isinstance(group[1].exception(10), ZeroDivisionError)
    assert group[2].result(10)
    assert sorted(numbers(store)) == [1, 2]


def test_who_goes_away_before_it_was_written_stops_nobody(store: Store) -> None:
    held, going = Signal(), Signal()

    def hold(change: Change) -> None:
        going.set()
        held.wait(10)

    first = store.write(hold)
    assert going.wait(10)
    gone = store.write(reported("gone"))
    assert gone.cancel()
    held.set()
    first.result(10)
    store.write(reported("e1")).result(10)
    assert numbers(store) == [1]


def test_another_database_at_the_same_place_starts_without_old_answers(tmp_path: Path) -> None:
    url = new_store("sqlite", tmp_path)
    store = Store(url, tmp_path / "run")
    identity = store.identity
    store.close()
    for path in tmp_path.glob("store*.db*"):
        path.unlink()
    replaced = Store(new_store("sqlite", tmp_path), tmp_path / "run")
    assert replaced.identity != identity
    replaced.close()


def test_who_did_nothing_since_the_training_is_not_looked_up(store: Store) -> None:
    assert store.read_if_unchanged("ann", "s1", 0) is not None
    store.write(reported("e1")).result(10)
    assert store.read_if_unchanged("ann", None, 0) is None
    assert store.read_if_unchanged("bob", None, 0) is not None
    assert store.read_if_unchanged("ann", None, 1) is not None  # a model that has learned it knows


def test_what_another_host_has_not_told_yet_makes_no_answer_look_newer_than_it_is(
    store_url: str, store: Store, tmp_path: Path
) -> None:
    elsewhere = Store(store_url, tmp_path / "another host")
    store.write(reported("e1")).result(10)
    seen = elsewhere.read_if_unchanged("ann", None, 0)
    assert seen is not None
    elsewhere.follow()
    assert seen.stamp < elsewhere.counters[counter_of("customer", "ann")]
    elsewhere.close()


def test_of_two_workers_that_write_all_the_time_neither_waits_for_long(
    store_url: str, tmp_path: Path
) -> None:
    workers = [Store(store_url, tmp_path / "run") for _ in range(2)]
    ends, waits = time.monotonic() + 1.5, []

    def keep_writing(caller: int) -> None:
        for number in count():
            began = time.monotonic()
            if began > ends:
                break
            workers[caller % 2].write(reported(f"{caller}-{number}")).result(10)
            waits.append(time.monotonic() - began)

    with ThreadPoolExecutor(16) as callers:
        list(callers.map(keep_writing, range(16)))
    for worker in workers:
        worker.close()
    assert max(waits) < 1


def test_what_nobody_waits_for_is_committed_with_what_comes_in_the_next_moment(
    store: Store,
) -> None:
    changes = []
    for _ in range(3):
        changes.append(store.write(itself, awaited=False))
        time.sleep(0.002)
    changes.append(store.write(itself))  # and nobody who waits is kept waiting by it
    assert len({id(change.result(10)) for change in changes}) == 1


def itself(change: Change) -> Change:
    return change


def test_who_waits_is_not_kept_waiting_by_what_came_before_and_nobody_waits_for(
    tmp_path: Path,
) -> None:
    store, waits = Store(new_store("sqlite", tmp_path), tmp_path / "run"), []
    for _ in range(30):
        began = time.monotonic()
        store.write(itself, awaited=False)
        store.write(itself).result(10)
        waits.append(time.monotonic() - began)
    store.close()
    assert min(waits) < COLLECT_SECONDS
