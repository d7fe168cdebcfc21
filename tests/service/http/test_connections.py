"""One client that sends too much, too slowly, or does not read, is not felt by the others."""

import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import psutil
import pytest

from service.http.connections import HEADER_LIMIT_BYTES, MAX_PIPELINED
from service.runtime.workers import UNSENT_BYTES
from tests.support.raw_connection import (
    connected,
    head,
    read_answer,
    read_to_end,
    seconds_until_end,
    send,
)
from tests.support.service_process import server
from tests.support.service_shop import Shop, process, status, wait_until

pytestmark = pytest.mark.slow

KEY = "the key of this shop"
WITH_KEY = f"X-API-Key: {KEY}"
SLATE = "/v1/customers/c00/recommendations"
MAX_CONNECTIONS = 40
SETTINGS = {
    "api_key": KEY,
    "unasked": "allow",
    "deadline_ms": 10_000,
    "header_seconds": 1,
    "body_seconds": 1,
    "write_seconds": 1,
    "max_connections": MAX_CONNECTIONS,
}
CHUNKED = "Transfer-Encoding: chunked"
POST_IN_CHUNKS = head("POST", "/v1/events", WITH_KEY, CHUNKED)
OPEN_HEAD = head("GET", "/v1/popular").removesuffix(b"\r\n")
A_LOT = 30_000_000  # bytes, more than the system holds for a service that does not read


@pytest.fixture(scope="module")
def port(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A service that waits a second for anything, and holds 40 connections."""
    runtime = tmp_path_factory.mktemp("connections") / "run"
    with process(shop.root, runtime, **SETTINGS) as port:
        yield port


def problem(body: bytes) -> str:
    kind: str = json.loads(body)["type"]
    return kind.removeprefix("urn:regulars:problem:")


@pytest.mark.parametrize(
    ("begin", "part", "expected"),
    [
        (OPEN_HEAD + b"X-Note: ", b"x" * 1000, (431, "headers_too_large")),
        (OPEN_HEAD, b"x" * 1000, (431, "headers_too_large")),
        (OPEN_HEAD, b"A: b\r\n" * 100, (431, "headers_too_large")),
        (b"GET /v1/popular?category=", b"x" * 1000, (414, "address_too_long")),
        (POST_IN_CHUNKS + b"5;", b"x" * 1000, (431, "headers_too_large")),
        (POST_IN_CHUNKS + b"0\r\n", b"A: b\r\n" * 100, (431, "headers_too_large")),
        (POST_IN_CHUNKS, b"1\r\n \r\n" * 100, (431, "headers_too_large")),
    ],
    ids=["header", "name", "headers", "address", "mark of a chunk", "trailers", "chunks of a byte"],
)
def test_headers_without_an_end_are_refused(
    port: int, begin: bytes, part: bytes, expected: tuple[int, str]
) -> None:
    with connected(port) as connection:
        send(connection, begin)
        sent = send(connection, part, A_LOT // len(part))
        assert sent * len(part) < A_LOT, "it read everything"
        code, body = read_answer(connection)
        assert (code, problem(body)) == expected


def test_headers_within_the_limit_are_read(port: int) -> None:
    room = HEADER_LIMIT_BYTES - len(head("GET", SLATE, WITH_KEY, "X-Note: "))
    with connected(port) as connection:
        for _ in range(3):
            send(connection, head("GET", SLATE, WITH_KEY, f"X-Note: {'x' * room}"))
            assert read_answer(connection)[0] == 200


def test_a_body_in_small_chunks_is_read(port: int) -> None:
    text = b'{"events": [], "note": "' + b"x" * 5000 + b'"}'
    chunks = [b"%x\r\n%s\r\n" % (10, text[start : start + 10]) for start in range(0, 5000, 10)]
    with connected(port) as connection:
        call = head("POST", "/v1/events", WITH_KEY, CHUNKED, "Content-Type: application/json")
        send(connection, call + b"".join(chunks))
        send(connection, b"%x\r\n%s\r\n0\r\n\r\n" % (len(text) - 5000, text[5000:]))
        assert read_answer(connection)[0] == 422


@pytest.mark.parametrize("headers", [["Content-Length: 1000000000"], [CHUNKED]])
def test_who_was_refused_does_not_go_on_sending(port: int, headers: Sequence[str]) -> None:
    with connected(port) as connection:
        send(connection, head("POST", "/v1/events", *headers))
        assert read_answer(connection)[0] == 401
        part = b"400\r\n" + b"x" * 1024 + b"\r\n"
        sent = send(connection, part, 3 * A_LOT // len(part))
        assert sent < 3 * A_LOT // len(part), "it read everything"


def test_a_body_over_the_limit_is_refused_where_nobody_said_how_long_it_is(port: int) -> None:
    with connected(port) as connection:
        send(connection, POST_IN_CHUNKS)
        part = b"400\r\n" + b" " * 1024 + b"\r\n"
        send(connection, part, 3 * A_LOT // len(part))
        code, body = read_answer(connection)
        assert (code, problem(body)) == (413, "too_large")


def test_trailers_are_no_headers_of_the_request(port: int) -> None:
    trailer = f"0\r\n{WITH_KEY}\r\n\r\n".encode()
    with connected(port) as connection:
        send(connection, head("GET", SLATE, CHUNKED) + trailer)
        assert read_answer(connection)[0] == 401


def test_requests_in_a_row_are_answered_in_their_order_and_not_without_an_end(port: int) -> None:
    call = head("GET", SLATE, WITH_KEY)
    with connected(port) as connection:
        send(connection, call * (MAX_PIPELINED // 2))
        with connection.makefile("rb") as answers:
            for _ in range(MAX_PIPELINED // 2):
                assert answers.readline().split()[1] == b"200"
                lengths = [
                    line for line in iter(answers.readline, b"\r\n") if b"content-length" in line
                ]
                answers.read(int(lengths[0].split()[1]))
    with connected(port) as connection:
        send(connection, call * 20_000)
        assert read_to_end(connection).count(b"HTTP/1.1 200") < 1000


def test_a_client_that_says_nothing_or_half_of_it_is_not_waited_for(port: int) -> None:
    half_body = head("POST", "/v1/events", WITH_KEY, "Content-Length: 100") + b'{"events": ['
    refused_body = head("POST", "/v1/events", "Content-Length: 100") + b'{"events": ['
    after_answer = head("GET", "/healthz") + OPEN_HEAD
    with ExitStack() as stack:
        silent, half_head, drop, half, refused, later, empty = (
            stack.enter_context(connected(port)) for _ in range(7)
        )
        send(half_head, OPEN_HEAD)
        send(drop, OPEN_HEAD)
        send(half, half_body)
        send(refused, refused_body)
        send(later, after_answer)
        assert read_answer(later)[0] == 200
        send(empty, head("GET", "/healthz"))
        assert read_answer(empty)[0] == 200
        send(empty, b"\r\n")
        stop = threading.Event()

        def send_drops() -> None:
            while not stop.wait(0.05) and send(drop, b"x"):
                pass

        dropping = threading.Thread(target=send_drops)
        dropping.start()
        assert seconds_until_end(silent) < 5
        assert read_answer(half_head)[0] == 408
        assert read_answer(drop)[0] == 408
        code, body = read_answer(half)
        assert (code, problem(body)) == (408, "late")
        assert read_answer(refused)[0] == 401
        assert read_answer(later)[0] == 408
        for connection in (half_head, drop, half, refused, later, empty):
            assert seconds_until_end(connection) < 5
        stop.set()
        dropping.join()


def test_who_sends_slowly_within_the_time_is_answered(port: int) -> None:
    with connected(port) as connection:
        for part in (OPEN_HEAD[:10], OPEN_HEAD[10:], f"{WITH_KEY}\r\n".encode(), b"\r\n"):
            send(connection, part)
            time.sleep(0.1)
        assert read_answer(connection)[0] == 200


def test_the_time_of_a_request_begins_anew_on_a_kept_connection(port: int) -> None:
    with connected(port) as connection:
        for _ in range(8):  # three times as long as one request may take
            send(connection, OPEN_HEAD)
            time.sleep(0.4)
            send(connection, f"{WITH_KEY}\r\n\r\n".encode())
            assert read_answer(connection)[0] == 200


def batch(recipients: int = 1000) -> bytes:
    """Return a call for a stream of large slates."""
    customers = [{"customer_id": f"c{number}"} for number in range(recipients)]
    body = json.dumps({"recipients": customers, "n": 100}).encode()
    kinds = ("Accept: application/x-ndjson", "Content-Type: application/json")
    length = f"Content-Length: {len(body)}"
    return head("POST", "/v1/recommendations/batch", WITH_KEY, *kinds, length) + body


def test_who_does_not_read_is_not_written_to_for_ever(port: int) -> None:
    with connected(port, receive_bytes=4096) as connection:
        send(connection, batch())
        wait_until(lambda: count_ended(port, "not_read") == 1)
        received = read_to_end(connection)
        assert received.startswith(b"HTTP/1.1 200")
        assert received.count(b"\n") < 1000


def test_a_client_that_goes_away_is_no_error(port: int) -> None:
    with connected(port, receive_bytes=4096) as connection:
        send(connection, head("GET", "/docs/assets/swagger-ui-bundle.js") * 8)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as own:
        wait_until(lambda: "regulars_connections 1.0" in read_metrics(own))
        assert "regulars_errors_total 0.0" in read_metrics(own)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux tells what it holds")
def test_the_system_holds_little_of_an_answer_for_who_does_not_read(port: int) -> None:
    with connected(port, receive_bytes=4096) as connection:
        send(connection, head("GET", "/docs/assets/swagger-ui-bundle.js") * 8)
        wait_until(lambda: held_bytes(connection) > 0)
        begun = time.monotonic()
        while time.monotonic() - begun < 0.5:
            assert held_bytes(connection) < 2 * UNSENT_BYTES


def held_bytes(connection: socket.socket) -> int:
    """Return how many bytes the system holds that the service has sent on a connection."""
    ports = (connection.getpeername()[1], connection.getsockname()[1])
    ends = [f"{port:04X}" for port in ports]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, service, client, _, queues, *_ = line.split()
        if [service.partition(":")[2], client.partition(":")[2]] == ends:
            return int(queues.partition(":")[0], 16)
    raise AssertionError("the service has no such connection")


def metrics(port: int) -> str:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        return read_metrics(connection)


def read_metrics(connection: http.client.HTTPConnection) -> str:
    connection.request("GET", "/metrics", headers={"X-API-Key": KEY})
    return connection.getresponse().read().decode()


def count_ended(port: int, reason: str) -> int:
    """Return how many connections the service has ended for a reason, by its metrics."""
    name = f'regulars_connections_ended_total{{reason="{reason}"}} '
    return sum(
        int(float(line.removeprefix(name)))
        for line in metrics(port).splitlines()
        if line.startswith(name)
    )


@pytest.mark.parametrize(
    "begin",
    [b"", OPEN_HEAD, head("POST", "/v1/events", "Content-Length: 100") + b"{"],
    ids=["silent", "half headers", "half a body"],
)
def test_where_there_is_no_room_a_kept_connection_goes_last(port: int, begin: bytes) -> None:
    ended_before = count_ended(port, "no_room")
    with ExitStack() as stack:
        storefront = stack.enter_context(connected(port))
        send(storefront, head("GET", SLATE, WITH_KEY))
        assert read_answer(storefront)[0] == 200
        for number in range(3 * MAX_CONNECTIONS):
            hostile = stack.enter_context(connected(port))
            send(hostile, begin)
            if begin.endswith(b"{"):
                assert read_answer(hostile)[0] == 401
            if number % 10 == 0:
                assert status(port, "/readyz") == 200
        send(storefront, head("GET", SLATE, WITH_KEY))
        assert read_answer(storefront)[0] == 200
    assert count_ended(port, "no_room") > ended_before + MAX_CONNECTIONS


def test_where_all_are_being_answered_probes_are_answered_too(shop: Shop, tmp_path: Path) -> None:
    settings = SETTINGS | {"max_connections": 2, "cache_bytes": 0}
    with process(shop.root, tmp_path / "run", **settings) as port, ExitStack() as stack:
        readers = [Reader(stack.enter_context(connected(port)), batch(300)) for _ in range(2)]
        wait_until(lambda: all(reader.received for reader in readers))
        for path in ("/healthz", "/readyz"):
            assert status(port, path) == 200
        with connected(port) as another:
            send(another, head("GET", SLATE, WITH_KEY))
            code, body = read_answer(another)
            assert (code, problem(body)) == (503, "too_many_connections")
            assert seconds_until_end(another) < 1
        assert [reader.end() for reader in readers] == [300, 300]


class Reader:
    """A client that reads a batch as it comes."""

    def __init__(self, connection: socket.socket, call: bytes) -> None:
        self.received = b""
        send(connection, call)
        self._thread = threading.Thread(target=self._read, args=(connection,))
        self._thread.start()

    def end(self) -> int:
        """Return how many slates have come when the last one has."""
        self._thread.join()
        return self.received.count(b'"recommendation_id"')

    def _read(self, connection: socket.socket) -> None:
        while not self.received.endswith(b"0\r\n\r\n"):
            data = connection.recv(65_536)
            if not data:
                break
            self.received += data


def test_a_client_that_does_not_read_does_not_keep_the_service_from_stopping(
    shop: Shop, tmp_path: Path
) -> None:
    settings = SETTINGS | {"runtime_dir": tmp_path / "run", "cache_bytes": 0, "write_seconds": 60}
    with ExitStack() as stack:
        with server(shop.root, shutdown_seconds=3, **settings) as (port, _, _):
            stuck = stack.enter_context(connected(port, receive_bytes=4096))
            send(stuck, batch())
            assert stuck.recv(100).startswith(b"HTTP/1.1 200")
            reader = Reader(stack.enter_context(connected(port)), batch(300))
            wait_until(lambda: bool(reader.received))
            assert reader.received.count(b'"recommendation_id"') < 300
            stopped = time.monotonic()
        assert time.monotonic() - stopped < 6
        assert reader.end() == 300


@pytest.mark.parametrize("workers", [1, 2])
def test_what_was_sent_before_the_end_could_be_seen_is_answered(
    shop: Shop, tmp_path: Path, workers: int
) -> None:
    settings = SETTINGS | {"runtime_dir": tmp_path / "run", "workers": workers}
    call = head("GET", SLATE, WITH_KEY)
    with server(shop.root, **settings) as (port, pid, _), ExitStack() as stack:
        kept, half, fresh = (stack.enter_context(connected(port)) for _ in range(3))
        send(kept, call)
        assert read_answer(kept)[0] == 200
        send(half, call[:20])
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not is_listening(port))
        for connection, rest in ((kept, call), (half, call[20:]), (fresh, call)):
            send(connection, rest)
            answer = read_to_end(connection)
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"\r\nconnection: close\r\n" in answer


@pytest.mark.parametrize("workers", [1, 2])
def test_a_connection_that_the_system_has_accepted_is_answered_at_the_end(
    shop: Shop, tmp_path: Path, workers: int
) -> None:
    settings = SETTINGS | {"runtime_dir": tmp_path / "run", "workers": workers}
    with server(shop.root, **settings) as (port, pid, _), ExitStack() as stack:
        service = psutil.Process(pid)
        wait_until(lambda: status(port, "/readyz") == 200)
        answering = workers_of(service)
        for process in answering:
            process.suspend()
        waiting = [stack.enter_context(connected(port)) for _ in range(8)]
        for connection in waiting:
            send(connection, head("GET", SLATE, WITH_KEY))
        for process in answering:
            process.send_signal(signal.SIGTERM)
        for process in answering:
            process.resume()
        answers = [read_answer(connection)[0] for connection in waiting]
        service.terminate()
        assert answers == [200] * 8


def workers_of(service: psutil.Process) -> list[psutil.Process]:
    """Return the processes that answer."""
    processes = [service, *service.children()]
    return [one for one in processes if any(c.status == "LISTEN" for c in one.net_connections())]


def is_listening(port: int) -> bool:
    try:
        with connected(port):
            return True
    except ConnectionRefusedError:
        return False
