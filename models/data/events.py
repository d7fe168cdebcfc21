"""Events: one row for each thing that a customer did with a product."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

HOUR: Final = 3600  # seconds
DAY: Final = 24 * HOUR

# A code in an array of kinds is the position in this tuple; new kinds are added at the end.
KINDS: Final = (
    "purchase",
    "return",
    "view",
    "cart",
    "wishlist",
    "remove_from_cart",
    "dismiss",
    "exposure",
    "click",
    "rating",
)
PURCHASE: Final = KINDS.index("purchase")
RETURN: Final = KINDS.index("return")
VIEW: Final = KINDS.index("view")
CART: Final = KINDS.index("cart")
REMOVED: Final = KINDS.index("remove_from_cart")
DISMISS: Final = KINDS.index("dismiss")
EXPOSURE: Final = KINDS.index("exposure")
ORDER_KINDS: Final = (PURCHASE, RETURN)
RATING: Final = KINDS.index("rating")


class Standing(IntEnum):
    """Who reported an event, and so for whom it counts. A store keeps the number."""

    SHOP = 0  # the shop, with a key: it counts for everyone
    # A customer's token, or a link in a mail: for that customer, and for others within bounds
    CUSTOMER = 1
    LATE = 2  # a token, of an order more than a day old: for that customer alone


@dataclass(frozen=True, eq=False)
class Events:
    """Hold n events, those of one customer sorted by (item, time).

    A purchase is one order line and weighs 1. A return weighs minus the share of an average line
    that came back. Taking something out of the cart weighs -1, a rating from -1 for one star to 1
    for five, everything else 1.
    """

    item: NDArray[np.int32]
    time: NDArray[np.int64]  # seconds since 1970, UTC
    kind: NDArray[np.uint8]  # code in KINDS
    weight: NDArray[np.float32]
    order: NDArray[np.uint32]  # order_code of its order id, 0 where it has none

    def __len__(self) -> int:
        return len(self.item)

    def at(self, rows: slice | NDArray[Any]) -> Events:
        """Return the events in some rows: a slice, a mask or indices."""
        return Events(
            self.item[rows], self.time[rows], self.kind[rows], self.weight[rows], self.order[rows]
        )


def concatenate_events(parts: Sequence[Events]) -> Events:
    """Return the events of all parts, in the order of the parts."""
    return Events(
        item=np.concatenate([part.item for part in parts]),
        time=np.concatenate([part.time for part in parts]),
        kind=np.concatenate([part.kind for part in parts]),
        weight=np.concatenate([part.weight for part in parts]),
        order=np.concatenate([part.order for part in parts]),
    )


def order_code(order_id: str) -> int:
    """Return 32 bits of the MD5 of an order id's UTF-8 text: its bytes 8 to 11, little-endian."""
    digest = hashlib.md5(order_id.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:12], "little")
