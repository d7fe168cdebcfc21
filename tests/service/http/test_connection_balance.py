"""Every worker has its part of the work, however its callers came to it."""

import asyncio
import http.client
import os
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from service.http.connection_balance import INTERVAL_SECONDS, ConnectionBalance, find_excess
from tests.support.service_shop import Shop, process, wait_until

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("own_share", "shares", "excess"),
    [
        (0.9, [0.9, 0.6], 1 / 6),
        (0.6, [0.9, 0.6], 0),  # who has less keeps everybody
        (0.8, [0.8, 0.8], 0),
        (0.8, [0.8, 0.75], 0),  # chance
        (0.2, [0.2, 0.0], 0),  # nobody is in need
        (0.9, [0.9], 0),  # there is nobody else
        (0.9, [], 0),
    ],
)
def test_who_does_more_than_the_others_has_too_much(
    own_share: float, shares: list[float], excess: float
) -> None:
    assert find_excess(own_share, shares) == pytest.approx(excess)


def test_a_worker_alone_keeps_every_connection() -> None:
    assert not any(ConnectionBalance(None).should_close() for _ in range(1000))


def test_who_cannot_hear_of_the_others_keeps_every_connection(tmp_path: Path) -> None:
    balance = ConnectionBalance(str(tmp_path / "gone"))
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(balance.watch(), INTERVAL_SECONDS + 0.5))
    assert not any(balance.should_close() for _ in range(1000))


@pytest.fixture
def two_workers(shop: Shop, tmp_path: Path) -> Iterator[int]:
    with process(shop.root, tmp_path / "run", workers=2) as port:
        yield port


def test_callers_that_all_came_to_one_worker_are_shared_with_the_other(two_workers: int) -> None:
    callers = [http.client.HTTPConnection("127.0.0.1", two_workers, timeout=10) for _ in range(32)]
    for caller in callers:
        caller.connect()
    wait_until(lambda: worker_of(two_workers).keys() >= {port_of(caller) for caller in callers})
    served = worker_of(two_workers)
    (crowded, _), *_ = Counter(served[port_of(caller)] for caller in callers).most_common()
    kept = [caller for caller in callers if served[port_of(caller)] == crowded]
    for caller in {*callers} - {*kept}:
        caller.close()
    statuses, done = Counter[int](), threading.Event()
    threads = [
        threading.Thread(target=ask_again, args=(caller, statuses, done)) for caller in kept[:8]
    ]
    try:
        for thread in threads:
            thread.start()
        # A connection that ended is opened anew, and lands where chance will have it.
        wait_until(lambda: {*worker_of(two_workers).values()} > {crowded})
    finally:
        done.set()
        for thread in threads:
            thread.join()
        for caller in kept:
            caller.close()
    assert {*statuses} == {200}


def ask_again(
    caller: http.client.HTTPConnection, statuses: Counter[int], done: threading.Event
) -> None:
    while not done.is_set():
        caller.request("GET", "/v1/popular")
        answer = caller.getresponse()
        answer.read()
        statuses[answer.status] += 1


def port_of(caller: http.client.HTTPConnection) -> int:
    port: int = caller.sock.getsockname()[1]
    return port


def worker_of(port: int) -> dict[int, int]:
    """Return the process that serves the caller at each port."""
    workers = {}
    for worker in psutil.process_iter(["net_connections"]):
        if worker.pid == os.getpid():
            continue
        for connection in worker.info["net_connections"] or ():
            is_open = connection.status == psutil.CONN_ESTABLISHED
            if is_open and connection.laddr and connection.laddr[1] == port:
                workers[connection.raddr[1]] = worker.pid
    return workers
