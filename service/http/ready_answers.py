"""Answers that are sent again as they are, to the same request of the same caller.

The load of a shop is the same few addresses, asked again and again. Such a request is answered
where its bytes arrive, before routing, validation and the framework. It is not answered otherwise
than there: an answer is ready as long as everything holds that it was given on, which is looked at
each time, and the call counts in the limits and in the metrics as any other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from starlette.types import Scope

from models.artifact.shops import MAIN
from service.http.rate_limits import CallCount

READY_BYTES: Final = 16_000_000  # in a process
ENTRY_BYTES: Final = 2_600  # what an answer takes besides its body, measured
READY_SECONDS: Final = 60.0  # then it is asked for the long way, and may be ready once more
# Headers that tell callers apart, and those with which a request goes the long way
NAMING: Final = frozenset({b"authorization", b"x-api-key", b"host", b"origin"})
SPECIAL: Final = frozenset(
    {b"if-none-match", b"content-length", b"transfer-encoding", b"expect", b"upgrade"}
)
Headers = Sequence[tuple[bytes, bytes]]


class AnswerBasis(NamedTuple):
    """What an answer depends on besides the request, and what is counted when it is given."""

    holds: Callable[[], bool]
    note: Callable[[], None]


class Call(NamedTuple):
    """What is known of a call that was answered the long way."""

    name: bytes  # of all requests that are the same
    caller_holds: Callable[[], bool]  # whether the same key or token still opens the same
    # None: the caller has no limit. What gives None has not counted: others have to be asked
    count_call: Callable[[], CallCount | None] | None
    observe: Callable[[float], None]  # seconds that an answer took
    shop: str = MAIN  # its name


@dataclass(frozen=True, slots=True)
class _Answer:
    call: Call
    basis: AnswerBasis
    head: bytes  # lines of the headers
    body: bytes
    until: float  # on the monotonic clock


class ReadyAnswers:
    """Hold ready answers, for one event loop. The oldest go where there are too many bytes."""

    def __init__(
        self, limit_bytes: int = READY_BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit_bytes, self._clock = limit_bytes, clock
        self._answers: dict[bytes, _Answer] = {}
        self._bytes = 0

    def find(self, address: bytes, headers: Headers) -> list[bytes] | None:
        """Return the answer to a GET, headers and body as they are sent; None: it is not ready."""
        name = name_request(address, headers)
        answer = self._answers.get(name) if name is not None else None
        if answer is None:
            return None
        started, call = time.perf_counter(), answer.call
        is_old = self._clock() > answer.until
        if is_old or not (call.caller_holds() and answer.basis.holds()):
            self._remove(call.name)
            return None
        parts = [answer.head]
        if call.count_call is not None:
            count = call.count_call()
            if count is None or count.wait_seconds > 0:
                return None
            parts += [b"%s: %s\r\n" % header for header in count.headers]
        answer.basis.note()
        call.observe(time.perf_counter() - started)
        return [*parts, b"\r\n", answer.body]

    def keep(self, call: Call, basis: AnswerBasis, headers: Headers, body: bytes) -> None:
        """Have an answer ready for the next such request."""
        self._remove(call.name)
        head = b"".join(b"%s: %s\r\n" % header for header in headers)
        answer = _Answer(call, basis, head, body, self._clock() + READY_SECONDS)
        self._answers[call.name] = answer
        self._bytes += ENTRY_BYTES + len(body)
        while self._bytes > self._limit_bytes:
            self._remove(next(iter(self._answers)))

    def forget(self, shop: str) -> None:
        """Let go of the answers of a shop, and so of what they stand on."""
        for name in [name for name, one in self._answers.items() if one.call.shop == shop]:
            self._remove(name)

    def _remove(self, name: bytes) -> None:
        answer = self._answers.pop(name, None)
        if answer is not None:
            self._bytes -= ENTRY_BYTES + len(answer.body)


def name_request(address: bytes, headers: Headers) -> bytes | None:
    """Return what the same requests have in common; None for one that goes the long way."""
    parts = [address]
    for header in headers:
        name = header[0]
        if name in SPECIAL:
            return None
        if name in NAMING:
            parts += header
    return b"\n".join(parts)


def name_of_scope(scope: Scope) -> bytes | None:
    """Return the name of a request as the framework has it, below the address of no shop."""
    query: bytes = scope["query_string"]
    address = scope["raw_path"] + b"?" + query if query else scope["raw_path"]
    return name_request(address, scope["headers"])
