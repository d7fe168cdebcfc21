"""Slates are computed in a bounded pool of threads; who cannot wait that long is told so.

A thread besides is reserved for the popular slates that go out in their place: the pool is busy then, and the event
loop must go on with cached answers and probes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from service.answering.render import RenderedAnswer
from service.runtime.metrics import Metrics

T = TypeVar("T")


class LateError(Exception):
    """No answer by the deadline, or too many questions are waiting already."""


class ScoringPool:
    """For one event loop. The same question asked again while it is being answered is answered once."""

    def __init__(self, threads: int, queue: int, metrics: Metrics) -> None:
        self._pool = ThreadPoolExecutor(threads, "scoring")
        self._reserved = ThreadPoolExecutor(1, "popular")
        self._most = threads + queue
        self._metrics = metrics
        self._running: dict[Hashable, asyncio.Task[Any]] = {}

    async def answer(
        self,
        key: Hashable,
        compute: Callable[[], T],
        keep: Callable[[T], None],
        wait_seconds: float,
    ) -> T:
        """What `compute` gives, in a thread. `keep` gets it too, also when nobody waits any more. Raises LateError."""
        task = self._running.get(key)
        if task is None:
            if len(self._running) >= self._most:
                self._metrics.late.labels("queue").inc()
                raise LateError
            task = self._start(key, compute, keep)
        done, _ = await asyncio.wait({task}, timeout=max(wait_seconds, 0.0))
        if not done:
            self._metrics.late.labels("deadline").inc()
            raise LateError
        found: T = task.result()
        return found

    async def popular(self, compute: Callable[[], RenderedAnswer]) -> RenderedAnswer:
        """What `compute` gives, in the reserved thread, which no slate of the pool can keep waiting."""
        return await asyncio.get_running_loop().run_in_executor(self._reserved, compute)

    def close(self) -> None:
        for pool in (self._pool, self._reserved):
            pool.shutdown(wait=False, cancel_futures=True)

    def _start(
        self, key: Hashable, compute: Callable[[], T], keep: Callable[[T], None]
    ) -> asyncio.Task[T]:
        async def run() -> T:
            answer = await asyncio.get_running_loop().run_in_executor(self._pool, compute)
            keep(answer)
            return answer

        task = asyncio.create_task(run())
        self._running[key] = task
        self._metrics.pending.set(len(self._running))
        task.add_done_callback(lambda done: self._finished(key, done))
        return task

    def _finished(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        del self._running[key]
        self._metrics.pending.set(len(self._running))
        if not task.cancelled():
            task.exception()  # nobody may be waiting any more: seen, so that asyncio does not print it
