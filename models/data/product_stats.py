"""What is known of every product beside its sales a day."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ProductStats:
    """(items,) each."""

    category: NDArray[
        np.int32
    ]  # the catalogue's; a word of the title where the shop has none; -1 where unknown
    family: NDArray[
        np.int32
    ]  # products that differ in size or number alone share it; -1 where unknown
    log_price: NDArray[
        np.float32
    ]  # ln of what was usually paid over the shop's median; NaN where unknown
    price_in_category: NDArray[
        np.float32
    ]  # log_price less the mean of the category; NaN where unknown
    customers: NDArray[np.float32]  # who ever bought it
    first_sold: NDArray[np.int64]  # seconds since 1970; NEVER where it was not
    return_rate: NDArray[np.float32]  # returned lines of a purchase line

    @cached_property
    def categories(self) -> int:
        return int(self.category.max(initial=-1)) + 1
