"""Products that stand in for one another: nobody needs both at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.data.ragged import RowGroups, find_stored, is_among
from models.model import Model
from models.sources.substitutes import Substitutes

Items = NDArray[np.integer[Any]]
Codes = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class StandIns:
    """Tells which products stand in for one another: substitutes, and those that share a code."""

    substitutes: Substitutes
    codes: tuple[Codes, ...]  # (items,) each; -1 is shared with none

    @classmethod
    def in_baskets(cls, model: Model) -> Self:
        """Return what a basket needs one of.

        They are substitutes, and the products of a family or a category that customers do not put
        into one order.
        """
        substitutes = model.substitutes
        family = _only(model.traits.family, substitutes.family)
        return cls(substitutes, (family, _only(model.catalogue.category, substitutes.category)))

    @classmethod
    def in_units(cls, model: Model) -> Self:
        """Return what a unit holds one of: as in a basket, and of any family one product."""
        in_baskets = cls.in_baskets(model)
        return cls(in_baskets.substitutes, (model.traits.family, *in_baskets.codes[1:]))

    def between(self, items: Items, others: Items) -> NDArray[np.bool_]:
        """Mark which items (c,) stand in for which others (d,): (c, d)."""
        marks: NDArray[np.bool_] = np.zeros((len(items), len(others)), np.bool_)
        if len(items) == 0:
            return marks
        for codes in self.codes:
            code = codes[items]
            marks[(code[:, None] == codes[others]) & (code >= 0)[:, None]] = True
        everyone = RowGroups.of([len(others)])
        entries, counts, _ = find_stored(self.substitutes.indptr, others, everyone)
        substitute, column = self.substitutes.item[entries], np.arange(len(others)).repeat(counts)
        order = np.argsort(items)
        row = order.take(items[order].searchsorted(substitute), mode="clip")
        is_item = items[row] == substitute
        marks[row[is_item], column[is_item]] = True
        return marks

    def mark(self, items: Items, members: Sequence[int]) -> NDArray[np.bool_]:
        """Mark which items (c,) stand in for one of the members: (c,)."""
        stands_in = self.between(items, np.array(members, np.int64))
        marks: NDArray[np.bool_] = np.logical_or.reduce(stands_in, axis=1)
        return marks


def _only(codes: Codes, kept: Codes) -> Codes:
    """Return the codes (items,) that are among those kept, which are sorted; else -1."""
    return np.where(is_among(codes, kept), codes, np.int32(-1))
