"""Many strings as two arrays, so that an artifact can be mapped instead of read.

A string i is the bytes `blob[offsets[i]:offsets[i + 1]]`, UTF-8.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


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
        """The index of an id, or -1. Needs no dictionary: log2(n) comparisons."""
        # A lone surrogate cannot be written as UTF-8, so its bytes are those of no id that was ever stored.
        wanted = name.encode(errors="surrogatepass")
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self.bytes_at(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self) and self.bytes_at(low) == wanted else -1

    def find_all(self, names: Sequence[str]) -> NDArray[np.int32]:
        """The index of each id, -1 where there is none: int32 (len(names),)."""
        return np.array([self.find(name) for name in names], np.int32)
