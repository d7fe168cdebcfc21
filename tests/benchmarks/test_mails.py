"""The mailing that is measured: who is written to, and that a slow answer is not made to look fast."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.mails import audience
from tests.support.load_client import Answer, Tally, fetch, fetched, mail_call, request, run

SLATE = (
    b'{"requested": 1, "count": 1, "fallback_reason": null, "recommendations": [{"id": "bread"}]}'
)


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seconds = 0.0
    pieces = 1
    silent = False

    def do_GET(self) -> None:
        time.sleep(self.seconds)
        self.close_connection = self.silent
        if not self.silent:
            self.send_response(200)
            self.send_header("Content-Length", str(len(SLATE)))
            self.end_headers()
            step = -(-len(SLATE) // self.pieces)
            for start in range(0, len(SLATE), step):
                self.wfile.write(SLATE[start : start + step])
                time.sleep(0.01 * (self.pieces > 1))

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def shop(**given: object) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("GivenShop", (Shop,), given))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


CALLS = [mail_call(f"c{number}", "autumn", 200) for number in range(6)]


def test_an_answer_counts_from_the_moment_when_its_call_was_due() -> None:
    tally = Tally()
    with shop(seconds=0.1) as port:
        run(fetch(port, CALLS, tally.add, connections=1, rate=100))
    assert len(tally.taken_ms) == 6
    assert (
        tally.at(1.0) > 6 * 100 - 5 * 10
    )  # behind all the others, and due 50 ms after the first one
    assert tally.at(0.0) < 200


def test_several_connections_are_asked_at_once() -> None:
    with shop(seconds=0.1) as port:
        started = time.perf_counter()
        answers = fetched(port, CALLS, connections=6)
    assert time.perf_counter() - started < 0.5
    assert [(answer.place, answer.status, answer.body) for answer in answers] == [
        (n, 200, SLATE) for n in range(6)
    ]


def test_an_answer_in_pieces_is_put_together() -> None:
    with shop(pieces=5) as port:
        assert {answer.body for answer in fetched(port, CALLS, connections=2)} == {SLATE}


def test_who_is_not_answered_is_counted_too() -> None:
    with shop(silent=True) as port:
        answers = fetched(port, CALLS, connections=2)
    assert {answer.status for answer in answers + fetched(port, CALLS)} == {
        0
    }  # at last there is nobody to call


@pytest.mark.parametrize(
    ("status", "body", "usable"),
    [
        (200, SLATE, True),
        (503, SLATE, False),
        (200, SLATE.replace(b'"count": 1', b'"count": 0'), False),
        (200, SLATE[:-2], False),
        (0, b"", False),
        (422, b'{"title": "no"}', False),
    ],
)
def test_usable_is_what_a_template_can_show(status: int, body: bytes, usable: bool) -> None:
    tally = Tally()
    tally.add(Answer(0, 1.0, status, body))
    assert (tally.unusable == []) is usable


def test_counts_of_parts_add_up() -> None:
    first, second = Tally(), Tally()
    first.add(Answer(0, 1.0, 200, SLATE))
    second.add(Answer(1, 60.0, 200, SLATE.replace(b"null", b'"deadline"')))
    both = first + second
    assert both.answers == {(200, "none"): 1, (200, "deadline"): 1}
    assert both.row("both").split() == [
        "both",
        "200:",
        "2",
        "0",
        "1",
        "1",
        "60.0",
        "60.0",
        "60.0",
        "60.0",
    ]


def test_of_ten_recipients_two_are_strangers_and_one_said_no() -> None:
    names = [f"c{number}" for number in range(20)]
    everyone, refusing = audience(iter(names), 10, "stranger")
    assert len(set(everyone)) == 10
    assert sum(name not in names for name in everyone) == 2
    assert len(refusing) == 1
    assert set(refusing) < set(everyone) & set(names)
    with pytest.raises(SystemExit, match="too few customers"):
        audience(iter(names), 100, "stranger")


def test_a_call_names_its_customer_whatever_the_name_holds() -> None:
    call = mail_call("a/b ä", "spring sale", 200)
    assert call.startswith(
        b"GET /v1/customers/a%2Fb%20%C3%A4/recommendations?n=4&placement=email&campaign=spring+sale&"
    )
    assert request("PUT", "/", {"a": 1}).endswith(b'content-length: 7\r\n\r\n{"a":1}')
