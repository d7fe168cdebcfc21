"""Groups of customers: by segment, or by a column of the customers file.

A segment is what a shop calls its customers, by how long they stay away for their own rhythm.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final, Literal, NamedTuple, TypeAlias


class Segment(StrEnum):
    """A class of the customers who have ordered; each is in exactly one."""

    NEW = "new"  # ordered on one day, lately
    PROMISING = "promising"  # came back, and no rhythm is known yet
    CONNECTED = "connected"  # come in a rhythm of their own
    AT_RISK = "at_risk"  # stay away for longer than they did
    LAPSED = "lapsed"  # for much longer


SEGMENTS: Final = tuple(Segment)  # by their codes
# Their names, as documents of the shop hold them
SegmentName: TypeAlias = Literal["new", "promising", "connected", "at_risk", "lapsed"]


class CustomerGroups(NamedTuple):
    """Groups that a customer is in, as far as they may be used."""

    segment: Segment | None = None
    columns: frozenset[tuple[str, str]] = frozenset()  # of the customers file, with their values

    def meet(
        self, segments: Collection[str] | None, columns: Mapping[str, Collection[str]] | None
    ) -> bool:
        """Tell whether a condition holds: one of the segments, and for each column one value.

        None or empty: everyone. A value that is not known is none of them.
        """
        if segments and self.segment not in segments:
            return False
        for name, values in (columns or {}).items():
            if not any((name, value) in self.columns for value in values):
                return False
        return True


NO_GROUPS: Final = CustomerGroups()
