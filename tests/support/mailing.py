"""A mailing as an email system fetches it, and what must stay the same in its answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import orjson

from tests.support.load_client import Answer, Tally, fetch

CROWD: Final = 32  # callers at once who make scoring slow


def essence(answer: Answer) -> bytes:
    """What may not change: price and stock may."""
    if answer.status != 200:
        return b"%d " % answer.status + answer.body
    body = orjson.loads(answer.body)
    slots = [(slot["id"], slot["source"], slot["reason"]) for slot in body["recommendations"]]
    return orjson.dumps(
        [body["recommendation_id"], body["strategy"], body["fallback_reason"], slots]
    )


async def watched(port: int, calls: Sequence[bytes], beside: Sequence[bytes]) -> Tally:
    """Answers to calls that come one after another, while a crowd keeps the scoring busy with
    slates of its own.
    """
    tally = Tally()
    others = asyncio.create_task(fetch(port, beside, Tally().add, CROWD))
    await asyncio.sleep(0.5 if beside else 0)
    await fetch(port, calls, tally.add, rate=40.0)
    others.cancel()
    await asyncio.gather(others, return_exceptions=True)
    return tally
