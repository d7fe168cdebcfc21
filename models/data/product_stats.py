"""Facts about every product beside its sales a day."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ProductStats:
    """Hold facts about every product: (items,) each. Unknown codes are -1, unknown prices NaN."""

    category: NDArray[np.int32]  # the catalogue's; a word of the title where the shop has none
    family: NDArray[np.int32]  # shared by products that differ in size or number alone
    log_price: Floats  # ln of what was usually paid over the shop's median
    price_in_category: Floats  # log_price less the mean of the category
    customers: Floats  # who ever bought it
    first_sold: NDArray[np.int64]  # seconds since 1970; NEVER where it was not
    return_rate: Floats  # returned lines of a purchase line

    @cached_property
    def categories(self) -> int:
        return int(self.category.max(initial=-1)) + 1
