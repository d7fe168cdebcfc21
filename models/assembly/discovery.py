"""What customers discover beyond best sellers, which they find anyway."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def prefer_rare(
    order: NDArray[np.int64],
    log_odds: NDArray[np.float32],
    discount: NDArray[np.float32],
    new: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Return an order of candidates (c,) in which products new to the customer trade places.

    Each is ranked by its log odds less a discount, which is higher for what sells more. Products
    that were bought before stay where they are, and so do the places of new ones: how much of a
    slate is new is not decided here. All arguments but `order` are by candidate.
    """
    places = np.flatnonzero(new[order])
    rivals = order[places]
    traded = order.copy()
    traded[places] = rivals[np.argsort(discount[rivals] - log_odds[rivals], kind="stable")]
    return traded
