"""Calls over keep-alive connections, as fast as they are answered or at a fixed rate, and what came
back.

At a fixed rate the schedule does not wait for slow answers: a call counts from the moment when it
was due. Sockets without a client: the cores are shared with the service that is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson
import uvloop

CONNECTIONS: Final = 64
PATIENCE_SECONDS: Final = 10.0  # then the connection is given up
LENGTH: Final = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
SOON_MS: Final = 50.0


@dataclass(frozen=True)
class Answer:
    place: int  # of its call
    taken_ms: float  # from the moment when the call was due
    status: int  # 0: the connection broke or was refused
    body: bytes


class Connection(asyncio.Protocol):
    """One call at a time."""

    def __init__(self, port: int, free: asyncio.Queue[Connection]) -> None:
        self._port, self._free = port, free
        self._transport: asyncio.WriteTransport | None = None
        self._ended: Callable[[int, bytes], None] | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._received = b""
        self._last: tuple[int, bytes] | None = (
            None  # an answer after which the service ends the connection
        )

    async def open(self) -> None:
        """Where it is not open yet, or no more."""
        if self._transport is None:
            with contextlib.suppress(OSError):  # refused: the call will say so
                await asyncio.get_running_loop().create_connection(
                    lambda: self, "127.0.0.1", self._port
                )

    def ask(self, request: bytes, ended: Callable[[int, bytes], None]) -> None:
        """`ended` gets the status and the body."""
        self._ended, self._received = ended, b""
        if self._transport is None:
            self._end(0, b"")
        else:
            self._transport.write(request)
            self._patience = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self.close)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        told = LENGTH.search(head + b"\r\n")
        if end and len(body) >= (int(told[1]) if told else 0):
            if b"\r\nconnection: close" in head:
                self._last = int(head[9:12]), body
            else:
                self._end(int(head[9:12]), body)

    def connection_lost(self, _: Exception | None) -> None:
        self._transport, last, self._last = None, self._last or (0, b""), None
        self._end(*last)

    def _end(self, status: int, body: bytes) -> None:
        if self._patience is not None:
            self._patience.cancel()
        if self._ended is not None:
            ended, self._ended = self._ended, None
            ended(status, body)
            self._free.put_nowait(self)


def request(method: str, path: str, body: object = None) -> bytes:
    """A call as it goes over the wire."""
    content = b"" if body is None else orjson.dumps(body)
    head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(content)}\r\n\r\n".encode() + content


def mail_call(customer_id: str, campaign: str, deadline_ms: int, n: int = 4) -> bytes:
    """What a mail asks for while it is rendered."""
    options = {
        "n": n,
        "placement": "email",
        "campaign": campaign,
        "fields": "card",
        "deadline_ms": deadline_ms,
    }
    return request(
        "GET", f"/v1/customers/{quote(customer_id, safe='')}/recommendations?{urlencode(options)}"
    )


async def fetch(
    port: int,
    calls: Sequence[bytes],
    told: Callable[[Answer], None],
    connections: int = CONNECTIONS,
    rate: float | None = None,
) -> float:
    """Seconds until all were answered. `rate`: calls a second; without one as fast as connections
    are free.

    A connection is opened for its first call. It rests longest before it is used again, so all take
    part.
    """
    free: asyncio.Queue[Connection] = asyncio.Queue()
    pool = [Connection(port, free) for _ in range(min(connections, len(calls)))]
    for one in pool:
        free.put_nowait(one)
    started = time.perf_counter()
    try:
        for place, call in enumerate(calls):
            if rate is not None:
                await asyncio.sleep(started + place / rate - time.perf_counter())
            connection = await free.get()
            await connection.open()
            connection.ask(
                call,
                _timed(
                    told, place, time.perf_counter() if rate is None else started + place / rate
                ),
            )
        for _ in pool:
            await free.get()
    finally:
        for one in pool:
            one.close()
    return time.perf_counter() - started


def _timed(told: Callable[[Answer], None], place: int, due: float) -> Callable[[int, bytes], None]:
    return lambda status, body: told(
        Answer(place, (time.perf_counter() - due) * 1000, status, body)
    )


def fetched(port: int, calls: Sequence[bytes], connections: int = CONNECTIONS) -> list[Answer]:
    """All answers in the order of their calls, asked for as fast as they are answered."""
    answers: list[Answer] = []
    run(fetch(port, calls, answers.append, connections))
    return sorted(answers, key=lambda answer: answer.place)


def run(played: Any) -> Any:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(played)


@dataclass
class Tally:
    """Answers, counted."""

    answers: Counter[tuple[int, str]] = field(default_factory=Counter)  # status and fallback_reason
    unusable: list[str] = field(default_factory=list)
    taken_ms: list[float] = field(default_factory=list)

    def add(self, answer: Answer) -> None:
        self.taken_ms.append(answer.taken_ms)
        try:
            body = orjson.loads(answer.body)
            reason = body["fallback_reason"] or "none"
            whole = answer.status == 200 and body["requested"] == body["count"] == len(
                body["recommendations"]
            )
        except (orjson.JSONDecodeError, KeyError):
            reason, whole = "no slate", False
        self.answers[answer.status, reason] += 1
        if not whole:
            self.unusable.append(f"{answer.status} {answer.body[:200]!r}")

    def __add__(self, other: Tally) -> Tally:
        together = self.answers + other.answers
        return Tally(together, self.unusable + other.unusable, self.taken_ms + other.taken_ms)

    def at(self, share: float) -> float:
        """The quantile of the times taken, milliseconds."""
        ordered = sorted(self.taken_ms) or [0.0]
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]

    def row(self, name: str) -> str:
        statuses = Counter[int]()
        for (status, _), count in self.answers.items():
            statuses[status] += count
        counts = ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
        times = "".join(f"{self.at(share):9.1f}" for share in (0.5, 0.99, 0.999, 1.0))
        soon = sum(taken > SOON_MS for taken in self.taken_ms)
        late = sum(count for (_, reason), count in self.answers.items() if reason == "deadline")
        return f"{name:<24} {counts:<16} {len(self.unusable):>8}{late:>7}{soon:>8}{times}"


TITLES: Final = (
    f"{'':<24} {'answers':<16} {'unusable':>8}{'late':>7}{'>50 ms':>8}"
    f"{'p50':>9}{'p99':>9}{'p99.9':>9}{'max':>9} ms"
)
