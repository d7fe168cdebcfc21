"""What is sent again as it is, is what the shop would answer now."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from service.http.rate_limits import MemoryRateLimits
from service.http.ready_answers import (
    ENTRY_BYTES,
    READY_BYTES,
    READY_SECONDS,
    AnswerBasis,
    Call,
    ReadyAnswers,
    name_request,
)
from tests.support.keyed_service import ANNA, SIGNING_KEY, token
from tests.support.raw_connection import connected, head, read_to_end, send
from tests.support.service_process import server
from tests.support.service_shop import Browse, Shop

MOMENT = re.compile(rb"(date|ratelimit): .*\r\n")
HEADERS = ((b"host", b"shop"), (b"authorization", b"Bearer key"))
SLATE = "/v1/customers/c00/recommendations"
# A letter that is written by its number: the same address, and no plain one
LONG_WAY = {
    SLATE: "/v1/customers/c00/%72ecommendations",
    "/v1/products/bread/similar": "/v1/products/bread/%73imilar",
    "/v1/products/bread/bundles": "/v1/products/bread/%62undles",
    "/v1/popular": "/v1/%70opular",
}


class Times:
    """A shop's clock, and whether what an answer stands on still holds."""

    def __init__(self) -> None:
        self.now, self.holds, self.noted = 0.0, True, 0

    def note(self) -> None:
        self.noted += 1


@pytest.fixture
def times() -> Times:
    return Times()


def kept(times: Times, limit_bytes: int = READY_BYTES, **changes: Any) -> ReadyAnswers:
    """Return ready answers with one to `/a`."""
    ready = ReadyAnswers(limit_bytes, clock=lambda: times.now)
    keep(ready, times, b"/a", **changes)
    return ready


def keep(ready: ReadyAnswers, times: Times, address: bytes, **changes: Any) -> None:
    name = name_request(address, HEADERS)
    assert name is not None
    call = Call(name, lambda: True, None, lambda _seconds: None)._replace(**changes)
    ready.keep(call, AnswerBasis(lambda: times.holds, times.note), [(b"etag", b'"1"')], b"milk")


def test_of_a_shop_that_is_let_go_nothing_is_ready_any_more(times: Times) -> None:
    ready = kept(times, shop="acme")
    keep(ready, times, b"/b")
    ready.forget("acme")
    assert ready.find(b"/a", HEADERS) is None
    assert ready.find(b"/b", HEADERS) is not None


def test_the_same_request_gets_the_same_answer_and_is_counted(times: Times) -> None:
    ready = kept(times)
    for _ in range(2):
        answer = ready.find(b"/a", [(b"accept", b"*/*"), *HEADERS])
        assert answer is not None
        assert b"".join(answer) == b'etag: "1"\r\n\r\nmilk'
    assert times.noted == 2


@pytest.mark.parametrize(
    "other",
    [
        (b"/a?n=2", HEADERS),
        (b"/a", HEADERS[:1]),
        (b"/a", ((b"host", b"another"), HEADERS[1])),
        (b"/a", (*HEADERS, (b"x-api-key", b"key"))),
        (b"/a", (*HEADERS, (b"origin", b"https://shop"))),
        (b"/a", (*HEADERS, (b"if-none-match", b'"1"'))),
        (b"/a", (*HEADERS, (b"content-length", b"0"))),
    ],
)
def test_another_request_goes_the_long_way(times: Times, other: tuple[bytes, Any]) -> None:
    assert kept(times).find(*other) is None
    assert times.noted == 0


def test_nothing_is_sent_that_does_not_hold_any_more(times: Times) -> None:
    ready = kept(times)
    times.holds = False
    assert ready.find(b"/a", HEADERS) is None
    times.holds = True
    assert ready.find(b"/a", HEADERS) is None, "it came back"


def test_nothing_is_sent_to_a_key_that_was_revoked(times: Times) -> None:
    assert kept(times, caller_holds=lambda: False).find(b"/a", HEADERS) is None


def test_an_answer_is_asked_for_anew_after_a_while(times: Times) -> None:
    ready = kept(times)
    times.now = READY_SECONDS + 1
    assert ready.find(b"/a", HEADERS) is None


def test_a_call_over_the_limit_goes_the_long_way_uncounted(times: Times) -> None:
    limits = MemoryRateLimits(clock=lambda: 0.0)
    ready = kept(times, count_call=partial(limits.count_at_once, "key", 2))
    answers = [ready.find(b"/a", HEADERS) for _ in range(4)]
    assert [answer is not None for answer in answers] == [True, True, False, False]
    assert b'ratelimit: "calls";r=1;t=30' in b"".join(answers[0] or [])
    assert times.noted == 2


def test_the_oldest_go_where_there_is_no_room(times: Times) -> None:
    ready = kept(times, limit_bytes=2 * (ENTRY_BYTES + 4))
    for address in (b"/b", b"/c"):
        keep(ready, times, address)
    found = [ready.find(address, HEADERS) is not None for address in (b"/a", b"/b", b"/c")]
    assert found == [False, True, True]


def test_nothing_is_kept_where_nothing_is_to_be_cached(times: Times) -> None:
    assert kept(times, limit_bytes=0).find(b"/a", HEADERS) is None


@pytest.fixture(scope="module")
def port(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    runtime = tmp_path_factory.mktemp("ready") / "run"
    settings = {
        "api_key": "the key",
        "signing_key": SIGNING_KEY,
        "cors_origins": "https://shop.example",
        "runtime_dir": runtime,
        "deadline_ms": 10_000,
        "customer_calls_a_minute": 100_000,
    }
    with server(shop.root, **settings, calls_a_minute=100_000) as (port, _, _):
        yield port


@pytest.mark.slow
@pytest.mark.parametrize("address", LONG_WAY)
@pytest.mark.parametrize("query", ["", "?n=3&placement=home", "?n=2&fields=ids"])
def test_a_ready_answer_is_byte_by_byte_that_of_the_long_way(
    port: int, address: str, query: str
) -> None:
    (long_way,) = ask(port, LONG_WAY[address] + query)
    for _ in range(3):  # computed or cached, then ready
        assert ask(port, address + query) == [long_way]
    assert long_way.startswith(b"200 OK")


@pytest.mark.slow
@pytest.mark.parametrize("origin", ["https://shop.example", "https://elsewhere.example", None])
@pytest.mark.parametrize("address", LONG_WAY)
def test_a_page_of_the_shop_gets_the_same_with_a_customers_token(
    port: int, address: str, origin: str | None
) -> None:
    lines = [f"Authorization: Bearer {token(ANNA)}", *([f"Origin: {origin}"] if origin else [])]
    (long_way,) = ask(port, LONG_WAY[address], caller=lines)
    for _ in range(3):
        assert ask(port, address, caller=lines) == [long_way]
    allowed = b"access-control-allow-origin: https://shop.example\r\n"
    assert (allowed in long_way) is (origin == "https://shop.example")
    assert b"vary: Origin\r\n" in long_way  # so that no cache between gives it to another page


def test_a_token_that_has_ended_opens_nothing_that_was_ready(browse: Browse) -> None:
    client = browse(signing_key=SIGNING_KEY)
    ends = int(time.time()) + 2
    headers = {"Authorization": f"Bearer {token(ANNA, life=2)}"}
    for _ in range(3):
        assert client.get(SLATE, headers=headers).status_code == 200
    assert client.app.ready_answers == 2  # type: ignore[attr-defined]
    time.sleep(max(ends - time.time(), 0) + 1)
    assert client.get(SLATE, headers=headers).status_code == 401


def test_calls_of_a_token_that_are_ready_count_as_the_customers(browse: Browse) -> None:
    client = browse(signing_key=SIGNING_KEY, customer_calls_a_minute=4)
    headers = {"Authorization": f"Bearer {token(ANNA)}"}
    left = [client.get(SLATE, headers=headers).headers["RateLimit"] for _ in range(4)]
    assert [limit.split(";")[1] for limit in left] == ["r=3", "r=2", "r=1", "r=0"]
    assert client.get(SLATE, headers=headers).json()["fallback_reason"] == "rate_limited"


@pytest.mark.slow
def test_requests_that_come_at_once_are_answered_in_their_order(port: int) -> None:
    for _ in range(2):
        ask(port, f"{SLATE}?n=1")
    answers = ask(port, f"{SLATE}?n=1", f"{SLATE}?n=4", f"{SLATE}?n=1")
    requested = [json.loads(answer.partition(b"\r\n\r\n")[2])["requested"] for answer in answers]
    assert requested == [1, 4, 1]


@pytest.mark.slow
def test_a_tests_client_meets_ready_answers(browse: Browse) -> None:
    client = browse()
    bodies = {client.get(SLATE).content for _ in range(3)}
    assert len(bodies) == 1
    assert client.app.ready_answers == 2  # type: ignore[attr-defined]


def ask(port: int, *addresses: str, caller: Sequence[str] = ("X-API-Key: the key",)) -> list[bytes]:
    """Return the answers to requests that come at once, but for what tells the moment."""
    with connected(port) as connection:
        calls = [head("GET", address, *caller) for address in addresses]
        send(connection, b"".join([*calls, head("GET", "/healthz", "Connection: close")]))
        answers = read_to_end(connection).split(b"HTTP/1.1 ")[1:-1]
    return [_sort_headers(MOMENT.sub(b"", answer)) for answer in answers]


def _sort_headers(answer: bytes) -> bytes:
    """Return an answer with its headers by name: their order means nothing."""
    head_lines, _, body = answer.partition(b"\r\n\r\n")
    status, *headers = head_lines.split(b"\r\n")
    return b"\r\n".join([status, *sorted(headers), b"", body])
