"""What an export has finished so far, kept beside its file, so that a killed one can be continued.

.FILE.parts/about      what is exported, written once everything that it is made from is there
.FILE.parts/live/      what the store said when it was begun
.FILE.parts/journal    a line for every part that is finished
.FILE.parts/000012     the rows of one part
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
from typing import Any

import orjson

from models.artifact.atomic import atomic_write, durable_rename
from models.artifact.locks import lock_directory
from training.errors import InputError


@dataclass(frozen=True)
class Tally:
    """What some rows hold, counted."""

    rows: int = 0
    recipients: int = 0  # who got a slate
    short: int = 0  # of them, with fewer products than asked for
    not_due: int = 0  # whom the mail is not for now: they have no row
    fallbacks: Mapping[str, int] = field(
        default_factory=dict
    )  # by why a slate is less than what was asked for

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.rows + other.rows,
            self.recipients + other.recipients,
            self.short + other.short,
            self.not_due + other.not_due,
            dict(Counter(self.fallbacks) + Counter(other.fallbacks)),
        )


@dataclass(frozen=True)
class Parts:
    """The parts of one file, by their numbers."""

    output: Path
    folder: Path

    @property
    def live(self) -> Path:
        return self.folder / "live"

    @property
    def whole(self) -> Path:
        return self.folder / "whole"

    @property
    def begun(self) -> bool:
        """Whether there is something to go on with."""
        return self._about.exists()

    def begin(self, about: Mapping[str, Any], now: int) -> int:
        """When this export was begun: now, or earlier where the same one was interrupted.

        InputError where what was interrupted is another: `about` is what must be the same, by name.
        """
        if not self.begun:
            with atomic_write(self._about, durable=True) as stream:
                stream.write(orjson.dumps({"about": about, "began": now}))
            return now
        begun = orjson.loads(self._about.read_bytes())
        for name, value in about.items():
            if begun["about"].get(name) != value:
                raise InputError(
                    f"--resume: {self.output} was begun with {name} {begun['about'].get(name)} and not with {value}; "
                    "without --resume it begins again"
                )
        return int(begun["began"])

    def path(self, number: int) -> Path:
        return self.folder / f"{number:06}"

    def finish(self, number: int, tally: Tally) -> None:
        """Tell that a part's file is whole."""
        with self._journal.open("ab") as journal:
            # The line of a process that was killed may have no end.
            journal.write(b"\n" + orjson.dumps([number, asdict(tally)]))

    def finished(self) -> dict[int, Tally]:
        """The parts that are whole."""
        found: dict[int, Tally] = {}
        for line in self._journal.read_bytes().splitlines() if self._journal.exists() else ():
            with contextlib.suppress(ValueError):
                number, tally = orjson.loads(line)
                found[number] = Tally(**tally)
        return found

    def publish(self) -> None:
        """Give the file that the parts were joined to its name; nothing of the parts stays."""
        durable_rename(self.whole, self.output)
        self.sweep()

    def sweep(self) -> None:
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    @property
    def _about(self) -> Path:
        return self.folder / "about"

    @property
    def _journal(self) -> Path:
        return self.folder / "journal"


@contextmanager
def open_parts(output: Path, *, resume: bool) -> Iterator[Parts]:
    """The parts of a file: none, or those of an export that was interrupted.

    They stay for another time where at least one is finished and the file is not. InputError where they cannot be
    written, and where another process is at it.
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
