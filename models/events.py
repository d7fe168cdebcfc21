"""Events: what a customer did with a product, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

DAY: Final = 86_400  # seconds

# A code in an array of kinds is the position in this tuple; new kinds are added at the end.
KINDS: Final = ("purchase", "return", "view", "cart", "wishlist")
PURCHASE: Final = KINDS.index("purchase")
RETURN: Final = KINDS.index("return")


@dataclass(frozen=True, eq=False)
class Events:
    """n events of one customer, sorted by (item, time).

    A purchase is one order line and weighs 1. A return weighs minus the share of an average line that came back.
    """

    item: NDArray[np.int32]
    time: NDArray[np.int64]  # seconds since 1970, UTC
    kind: NDArray[np.uint8]  # code in KINDS
    weight: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.item)
