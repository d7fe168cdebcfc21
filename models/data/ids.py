"""Many strings as two arrays, so that an artifact can be mapped instead of read.

A string i is the bytes `blob[offsets[i]:offsets[i + 1]]`, UTF-8.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

STEP: Final = 64


@dataclass(frozen=True, eq=False)
class Strings:
    """n strings: `blob` uint8 (bytes,), `offsets` int64 (n + 1,)."""

    blob: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, values: Iterable[str]) -> Self:
        encoded = [value.encode() for value in values]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(value) for value in encoded], out=offsets[1:])
        return cls(np.frombuffer(b"".join(encoded), np.uint8), offsets)

    def bytes_at(self, index: int) -> bytes:
        return self.blob[self.offsets[index] : self.offsets[index + 1]].tobytes()

    def __getitem__(self, index: int) -> str:
        return self.bytes_at(index).decode()

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[str]:
        return (self[index] for index in range(len(self)))


class Ids(Strings):
    """Strictly increasing by bytes: the index order is the order in which ties are broken."""

    def find(self, name: str) -> int:
        """The index of an id, or -1. Needs no dictionary of all: log2(n) comparisons."""
        # A lone surrogate cannot be written as UTF-8, so its bytes are those of no id that was ever stored.
        wanted = name.encode(errors="surrogatepass")
        start = STEP * (bisect_right(self._steps, wanted) - 1)
        if start < 0:
            return -1
        ends = self.offsets[start : start + STEP + 1].tolist()
        first, block = ends[0], self.blob[ends[0] : ends[-1]].tobytes()

        def at(place: int) -> bytes:
            return block[ends[place] - first : ends[place + 1] - first]

        place = bisect_right(range(len(ends) - 1), wanted, key=at) - 1
        return start + place if at(place) == wanted else -1

    @cached_property
    def _steps(self) -> list[bytes]:
        """One in so many, at hand: the others are looked for between two of them."""
        return [self.bytes_at(index) for index in range(0, len(self), STEP)]

    def find_all(self, names: Sequence[str]) -> NDArray[np.int32]:
        """The index of each id, -1 where there is none: int32 (len(names),)."""
        return np.array([self.find(name) for name in names], np.int32)
