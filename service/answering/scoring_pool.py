"""A bounded pool of threads for slates; a caller that cannot wait that long is told so.

One more thread is reserved for the popular slates that go out in their place: the pool is busy
then, and the event loop must go on with cached answers and probes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from service.runtime.metrics import Metrics
from service.runtime.tracing import in_this_trace

T = TypeVar("T")


class LateError(Exception):
    """No answer by the deadline, or too many queries are waiting already."""


class ScoringPool:
    """A pool for one event loop. A query that comes again while it is answered is answered once."""

    def __init__(self, threads: int, queue: int, metrics: Metrics) -> None:
        self._pool = ThreadPoolExecutor(threads, "scoring")
        self._reserved = ThreadPoolExecutor(1, "popular")
        self._max_running = threads + queue
        self._metrics = metrics
        self._running: dict[Hashable, asyncio.Task[Any]] = {}

    async def compute(
        self,
        key: Hashable,
        work: Callable[[], T],
        keep: Callable[[T], None],
        wait_seconds: float,
    ) -> T:
        """Return what `work` gives in a thread of the pool. Raises LateError.

        `keep` gets it too, also when nobody waits any more.
        """
        task = self._running.get(key)
        if task is None:
            if len(self._running) >= self._max_running:
                self._metrics.late.labels("queue").inc()
                raise LateError
            task = self._start(key, work, keep)
        done, _ = await asyncio.wait({task}, timeout=max(wait_seconds, 0.0))
        if not done:
            self._metrics.late.labels("deadline").inc()
            raise LateError
        result: T = task.result()
        return result

    async def compute_popular(self, work: Callable[[], T]) -> T:
        """Return what `work` gives in the reserved thread, where it waits for no other slate."""
        return await asyncio.get_running_loop().run_in_executor(self._reserved, work)

    def close(self) -> None:
        """End the threads; what waits is not computed any more."""
        for pool in (self._pool, self._reserved):
            pool.shutdown(wait=False, cancel_futures=True)

    def _start(
        self, key: Hashable, work: Callable[[], T], keep: Callable[[T], None]
    ) -> asyncio.Task[T]:
        traced = in_this_trace(work)

        async def run() -> T:
            result = await asyncio.get_running_loop().run_in_executor(self._pool, traced)
            keep(result)
            return result

        task = asyncio.create_task(run())
        self._running[key] = task
        self._metrics.pending.set(len(self._running))
        task.add_done_callback(lambda done: self._finish(key, done))
        return task

    def _finish(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        del self._running[key]
        self._metrics.pending.set(len(self._running))
        if not task.cancelled():
            task.exception()  # nobody may wait any more: seen, so that asyncio does not print it
