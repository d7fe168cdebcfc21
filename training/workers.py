"""Many customers through one recommender, on every core. Each process maps the same artifact."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from threadpoolctl import threadpool_limits

from models.recommender import Recommender

Given = TypeVar("Given")
Made = TypeVar("Made")
Work = Callable[[Recommender, Sequence[Given]], Made]

_mapped: dict[Path, Recommender] = {}  # of this process


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def spread(
    directory: Path, work: Work[Given, Made], everyone: Sequence[Given], *, chunk: int, processes: int
) -> Iterator[Made]:
    """`work(recommender, part)` for parts of `chunk`, in their order; `work` must be picklable."""
    parts = [everyone[start : start + chunk] for start in range(0, len(everyone), chunk)]
    do = partial(_do, directory, work)
    if processes == 1 or len(parts) <= 1:
        yield from map(do, parts)
        return
    # Processes and not threads: a slate is many small steps, and they would wait for one another's interpreter.
    with ProcessPoolExecutor(min(processes, len(parts)), get_context("spawn")) as pool:
        with _interrupts_held():
            made = pool.map(do, parts)
        yield from made


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C reaches every process of a terminal: those started in here leave it to this one, which stops them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _do(directory: Path, work: Work[Given, Made], part: Sequence[Given]) -> Made:
    if directory not in _mapped:
        _mapped.clear()
        _mapped[directory] = Recommender.load(directory)
    with threadpool_limits(limits=1, user_api="blas"):
        return work(_mapped[directory], part)
