"""Progress of long commands: a live line on a terminal, plain lines when piped."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO, TypeVar

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

from training.kept_steps import KeptSteps

Advance = Callable[[int, int], None]  # (done, total)
T = TypeVar("T")

PLAIN_SECONDS: Final = 10.0  # between two plain lines of one step
PLAIN_WIDTH: Final = 160  # of tables in a pipe, so that no column is cut


def open_console(stream: TextIO) -> Console:
    """Return a console that tells ids, names and paths as they are: [old] is no style."""
    console = Console(file=stream, highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    return console


def ignore(done: int, total: int) -> None:
    """Do nothing, where nobody looks at progress."""


class Reporter:
    """A reporter of steps on the standard error, and of results on the standard output."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.console = open_console(stream or sys.stderr)
        self.results = open_console(stream or sys.stdout)
        self.clock = clock
        self.seconds: dict[str, float] = {}  # how long each step took
        self.outcome = "nothing was published"  # so far, printed when the command is stopped
        self.kept = KeptSteps()

    def say(self, text: str, *, alarming: bool = False) -> None:
        """Print a sentence, which a pipe gets as one line."""
        self.console.print(text, soft_wrap=True, style="bold red" if alarming else None)

    @contextmanager
    def step(self, name: str, each: str = "") -> Iterator[Advance]:
        """Time a step, and yield a function that is called with (done, total) as often as wanted.

        `each` names what is counted.
        """
        started = self.clock()
        show = self._live if self.console.is_terminal else self._plain
        with show(name, each) as advance:
            yield advance
        self.seconds[name] = self.clock() - started
        self.console.print(f"{name}: {self.seconds[name]:.1f} s")

    def keep(self, name: str, kind: type[T], work: Callable[[Advance], T]) -> T:
        """Return the result of a step that is timed, or what an earlier run has kept of it."""

        def timed() -> T:
            with self.step(name) as advance:
                return work(advance)

        return self.kept.keep(name, kind, timed)

    @contextmanager
    def _live(self, name: str, each: str) -> Iterator[Advance]:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            started = self.clock()
            task = progress.add_task(name, total=None)

            def advance(done: int, total: int) -> None:
                description = name + _rate(done, self.clock() - started, each)
                progress.update(task, completed=done, total=total, description=description)

            yield advance

    @contextmanager
    def _plain(self, name: str, each: str) -> Iterator[Advance]:
        started = printed = self.clock()

        def advance(done: int, total: int) -> None:
            nonlocal printed
            now = self.clock()
            if 0 < done < total and now - printed >= PLAIN_SECONDS:
                printed = now
                left = (now - started) / done * (total - done)
                rate = _rate(done, now - started, each)
                self.console.print(f"{name}: {done:,} of {total:,}{rate}, about {left:.0f} s left")

        yield advance


def _rate(done: int, seconds: float, each: str) -> str:
    return f", {done / seconds:,.0f} {each} a second" if each and seconds > 0 else ""
