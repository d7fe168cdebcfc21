"""Strings of a model after the shop has replaced some of them and added others.

They are read through the protocols of `models.data.ids`; there are no arrays of them that could be
mapped, compared or written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models.data.ids import IdIndex, StringSequence
from models.updates.insertions import Insertions


class PatchedStrings:
    """Hold n strings with others inserted and some replaced. A patch of a patch is one patch."""

    def __init__(
        self,
        base: StringSequence,
        inserted: Sequence[str],
        insertions: Insertions,
        replaced: Mapping[int, str],
    ) -> None:
        """Insert behind the strings of the artifact, then replace by the indices of afterwards."""
        self._base: StringSequence = base
        self._patches: dict[int, bytes] = {}
        if isinstance(base, PatchedStrings):
            self._base = base._base
            indices = insertions.moved(np.array([*base._patches], np.int64))
            self._patches = dict(zip(indices.tolist(), base._patches.values(), strict=True))
        for index, text in zip(insertions.rows.tolist(), inserted, strict=True):
            self._patches[index] = text.encode()
        for index, text in replaced.items():
            self._patches[index] = text.encode()
        self._length = len(base) + len(inserted)

    def bytes_at(self, index: int) -> bytes:
        patches = self._patches
        return patches[index] if index in patches else self._base.bytes_at(index)

    def __getitem__(self, index: int) -> str:
        return self.bytes_at(index).decode()

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[str]:
        # Those that were inserted stand behind the strings of the artifact
        for index, text in enumerate(self._base):
            yield self._patches[index].decode() if index in self._patches else text
        for index in range(len(self._base), self._length):
            yield self[index]

    def changed_since(self, earlier: StringSequence) -> list[int] | None:
        """Return the indices whose strings may differ from earlier ones; None: any of them.

        Where strings were inserted, all behind those of the artifact may have moved.
        """
        if earlier is self:
            return []
        if earlier is self._base:
            return list(self._patches)
        if not isinstance(earlier, PatchedStrings) or earlier._base is not self._base:
            return None
        before = earlier._patches
        moved_from = self._length if self._length == earlier._length else len(self._base)
        return [
            index
            for index, text in self._patches.items()
            if index >= moved_from or before.get(index) != text
        ]


class PatchedIds(PatchedStrings):
    """Hold n ids with others inserted, each found by its name."""

    def __init__(self, base: IdIndex, inserted: Sequence[str], insertions: Insertions) -> None:
        super().__init__(base, inserted, insertions, {})
        self._base_ids: IdIndex = base
        self._inserted: dict[str, int] = {}  # their indices
        if isinstance(base, PatchedIds):
            self._base_ids = base._base_ids
            indices = insertions.moved(np.array([*base._inserted.values()], np.int64))
            self._inserted = dict(zip(base._inserted, indices.tolist(), strict=True))
        self._inserted |= zip(inserted, insertions.rows.tolist(), strict=True)

    def find(self, name: str) -> int:
        if name in self._inserted:
            return self._inserted[name]
        return self._base_ids.find(name)

    def find_all(self, names: Sequence[str]) -> NDArray[np.int32]:
        found = self._base_ids.find_all(names)
        for row, name in enumerate(names):
            if name in self._inserted:
                found[row] = self._inserted[name]
        return found
