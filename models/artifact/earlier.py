"""Bring the arrays of an artifact of an earlier schema into the shape of this one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from models.artifact.array_tree import Array

EARLIEST: Final = 3  # the oldest schema that is read
BEFORE_MEASURING: Final = 3  # customers had not been asked about measuring: a purpose less
CONSENT_ARRAYS: Final = ("customers.consent", "customers.consent_time")  # (n, purposes)


def bring_up(schema: int, arrays: Mapping[str, Array]) -> Mapping[str, Array]:
    """Return the arrays of a schema as those of the newest. Zeros mean: never asked.

    Schema 5 added columns of the customers file; a model without them has none.
    """
    if schema != BEFORE_MEASURING:
        return arrays
    asked = {name: arrays[name] for name in CONSENT_ARRAYS if name in arrays}
    return {**arrays, **{name: np.pad(array, ((0, 0), (0, 1))) for name, array in asked.items()}}
