"""Scoring is bounded in threads, in questions that wait, and in time."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from service.answering.render import RenderedAnswer
from service.answering.scoring_pool import LateError, ScoringPool
from service.runtime.metrics import Metrics

ANSWER = RenderedAnswer("personal", "none", b"{}")


def scene(
    play: Callable[[ScoringPool], Coroutine[Any, Any, None]], threads: int = 1, queue: int = 1
) -> None:
    async def played() -> None:
        scoring = ScoringPool(threads, queue, Metrics())
        try:
            await play(scoring)
        finally:
            scoring.close()

    asyncio.run(played())


def ignore(_: RenderedAnswer) -> None:
    return


class Slow:
    """Computes once it may, and counts how often."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.times = 0

    def __call__(self) -> RenderedAnswer:
        self.times += 1
        assert self.may.wait(5)
        return ANSWER


def test_an_answer_in_time_is_given_and_kept() -> None:
    kept: list[RenderedAnswer] = []

    async def play(scoring: ScoringPool) -> None:
        assert await scoring.compute(b"a", lambda: ANSWER, kept.append, 1.0) is ANSWER

    scene(play)
    assert kept == [ANSWER]


def test_a_late_answer_is_not_waited_for_but_kept() -> None:
    kept: list[RenderedAnswer] = []

    async def play(scoring: ScoringPool) -> None:
        slow = Slow()
        started = time.monotonic()
        with pytest.raises(LateError):
            await scoring.compute(b"a", slow, kept.append, 0.05)
        assert time.monotonic() - started < 1.0
        slow.may.set()
        while not kept:
            await asyncio.sleep(0.01)

    scene(play)


def test_the_same_question_at_the_same_time_is_answered_once() -> None:
    async def play(scoring: ScoringPool) -> None:
        slow = Slow()
        waiting = [asyncio.create_task(scoring.compute(b"a", slow, ignore, 5.0)) for _ in range(20)]
        await asyncio.sleep(0.05)
        slow.may.set()
        assert await asyncio.gather(*waiting) == [ANSWER] * 20
        assert slow.times == 1

    scene(play)


def test_when_too_many_wait_already_nobody_joins_them() -> None:
    async def play(scoring: ScoringPool) -> None:
        slow = Slow()
        first = [
            asyncio.create_task(scoring.compute(b"%d" % number, slow, ignore, 5.0))
            for number in range(3)
        ]
        await asyncio.sleep(0.05)
        with pytest.raises(LateError):
            await scoring.compute(b"another", slow, ignore, 5.0)
        slow.may.set()
        await asyncio.gather(*first)
        assert await scoring.compute(b"another", slow, ignore, 5.0) is ANSWER

    scene(play, threads=1, queue=2)


def test_an_error_reaches_everyone_who_waits_and_nobody_after() -> None:
    def broken() -> RenderedAnswer:
        raise ZeroDivisionError

    async def play(scoring: ScoringPool) -> None:
        with pytest.raises(ZeroDivisionError):
            await scoring.compute(b"a", broken, ignore, 1.0)
        assert await scoring.compute(b"a", lambda: ANSWER, ignore, 1.0) is ANSWER

    scene(play)


def test_an_error_that_nobody_waits_for_is_quiet() -> None:
    may = threading.Event()

    def broken() -> RenderedAnswer:
        assert may.wait(5)
        raise ZeroDivisionError

    async def play(scoring: ScoringPool) -> None:
        with pytest.raises(LateError):
            await scoring.compute(b"a", broken, ignore, 0.01)
        may.set()
        await asyncio.sleep(0.05)

    scene(play)
