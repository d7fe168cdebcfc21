"""Keep the finished parts of an export beside its file, so that it can be continued when killed.

.FILE.parts/about      what is exported, written once everything that it is made from is there
.FILE.parts/snapshot/  the content of the store when it was begun
.FILE.parts/recipients/  for whom it is, where the parts are written by other machines
.FILE.parts/journal    a line for every finished part
.FILE.parts/000012     the rows of one part
.FILE.parts/000012.tally  its counts, where another machine has written it
.FILE.parts/whole      all of them
"""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from models.artifact.atomic import atomic_write, durable_rename
from models.artifact.locks import lock_directory
from training.errors import InputError

TALLY: Final = ".tally"


@dataclass(frozen=True)
class Tally:
    """Hold counts of some rows."""

    rows: int = 0
    recipients: int = 0  # with a slate
    short: int = 0  # of them, with fewer products than were requested
    not_due: int = 0  # for whom no mail is due now: they have no row
    fallbacks: Mapping[str, int] = field(default_factory=dict)  # slates by fallback_reason
    offered: int = 0  # slates with an offer beside them

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.rows + other.rows,
            self.recipients + other.recipients,
            self.short + other.short,
            self.not_due + other.not_due,
            dict(Counter(self.fallbacks) + Counter(other.fallbacks)),
            self.offered + other.offered,
        )


@dataclass(frozen=True)
class Parts:
    """A folder with the parts of one file, by their numbers."""

    output: Path
    folder: Path

    @property
    def snapshot(self) -> Path:
        return self.folder / "snapshot"

    @property
    def recipients(self) -> Path:
        return self.folder / "recipients"

    @property
    def whole(self) -> Path:
        return self.folder / "whole"

    @property
    def begun(self) -> bool:
        """Return whether there is an export to continue."""
        return self._about.exists()

    def begin(self, about: Mapping[str, Any], now: int) -> int:
        """Return when this export began: `now`, or earlier where it was interrupted.

        `about`: what must be the same for an export to be continued, by name. Raises InputError
        where the interrupted export differs in it.
        """
        if not self.begun:
            with atomic_write(self._about, durable=True) as stream:
                stream.write(orjson.dumps({"about": about, "began": now}))
            return now
        interrupted = orjson.loads(self._about.read_bytes())
        for name, value in about.items():
            before = interrupted["about"].get(name)
            if before != value:
                raise InputError(
                    f"--resume: {self.output} was begun with {name} {before} and not with {value}; "
                    "without --resume it begins again"
                )
        return int(interrupted["began"])

    def path(self, number: int) -> Path:
        return self.folder / f"{number:06}"

    def finish(self, number: int, tally: Tally) -> None:
        """Record that a part's file is whole."""
        with self._journal.open("ab") as journal:
            # The line of a process that was killed may have no end.
            journal.write(b"\n" + orjson.dumps([number, asdict(tally)]))

    def finish_elsewhere(self, number: int, tally: Tally) -> None:
        """Record on another machine that a part's file is whole: the journal has one writer."""
        with atomic_write(self._tally(number), durable=True) as stream:
            stream.write(orjson.dumps(asdict(tally)))

    def finished(self) -> dict[int, Tally]:
        """Return the parts that are whole."""
        tallies: dict[int, Tally] = {}
        if self._journal.exists():
            for line in self._journal.read_bytes().splitlines():
                with contextlib.suppress(ValueError):
                    number, tally = orjson.loads(line)
                    tallies[number] = Tally(**tally)
        for number in self.finished_elsewhere():
            tallies[number] = Tally(**orjson.loads(self._tally(number).read_bytes()))
        return tallies

    def finished_elsewhere(self) -> list[int]:
        """Return the numbers of the parts that other machines have written."""
        return [int(path.stem) for path in self.folder.glob(f"*{TALLY}") if path.stem.isdecimal()]

    def is_finished_elsewhere(self, number: int) -> bool:
        """Return whether another machine has written a part."""
        return self._tally(number).exists()

    def read_about(self) -> bytes:
        """Return what is exported and since when, as it was written. Raises OSError."""
        return self._about.read_bytes()

    def publish(self) -> None:
        """Give the file of all rows its name, and remove the parts."""
        durable_rename(self.whole, self.output)
        self.sweep()

    def sweep(self) -> None:
        """Remove everything that was made so far."""
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _tally(self, number: int) -> Path:
        return self.path(number).with_suffix(TALLY)

    @property
    def _about(self) -> Path:
        return self.folder / "about"

    @property
    def _journal(self) -> Path:
        return self.folder / "journal"


@contextmanager
def open_parts(output: Path, *, resume: bool) -> Iterator[Parts]:
    """Yield the parts of a file: none, or with `resume` those of an interrupted export.

    They are kept where at least one is finished and the file is not. Raises InputError where they
    cannot be written, and where another process is writing them.
    """
    parts = Parts(output, output.with_name(f".{output.name}.parts"))
    try:
        parts.folder.mkdir(exist_ok=True)
        with lock_directory(parts.folder, wait=False):
            if not resume or not parts.begun:
                parts.sweep()
            try:
                yield parts
            finally:
                if not parts.finished():
                    shutil.rmtree(parts.folder)
    except BlockingIOError:
        raise InputError(f"--output {output}: another export is writing it") from None
    except OSError as error:
        raise InputError(
            f"--output {output} cannot be written: {error.strerror or error}"
        ) from error
