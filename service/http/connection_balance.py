"""Balance of the work among the workers of a host.

A caller that keeps its connection keeps its worker. Chance spreads connections unevenly, and a
worker that has just been replaced has none. So every worker tells the others how much of a
processor it uses, and a worker that does more than its part ends some connections after the answer
(`Connection: close`): the callers connect again, maybe to another worker.
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
MAX_AGE_SECONDS: Final = 3.0  # of a share; then its worker is gone
MIN_SHARE: Final = 0.25  # of a processor; a worker that uses less keeps all connections
MIN_EXCESS: Final = 0.08  # of a worker's work; less is chance
CLOSED_FRACTION: Final = 0.2  # of the answers in excess


class ConnectionBalance:
    """Decide which connections of a worker end. `directory`: of all workers; None: it is alone."""

    def __init__(self, directory: str | None) -> None:
        self._file = None if directory is None else Path(directory) / f"work_{os.getpid()}"
        self._last_time = time.monotonic()
        self._last_processor_time = time.process_time()
        self._share = 0.0  # of a processor, of late
        self._excess = 0.0  # of this worker's work, that others should have

    def should_close(self) -> bool:
        """Return whether a connection ends with this answer."""
        if self._excess <= 0:
            return False
        return random.random() < self._excess * CLOSED_FRACTION  # noqa: S311 - hides nothing

    async def watch(self) -> None:
        """Share with the other workers how much each of them does, until cancelled."""
        while self._file is not None:
            await asyncio.sleep(INTERVAL_SECONDS)
            self._measure()
            try:
                self._file.write_bytes(SHARE.pack(self._share))
                self._excess = find_excess(self._share, _read_shares(self._file.parent))
            except OSError:  # no space left: nothing is known about the others
                self._excess = 0.0

    def _measure(self) -> None:
        now, processor_time = time.monotonic(), time.process_time()
        share = (processor_time - self._last_processor_time) / (now - self._last_time)
        self._last_time, self._last_processor_time = now, processor_time
        self._share += (share - self._share) / 2


def find_excess(own_share: float, shares: Sequence[float]) -> float:
    """Return the fraction of a worker's work that exceeds its part of the work of all."""
    if own_share < MIN_SHARE or not shares:
        return 0.0
    excess = 1 - sum(shares) / len(shares) / own_share
    return excess if excess > MIN_EXCESS else 0.0


def _read_shares(directory: Path) -> list[float]:
    now = time.time()
    shares: list[float] = []
    for path in directory.glob("work_*"):
        with contextlib.suppress(OSError):  # its worker has just ended
            content = path.read_bytes()
            if len(content) == SHARE.size and now - path.stat().st_mtime < MAX_AGE_SECONDS:
                shares += SHARE.unpack(content)
    return shares
