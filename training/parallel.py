"""Work that is shared among processes, one for each core."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache, lru_cache, partial
from multiprocessing.context import BaseContext
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final, TypeVar

from threadpoolctl import threadpool_limits

from models.recommender import Recommender
from training.errors import InputError
from training.progress import Advance

Input = TypeVar("Input")
Output = TypeVar("Output")
Part = TypeVar("Part")
Tool = TypeVar("Tool")
RecommenderWork = Callable[[Recommender, Sequence[Input]], Output]

PARTS_AHEAD: Final = 2  # of each process before its first result is fetched: one done, one waiting

_tool: dict[str, Callable[[], Any]] = {}  # of this process; opened when it is first called


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def map_with_recommender(
    directory: Path,
    work: RecommenderWork[Input, Output],
    inputs: Sequence[Input],
    *,
    chunk: int,
    processes: int,
) -> Iterator[Output]:
    """Yield `work(recommender, part)` for parts of `chunk` inputs, in their order.

    Each process maps the same artifact. `work` must be picklable.
    """
    starts = range(0, len(inputs), chunk)
    parts = (inputs[start : start + chunk] for start in starts)
    load = partial(_load_recommender, directory)
    return map_in_processes(load, work, parts, processes=min(processes, len(starts)))


def map_in_processes(
    open_tool: Callable[[], Tool],
    work: Callable[[Tool, Part], Output],
    parts: Iterable[Part],
    *,
    processes: int,
) -> Iterator[Output]:
    """Yield `work(tool, part)` for every part, in their order; each process opens the tool once.

    A part is made when a process is about to be free, so that no more than a few are held at a
    time. `open_tool` and `work` must be picklable. Raises InputError where a process was killed.
    """
    if processes <= 1:
        tool = open_tool()
        for part in parts:
            yield work_on_one_thread(work, tool, part)
        return
    # Processes and not threads: a slate is many small steps, and they would wait for one another's
    # interpreter.
    pool = ProcessPoolExecutor(processes, _fork_server(), _begin_process, (open_tool,))
    try:
        pending: deque[Future[Output]] = deque()
        for part in parts:
            if len(pending) == PARTS_AHEAD * processes:
                yield pending.popleft().result()
            with _interrupts_held():
                pending.append(pool.submit(_work_in_process, work, part))
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool as error:
        raise InputError(
            f"One of the {processes} processes that shared the work was killed, as a system does "
            "that has no memory left; `processes` of the settings says how many there are"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def map_in_threads(
    work: Callable[[Part, Advance], Output],
    parts: Sequence[Part],
    advance: Advance,
    *,
    threads: int,
) -> list[Output]:
    """Return `work(part, advance_part)` of every part: for work that leaves the interpreter free.

    What the parts have done counts together. Where one fails, or the command is stopped, the others
    end when they next advance.
    """
    done, totals, stopped = [0] * len(parts), [0] * len(parts), Event()

    def advance_part(number: int, of_part: int, total: int) -> None:
        if stopped.is_set():
            raise CancelledError
        done[number], totals[number] = of_part, total
        advance(sum(done), sum(totals))

    with ThreadPoolExecutor(threads) as pool:
        futures = [
            pool.submit(work, part, partial(advance_part, number))
            for number, part in enumerate(parts)
        ]
        try:
            return [future.result() for future in futures]
        except BaseException:
            stopped.set()
            raise


@cache
def _fork_server() -> BaseContext:
    """Return how processes start: as forks of one that has imported what they need.

    It has no threads and holds no data; a process that imports by itself takes a second.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["training.pipeline"])
    return context


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start processes that ignore Ctrl-C.

    It reaches every process of a terminal; this one stops the others.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@lru_cache(maxsize=1)
def _load_recommender(directory: Path) -> Recommender:
    return Recommender.load(directory)


def _begin_process(open_tool: Callable[[], Any]) -> None:
    _tool["open"] = cache(open_tool)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process with its parent. It would wait for its next part for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work_in_process(work: Callable[[Any, Part], Output], part: Part) -> Output:
    return work_on_one_thread(work, _tool["open"](), part)


def work_on_one_thread(work: Callable[[Tool, Part], Output], tool: Tool, part: Part) -> Output:
    """Return `work(tool, part)`, done on one thread: the other cores have their own process."""
    with threadpool_limits(limits=1, user_api="blas"):
        return work(tool, part)
