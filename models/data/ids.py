"""Many strings as two arrays, so that an artifact can be mapped instead of read.

A string i is the bytes `blob[offsets[i]:offsets[i + 1]]`, UTF-8. Readers of a catalogue see strings
through a protocol: behind it the shop may have replaced some since the artifact was written.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

BLOCK_IDS: Final = 64  # between two of those that a search keeps as Python objects
MANY_IDS: Final = 4  # so many are searched together
MAX_PADDED_BYTES: Final = 40  # of ids that are kept once more for that


class StringSequence(Protocol):
    """n strings, read by index."""

    def bytes_at(self, index: int) -> bytes: ...

    def __getitem__(self, index: int) -> str: ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[str]: ...

    def changed_since(self, earlier: StringSequence) -> list[int] | None:
        """Return the indices whose strings may differ from earlier ones; None: any of them."""


class IdIndex(StringSequence, Protocol):
    """n distinct strings, read by index and found by name."""

    def find(self, name: str) -> int:
        """Return the index of an id, or -1."""

    def find_all(self, names: Sequence[str]) -> NDArray[np.int32]:
        """Return the index of each id, -1 where there is none: int32 (len(names),)."""


@dataclass(frozen=True, eq=False)
class Strings:
    """Hold n strings: `blob` uint8 (bytes,), `offsets` int64 (n + 1,)."""

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
        blob, offsets = self.blob.tobytes(), self.offsets.tolist()
        return (blob[start:end].decode() for start, end in pairwise(offsets))

    def changed_since(self, earlier: StringSequence) -> list[int] | None:
        """Return the indices whose strings may differ from earlier ones; None: any of them."""
        return [] if earlier is self else None


class Ids(Strings):
    """Hold n ids, strictly increasing by bytes: ties are broken in the order of the indices."""

    def find(self, name: str) -> int:
        """Return the index of an id, or -1, after log2(n) comparisons; there is no dictionary."""
        # UTF-8 cannot hold a lone surrogate, so no id that was ever stored has its bytes.
        wanted = name.encode(errors="surrogatepass")
        start = BLOCK_IDS * (bisect_right(self._block_starts, wanted) - 1)
        if start < 0:
            return -1
        ends = self.offsets[start : start + BLOCK_IDS + 1].tolist()
        first, block = ends[0], self.blob[ends[0] : ends[-1]].tobytes()

        def bytes_in_block(row: int) -> bytes:
            return block[ends[row] - first : ends[row + 1] - first]

        row = bisect_right(range(len(ends) - 1), wanted, key=bytes_in_block) - 1
        return start + row if bytes_in_block(row) == wanted else -1

    @cached_property
    def _block_starts(self) -> list[bytes]:
        return [self.bytes_at(index) for index in range(0, len(self), BLOCK_IDS)]

    def find_all(self, names: Sequence[str]) -> NDArray[np.int32]:
        """Return the index of each id, -1 where there is none: int32 (len(names),)."""
        if len(names) < MANY_IDS or self._padded is None:
            return np.array([self.find(name) for name in names], np.int32)
        wanted = _encode(names)
        # Of the type of the ids, or numpy would convert all of them at every call
        padded = np.array(wanted, self._padded.dtype)
        index = np.minimum(np.searchsorted(self._padded, padded), len(self) - 1)
        lengths = np.fromiter(map(len, wanted), np.int64, len(wanted))
        found = np.where(self._padded[index] == padded, index, -1).astype(np.int32)
        # Padding hides zeros at the end of a name, and what is longer than any id is cut off
        same = self.offsets[index + 1] - self.offsets[index] == lengths
        for row in np.flatnonzero((found >= 0) & ~same).tolist():
            found[row] = self.find(names[row])
        return found

    @cached_property
    def _padded(self) -> NDArray[np.bytes_] | None:
        """Return the ids as one array of texts that numpy can search; None where one is long."""
        lengths = np.diff(self.offsets)
        width = int(lengths.max(initial=0))
        if not 0 < width <= MAX_PADDED_BYTES:
            return None
        bytes_of = np.zeros((len(self), width), np.uint8)
        bytes_of[np.arange(width) < lengths[:, None]] = self.blob
        return bytes_of.view(f"S{width}").reshape(-1)


def _encode(names: Sequence[str]) -> list[bytes]:
    try:
        return [name.encode() for name in names]
    except UnicodeEncodeError:
        # UTF-8 cannot hold a lone surrogate, so no id that was ever stored has its bytes
        return [name.encode(errors="surrogatepass") for name in names]


def find_known(ids: IdIndex, names: Sequence[str]) -> list[int]:
    """Return the indices of the ids that there are, in the order of the names."""
    return [index for index in ids.find_all(names).tolist() if index >= 0]


# Fields of a model that are written as arrays, and may be patched in memory once they were read.
StoredStrings = Annotated[StringSequence, Strings]
StoredIds = Annotated[IdIndex, Ids]
