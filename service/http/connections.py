"""Connections of a worker: what a client may send, leave unread and keep everyone waiting for.

All of this holds before anybody has shown a key. It is uvicorn's protocol on httptools: a request
costs one addition more, and whom a connection waits for is looked at once a second.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from service.errors import (
    AddressTooLong,
    HeadersTooLarge,
    Problem,
    RequestLate,
    TooLarge,
    TooManyConnections,
)
from service.http.ready_answers import ReadyAnswers
from service.runtime.metrics import Metrics
from service.settings import Settings

HEADER_LIMIT_BYTES: Final = 65_536  # request line and headers
# What frames the parts of a body, and trailers: so much, and a fourth of the body's bytes.
FRAMING_LIMIT_BYTES: Final = 4096
FRAMING_SHARE: Final = 4
PIECE_BYTES: Final = 1024  # parsed at once, then the limits are looked at
MAX_HEADERS: Final = 256  # and as many trailers
MAX_PIPELINED: Final = 16  # requests that wait behind the one that is answered
ROOM_SHARE: Final = 16  # one in so many connections is closed where there is no room for another
SWEEP_SECONDS: Final = 1.0
LINGER_SECONDS: Final = 0.5  # so that a refusal is read before the rest of the request is dropped
DRAIN_SECONDS: Final = 1.0  # what was sent before its sender could know of the end is answered
LOG_SECONDS: Final = 60.0
PROBES: Final = frozenset({"/healthz", "/readyz"})
log: Final = logging.getLogger("regulars.connections")


class Wait(StrEnum):
    """Something that a connection waits for."""

    FIRST_REQUEST = "first request"
    NEXT_REQUEST = "next request"
    HEADERS = "headers"
    BODY = "body"
    READER = "reader"  # of an answer
    END = "end"  # it was refused
    ANSWER = "answer"  # the client waits for us


class End(StrEnum):
    """A reason why the service ends a connection."""

    HEADERS_LATE = "headers_late"
    BODY_LATE = "body_late"
    NOT_READ = "not_read"
    TOO_LARGE = "too_large"
    NO_ROOM = "no_room"


@dataclass(frozen=True)
class ConnectionLimits:
    """Hold what clients may take of a worker."""

    open_connections: int
    body_bytes: int
    header_seconds: float
    body_seconds: float
    write_seconds: float  # without a byte taken

    def seconds(self, wait: Wait) -> float:
        """Return how long a client may keep a connection waiting.

        Forever for the next request, as uvicorn ends that wait by itself.
        """
        match wait:
            case Wait.FIRST_REQUEST | Wait.HEADERS:
                return self.header_seconds
            case Wait.BODY:
                return self.body_seconds
            case Wait.READER:
                return self.write_seconds
            case _:
                return float("inf")


def bounded_protocol(settings: Settings, open_connections: int) -> Callable[..., Connection]:
    """Return what makes the connections of a worker. It can be sent to another process."""
    limits = ConnectionLimits(
        open_connections=open_connections,
        body_bytes=settings.body_limit_bytes,
        header_seconds=settings.header_seconds,
        body_seconds=settings.body_seconds,
        write_seconds=settings.write_seconds,
    )
    return partial(Connection, OpenConnections(limits))


class OpenConnections:
    """The open connections of a process: who keeps it waiting is ended, who comes gets room."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._open: dict[Connection, None] = {}  # in the order in which they were opened
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._drains = False
        self._head_of: list[tuple[bytes, bytes]] = []  # headers of the lines that are kept
        self._head = STATUS_LINE[200]
        self._ended: Counter[End] = Counter()  # not logged yet
        self._logged = float("-inf")

    def add(self, connection: Connection) -> bool:
        """Hold a new connection; return whether there is room for it, or room could be made."""
        self._open[connection] = None
        if self._sweep_timer is None:
            self._arm_sweep(connection)
        return len(self._open) <= self.limits.open_connections or self._make_room(connection)

    def remove(self, connection: Connection) -> None:
        """Let go of a connection; one that is gone already is none of ours."""
        self._open.pop(connection, None)

    def count(self, reason: End, metrics: Metrics | None) -> None:
        """Note that the service ends a connection."""
        self._ended[reason] += 1
        if metrics is not None:
            metrics.connections_ended.labels(reason).inc()

    def write_head(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        """Return the first lines of a ready answer. `headers`: another list every second."""
        if headers is not self._head_of:
            lines = [b"%s: %s\r\n" % header for header in headers]
            self._head_of, self._head = headers, b"".join([STATUS_LINE[200], *lines])
        return self._head

    def drain(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let every connection go once its next request is answered, or none has come.

        A client may have sent a request before it could see that the service ends.
        """
        if not self._drains:
            self._drains = True
            loop.call_later(DRAIN_SECONDS, self._close_unused, loop)

    def _make_room(self, newest: Connection) -> bool:
        """End those that have kept us waiting longest; return whether there was any.

        Many at once, as looking at all of them takes longer than answering.
        """
        waiting = [
            connection
            for connection in self._open
            if connection is not newest and connection.is_waiting()
        ]
        count = -(-self.limits.open_connections // ROOM_SHARE)
        for connection in heapq.nsmallest(count, waiting, key=Connection.precedence):
            connection.abort(End.NO_ROOM)
        return bool(waiting)

    def _close_unused(self, loop: asyncio.AbstractEventLoop) -> None:
        for connection in list(self._open):
            if connection.find_wait() in (Wait.FIRST_REQUEST, Wait.NEXT_REQUEST, Wait.HEADERS):
                connection.transport.close()
        if self._open:
            loop.call_later(DRAIN_SECONDS, self._close_unused, loop)

    def _arm_sweep(self, connection: Connection) -> None:
        self._sweep_timer = connection.loop.call_later(
            SWEEP_SECONDS, self._sweep, connection.loop, connection.metrics
        )

    def _sweep(self, loop: asyncio.AbstractEventLoop, metrics: Metrics | None) -> None:
        now = loop.time()
        for connection in list(self._open):
            connection.end_if_late(now)
        if metrics is not None:
            metrics.connections.set(len(self._open))
        if self._ended and now - self._logged >= LOG_SECONDS:
            counts = ", ".join(f"{reason}: {count}" for reason, count in self._ended.items())
            log.warning("connections ended by the service: %s", counts)
            self._ended, self._logged = Counter(), now
        self._sweep_timer = None
        for connection in self._open:
            self._arm_sweep(connection)
            break


class Connection(HttpToolsProtocol):
    """A connection that is ended where its client takes more than it may."""

    def __init__(self, opened: OpenConnections, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.metrics: Metrics | None = self.app_state.get("metrics")
        self._ready: ReadyAnswers | None = self.app_state.get("ready_answers")
        self._opened = opened
        self._limits = opened.limits
        self._room_bytes = HEADER_LIMIT_BYTES  # for what is not the body of the request
        self._body_room = self._limits.body_bytes
        self._refused = False
        self._answered: RequestResponseCycle | None = None  # or last answered
        self._waits_since = 0.0
        self._last_state: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._waits_since = self.loop.time()
        if not self._opened.add(self):
            self._ready = None
            self.app = partial(answer_probes_alone, self.app)

    def connection_lost(self, exc: Exception | None) -> None:
        self._opened.remove(self)
        if self._answered is not None:  # uvicorn tells the newest request alone
            self._answered.disconnected = True
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def data_received(self, data: bytes) -> None:
        if len(data) > PIECE_BYTES:
            for start in range(0, len(data), PIECE_BYTES):
                if not self.transport.is_closing():
                    self.data_received(data[start : start + PIECE_BYTES])
        elif not self._refused:
            self._room_bytes -= len(data)
            super().data_received(data)
            if len(self.pipeline) > MAX_PIPELINED:
                self.abort(End.TOO_LARGE)
            elif self._room_bytes < 0 or len(self.headers) > MAX_HEADERS:
                self._refuse(self._find_problem(), End.TOO_LARGE)

    def on_headers_complete(self) -> None:
        if not self._send_ready_answer():
            super().on_headers_complete()
        self.headers = []  # trailers that follow the body are no headers of the request
        self._room_bytes = FRAMING_LIMIT_BYTES

    def _send_ready_answer(self) -> bool:
        """Answer a request that has a ready answer; return whether it had."""
        ready, parser, cycle = self._ready, self.parser, self.cycle
        headers = self.server_state.default_headers
        is_plain = (
            parser.get_method() == b"GET"
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and (cycle is None or cycle.response_complete)
            and not self.flow.write_paused
            and CLOSE_HEADER not in headers  # the service ends
        )
        answer = ready.find(self.url, self.headers) if ready is not None and is_plain else None
        if answer is None:
            return False
        self.transport.write(b"".join([self._opened.write_head(headers), *answer]))
        self.cycle = Answered(self.scope)  # type: ignore[assignment]
        self.on_response_complete()
        return True

    def on_body(self, body: bytes) -> None:
        size = min(len(body), self._body_room)
        self._body_room -= size
        self._room_bytes += size + size // FRAMING_SHARE
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._room_bytes, self._body_room = HEADER_LIMIT_BYTES, self._limits.body_bytes
        super().on_message_complete()

    def shutdown(self) -> None:
        if self.find_wait() in (Wait.FIRST_REQUEST, Wait.NEXT_REQUEST, Wait.HEADERS):
            self._opened.drain(self.loop)
        else:
            super().shutdown()

    def find_wait(self) -> Wait:
        """Return what the connection waits for."""
        cycle: RequestResponseCycle | None = self.cycle
        if self.transport.get_write_buffer_size():
            return Wait.READER
        if cycle is not None and cycle.more_body and not self.flow.read_paused:
            return Wait.BODY
        if cycle is not None and not (cycle.response_complete or cycle.disconnected):
            return Wait.ANSWER
        if self._refused:
            return Wait.END
        if self.scope is not (cycle.scope if cycle else None):  # a request has begun
            return Wait.HEADERS
        if cycle is None:
            return Wait.FIRST_REQUEST
        # An empty line stops the clock of uvicorn.
        return Wait.NEXT_REQUEST if self.timeout_keep_alive_task else Wait.HEADERS

    def is_waiting(self) -> bool:
        """Return whether the client keeps the connection waiting.

        A reader counts from the second look at which it has taken nothing.
        """
        wait = self.find_wait()
        if wait is Wait.READER:
            return self._state(wait) == self._last_state
        return wait is not Wait.ANSWER

    def precedence(self) -> tuple[bool, float]:
        """Return what orders those that make room: who waits longest, kept connections last.

        A kept connection has been answered, and its client owes nothing.
        """
        timer = self.timeout_keep_alive_task
        if timer is not None and self.find_wait() is Wait.NEXT_REQUEST:
            return True, timer.when() - self.timeout_keep_alive
        return False, self._waits_since

    def end_if_late(self, now: float) -> None:
        """End the connection if it has waited for its client for too long."""
        wait = self.find_wait()
        state = self._state(wait)
        if state != self._last_state:
            self._last_state, self._waits_since = state, now
        elif now - self._waits_since >= self._limits.seconds(wait):
            self._end_late(wait)

    def _state(self, wait: Wait) -> tuple[Wait, object, int]:
        return wait, self.cycle, self.transport.get_write_buffer_size()

    def abort(self, reason: End) -> None:
        """End the connection with all that has not been sent."""
        self._opened.count(reason, self.metrics)
        self._opened.remove(self)
        self.transport.abort()

    def _end_late(self, wait: Wait) -> None:
        if wait is Wait.READER:
            self.abort(End.NOT_READ)
        elif wait is Wait.FIRST_REQUEST:  # a browser may open one ahead, and wants no answer
            self._opened.count(End.HEADERS_LATE, self.metrics)
            self.transport.close()
        else:
            late = End.BODY_LATE if wait is Wait.BODY else End.HEADERS_LATE
            self._refuse(RequestLate(self._limits.seconds(wait)), late)

    def _find_problem(self) -> Problem:
        if not self._body_room:
            return TooLarge(self._limits.body_bytes)
        is_address = self.url is not None and len(self.url) > HEADER_LIMIT_BYTES // 2
        if is_address:
            return AddressTooLong(HEADER_LIMIT_BYTES)
        return HeadersTooLarge(HEADER_LIMIT_BYTES, MAX_HEADERS, FRAMING_LIMIT_BYTES)

    def _refuse(self, problem: Problem, reason: End) -> None:
        """Read no more, say why where that is still possible, and end the connection."""
        self._opened.count(reason, self.metrics)
        self._refused = True
        self.flow.pause_reading()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.more_body and not cycle.response_complete:
            cycle.keep_alive = False  # the request before is answered first, and ends it
            return
        if cycle is None or not cycle.more_body:
            self._write(problem)
        elif not cycle.response_started:
            self._write(problem)
            cycle.disconnected = True  # nobody waits for its answer any more
            cycle.message_event.set()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _write(self, problem: Problem) -> None:
        response = problem.response()
        lines = [STATUS_LINE[response.status_code]]
        headers = [*self.server_state.default_headers, *response.raw_headers, CLOSE_HEADER]
        lines += [b"%s: %s\r\n" % header for header in headers]
        self.transport.write(b"".join([*lines, b"\r\n", response.body]))


class Answered:
    """A request that was answered without a cycle of uvicorn, in the place of one."""

    response_started = response_complete = True
    more_body = disconnected = False
    keep_alive = True
    message_event: Final = asyncio.Event()  # nobody waits for it

    def __init__(self, scope: Any) -> None:
        self.scope = scope


async def answer_probes_alone(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer probes as the app does and everything else with a 503, which ends the connection."""
    if scope["path"] in PROBES:
        await app(scope, receive, send)
    else:
        await TooManyConnections().response()(scope, receive, send)
