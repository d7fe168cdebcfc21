"""What happened after a model learned: the same customer, with what they did since."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.customers import NEVER_ASKED, YES
from models.events import PURCHASE, Events


def _none() -> NDArray[np.int32]:
    return np.zeros(0, np.int32)


@dataclass(frozen=True, eq=False)
class Since:
    """What is known of a customer or a session beside the artifact. `events` as models.events.Events, in any order."""

    events: Events
    consent: tuple[tuple[int, int], ...] = ((NEVER_ASKED, 0),) * 3  # for each purpose the answer, and when it was given
    unasked: int = YES  # what holds for who was never asked
    unused: NDArray[np.int32] = field(default_factory=_none)  # items the customer struck out of their history
    forgotten: bool = False  # the customer was erased: nothing that the artifact holds of them may be used


NOTHING: Final = Since(
    Events(
        np.zeros(0, np.int32),
        np.zeros(0, np.int64),
        np.zeros(0, np.uint8),
        np.zeros(0, np.float32),
        np.zeros(0, np.uint32),
    )
)


def history(learned: Events, since: Since) -> Events:
    """Both together, sorted by (item, time). A purchase known by its order and product is there once."""
    more = since.events.at(_first_told(since.events, learned))
    events = [
        np.concatenate([old, new])
        for old, new in (
            (learned.item, more.item),
            (learned.time, more.time),
            (learned.kind, more.kind),
            (learned.weight, more.weight),
            (learned.order, more.order),
        )
    ]
    order = np.lexsort((events[1], events[0]))
    order = order[~np.isin(events[0][order], since.unused)]
    return Events(*(column[order] for column in events))


def _first_told(more: Events, learned: Events) -> NDArray[np.bool_]:
    """Which events are no purchase that was learned or stands further up."""
    lines, known = _lines(more), _lines(learned)
    first = np.zeros(len(more), np.bool_)
    first[np.unique(lines, return_index=True)[1]] = True
    told: NDArray[np.bool_] = first & ~np.isin(lines, known[known >= 0])
    return told


def _lines(events: Events) -> NDArray[np.int64]:
    """Product and order of each purchase as one number; for what is none, one of its own below 0."""
    purchase = (events.kind == PURCHASE) & (events.order != 0)
    line = events.item.astype(np.int64) << 32 | events.order
    return np.where(purchase, line, -1 - np.arange(len(events)))
