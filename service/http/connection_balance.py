"""Keeps the work even among the workers of a host.

A caller that keeps its connection keeps its worker. Chance deals connections out unevenly, and a worker that has just
been replaced has none. So every worker tells the others how much of a processor it uses, and who has more than its part
ends some connections after the answer (`Connection: close`): whoever comes back is dealt out anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path
from struct import Struct
from typing import Final

SHARE: Final = Struct("d")
INTERVAL_SECONDS: Final = 1.0
SILENT_SECONDS: Final = 3.0  # then a worker is gone
BUSY: Final = 0.25  # of a processor: who uses less keeps everybody
UNEVEN: Final = 0.08  # of a worker's work: less is chance
ENDED: Final = 0.2  # of the answers that are too many


class ConnectionBalance:
    """Of one worker. `directory` is shared by all of them; without one there are no others."""

    def __init__(self, directory: str | None) -> None:
        self._told = None if directory is None else Path(directory) / f"work_{os.getpid()}"
        self._measured = time.monotonic(), time.process_time()
        self._share = 0.0  # of a processor, of late
        self._excess = 0.0  # of this worker's work, that others should have

    def should_close(self) -> bool:
        """Whether the connection of an answer is to end with it."""
        return self._excess > 0 and random.random() < self._excess * ENDED  # noqa: S311 - nothing is hidden by it

    async def watch(self) -> None:
        """Until cancelled: tell and hear how much every worker does."""
        while self._told is not None:
            await asyncio.sleep(INTERVAL_SECONDS)
            self._measure()
            try:
                self._told.write_bytes(SHARE.pack(self._share))
                self._excess = find_excess(self._share, _shares(self._told.parent))
            except OSError:  # no room: nobody knows of the others
                self._excess = 0.0

    def _measure(self) -> None:
        (then, before), (now, used) = self._measured, (time.monotonic(), time.process_time())
        self._measured = now, used
        self._share += ((used - before) / (now - then) - self._share) / 2


def find_excess(own: float, everyone: Sequence[float]) -> float:
    """Of a worker's work, what is more than its part of the work of all."""
    if own < BUSY or not everyone:
        return 0.0
    too_much = 1 - sum(everyone) / len(everyone) / own
    return too_much if too_much > UNEVEN else 0.0


def _shares(directory: Path) -> list[float]:
    """What the workers that live have told."""
    now, shares = time.time(), list[float]()
    for path in directory.glob("work_*"):
        with contextlib.suppress(OSError):  # its worker has just ended
            content = path.read_bytes()
            if len(content) == SHARE.size and now - path.stat().st_mtime < SILENT_SECONDS:
                shares += SHARE.unpack(content)
    return shares
