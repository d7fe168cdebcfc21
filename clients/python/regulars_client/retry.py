"""When a call is sent again, and after which pause."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import SystemRandom
from typing import Any, Final

import httpx2

from regulars_client.call import Call

AGAIN: Final = frozenset({408, 429, 502, 503, 504})
TOO_MANY: Final = 429  # the service did nothing
NOT_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
CHANCE: Final = SystemRandom()
Outcome = httpx2.Response | httpx2.TransportError


@dataclass(frozen=True)
class Retry:
    """Hold how often a call is sent, and how long the pauses in between may be."""

    attempts: int = 4
    first_seconds: float = (
        0.2  # the pause before the second attempt; each next one is twice as long
    )
    longest_seconds: float = 30.0  # a longer `Retry-After` is left to the caller

    def pause(self, call: Call[Any], attempt: int, outcome: Outcome) -> float | None:
        """Return the seconds to wait for the next attempt; None where there is to be none.

        `attempt`: how many were made. A call that may not be done twice is sent again only if it
        was certainly not done.
        """
        if attempt >= self.attempts:
            return None
        asked = 0.0
        if isinstance(outcome, httpx2.Response):
            if outcome.status_code not in AGAIN:
                return None
            not_done = outcome.status_code == TOO_MANY
            asked = read_retry_after(outcome) or 0.0
        else:
            not_done = isinstance(outcome, NOT_SENT)
        if not (not_done or call.may_repeat) or asked > self.longest_seconds:
            return None
        # By chance, so that clients which were refused together do not come back together.
        backoff = self.first_seconds * 2.0 ** (attempt - 1) * CHANCE.uniform(0.5, 1)
        return asked + min(backoff, self.longest_seconds)


def read_retry_after(response: httpx2.Response) -> float | None:
    """Return the seconds of `Retry-After`, a number or a date; None where there are none."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max((until.astimezone(UTC) - datetime.now(UTC)).total_seconds(), 0.0)
