"""What is being done and how long is left: a live line on a terminal, plain lines when piped."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Advance = Callable[[int, int], None]  # (done, total)
PLAIN_SECONDS: Final = 10.0  # between two plain lines of one step
PLAIN_WIDTH: Final = 160  # of tables in a pipe, so that no column is cut


def ignore(done: int, total: int) -> None:
    """Progress that nobody looks at."""


class Reporter:
    """Steps of a long command, told on standard error so that standard output stays a result."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.console = Console(file=stream or sys.stderr, highlight=False, emoji=False)
        if not self.console.is_terminal:
            self.console.width = PLAIN_WIDTH
        self.clock = clock
        self.seconds: dict[str, float] = {}  # how long each step took
        self.outcome = "nothing was published"  # so far, for whoever ends it

    @contextmanager
    def step(self, name: str, each: str = "") -> Iterator[Advance]:
        """One step; what it yields is told (done, total), as often as it likes. `each` names what is counted."""
        started = self.clock()
        with (
            self._live(name, each)
            if self.console.is_terminal
            else self._plain(name, each) as advance
        ):
            yield advance
        self.seconds[name] = self.clock() - started
        self.console.print(f"{name}: {self.seconds[name]:.1f} s")

    @contextmanager
    def _live(self, name: str, each: str) -> Iterator[Advance]:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            started = self.clock()
            task = progress.add_task(name, total=None)
            yield lambda done, total: progress.update(
                task,
                completed=done,
                total=total,
                description=name + _rate(done, self.clock() - started, each),
            )

    @contextmanager
    def _plain(self, name: str, each: str) -> Iterator[Advance]:
        started = told = self.clock()

        def advance(done: int, total: int) -> None:
            nonlocal told
            now = self.clock()
            if 0 < done < total and now - told >= PLAIN_SECONDS:
                told = now
                left = (now - started) / done * (total - done)
                rate = _rate(done, now - started, each)
                self.console.print(f"{name}: {done:,} of {total:,}{rate}, about {left:.0f} s left")

        yield advance


def _rate(done: int, seconds: float, each: str) -> str:
    return f", {done / seconds:,.0f} {each} a second" if each and seconds > 0 else ""
