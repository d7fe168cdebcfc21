"""Many customers through one recommender, on every core. Each process maps the same artifact."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache, lru_cache, partial
from pathlib import Path
from threading import Thread
from typing import Any, Final, TypeVar

from threadpoolctl import threadpool_limits

from models.recommender import Recommender
from training.errors import InputError

Given = TypeVar("Given")
Made = TypeVar("Made")
Part = TypeVar("Part")
Tool = TypeVar("Tool")
Work = Callable[[Recommender, Sequence[Given]], Made]

AHEAD: Final = (
    2  # parts a process is given before the first of them is fetched: one is done, one waits
)

_process: dict[
    str, Callable[[], Any]
] = {}  # of this process: what opens its tool, and then gives it


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def spread(
    directory: Path,
    work: Work[Given, Made],
    everyone: Sequence[Given],
    *,
    chunk: int,
    processes: int,
) -> Iterator[Made]:
    """`work(recommender, part)` for parts of `chunk`, in their order; `work` must be picklable."""
    starts = range(0, len(everyone), chunk)
    parts = (everyone[start : start + chunk] for start in starts)
    return shared(partial(_mapped, directory), work, parts, processes=min(processes, len(starts)))


def shared(
    opened: Callable[[], Tool],
    work: Callable[[Tool, Part], Made],
    parts: Iterable[Part],
    *,
    processes: int,
) -> Iterator[Made]:
    """`work(tool, part)` for every part, in their order, where each process opens the tool once.

    A part is made when a process is about to be free, so that no more than a few are held at a time. `opened` and
    `work` must be picklable. InputError where one of the processes was killed.
    """
    if processes <= 1:
        tool = opened()
        yield from (_alone(work, tool, part) for part in parts)
        return
    # Processes and not threads: a slate is many small steps, and they would wait for one another's interpreter.
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _begin, (opened,))
    try:
        waiting: deque[Future[Made]] = deque()
        for part in parts:
            if len(waiting) == AHEAD * processes:
                yield waiting.popleft().result()
            with _interrupts_held():
                waiting.append(pool.submit(_do, work, part))
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        why = "as a system does that has no memory left; `processes` of the settings says how many there are"
        raise InputError(
            f"One of the {processes} processes that shared the work was killed, {why}"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C reaches every process of a terminal: those started in here leave it to this one, which stops them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@lru_cache(maxsize=1)
def _mapped(directory: Path) -> Recommender:
    return Recommender.load(directory)


def _begin(opened: Callable[[], Any]) -> None:
    _process["tool"] = cache(opened)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for its next part for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(work: Callable[[Any, Part], Made], part: Part) -> Made:
    return _alone(work, _process["tool"](), part)


def _alone(work: Callable[[Tool, Part], Made], tool: Tool, part: Part) -> Made:
    """On one thread: the other cores have their own process."""
    with threadpool_limits(limits=1, user_api="blas"):
        return work(tool, part)
