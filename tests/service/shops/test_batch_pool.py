"""All workers of a service compute the slates of a batch, whichever of them was asked."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson
import psutil
import pytest

from tests.support.service_shop import Shop, started, wait_until

pytestmark = pytest.mark.slow

PATH: Final = "/v1/recommendations/batch"
RECIPIENTS: Final = [{"customer_id": f"c{number:02}"} for number in range(1000)]


@contextmanager
def two_workers(shop: Shop, tmp_path: Path) -> Iterator[tuple[int, list[psutil.Process]]]:
    """A service whose answers nobody keeps; yields its port and its two workers."""
    with started(shop.root, tmp_path / "run", workers=2, cache_bytes=0) as (port, master):
        wait_until(lambda: len(listening_at(port, master)) == 2)
        folder = tmp_path / "run"
        wait_until(lambda: len(list(folder.glob("*/*.peer"))) == 2)
        yield port, listening_at(port, master)


def listening_at(port: int, master: psutil.Process) -> list[psutil.Process]:
    return [worker for worker in master.children() if has(worker, port, psutil.CONN_LISTEN)]


def has(worker: psutil.Process, port: int, state: str) -> bool:
    connections = worker.net_connections("tcp")
    return any(one.laddr.port == port and one.status == state for one in connections)


def used_seconds(worker: psutil.Process) -> float:
    times = worker.cpu_times()
    return times.user + times.system


def post(port: int, body: Any) -> list[bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Content-Type": "application/json", "Accept": "application/x-ndjson"}
    connection.request("POST", PATH, orjson.dumps(body), headers)
    lines = connection.getresponse().read().splitlines()
    connection.close()
    return lines


def test_a_batch_is_shared_and_each_gets_the_answer_of_a_call_of_their_own(
    own_shop: Shop, tmp_path: Path
) -> None:
    with two_workers(own_shop, tmp_path) as (port, workers):
        before = [used_seconds(worker) for worker in workers]
        lines = post(port, {"recipients": RECIPIENTS, "n": 40, "repeat": "include"})
        used = [used_seconds(one) - at for one, at in zip(workers, before, strict=True)]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for number in (0, 5, 500, 999):
            customer = RECIPIENTS[number]["customer_id"]
            connection.request(
                "GET", f"/v1/customers/{customer}/recommendations?n=40&repeat=include"
            )
            assert connection.getresponse().read() == lines[number]
        connection.close()
    answers = [orjson.loads(line) for line in lines]
    assert [answer["customer_id"] for answer in answers] == [
        one["customer_id"] for one in RECIPIENTS
    ]
    assert min(used) > 0.2 * sum(used)


def test_what_is_wrong_with_one_is_told_whoever_finds_it(own_shop: Shop, tmp_path: Path) -> None:
    with two_workers(own_shop, tmp_path) as (port, _):
        wrong = [{"customer_id": "c00", "exclude": 7}, {"customer_id": ""}, "c01"] * 10
        answers = list(map(orjson.loads, post(port, {"recipients": wrong + RECIPIENTS[:100]})))
    assert [answer["index"] for answer in answers[:30]] == list(range(30))
    assert all(answer["problem"]["status"] == 422 for answer in answers[:30])
    assert all("recommendations" in answer for answer in answers[30:])


def test_a_worker_that_is_killed_meanwhile_costs_no_recipient(
    own_shop: Shop, tmp_path: Path
) -> None:
    with two_workers(own_shop, tmp_path) as (port, workers):
        body = orjson.dumps({"recipients": RECIPIENTS, "n": 40})
        head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += f"Accept: application/x-ndjson\r\nContent-Length: {len(body)}\r\n"
        with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
            connection.sendall(head.encode() + b"Connection: close\r\n\r\n" + body)
            received = connection.recv(1024)
            (asked,) = [one for one in workers if has(one, port, psutil.CONN_ESTABLISHED)]
            next(worker for worker in workers if worker != asked).kill()
            while part := connection.recv(1 << 16):
                received += part
    assert received.startswith(b"HTTP/1.1 200")
    assert received.count(b'"recommendation_id"') == len(RECIPIENTS)
    assert b'"problem"' not in received
