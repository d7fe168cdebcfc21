"""The holdout: customers who are never personalised, so that the others can be compared with them.

What all of Regulars earns is the difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from models.experiments.assignment import BUCKETS, bucket_of, derive_key
from models.rules.shop_rules import read_moment

HOLDOUT: Final = "holdout"  # the use of its key, and the id of its document in the store


@dataclass(frozen=True)
class Holdout:
    """Hold who is kept out: a share of all customers, known or not."""

    key: bytes
    share: int  # in buckets
    since: int  # seconds since 1970: a wish to be personalised from then on ends it

    @classmethod
    def read(cls, document: Mapping[str, Any], secret: bytes) -> Self:
        """Return the holdout of a document that was checked."""
        share = round(document["share"] * BUCKETS)
        return cls(derive_key(secret, HOLDOUT), share, read_moment(document["since"]))

    def holds(self, customer_id: str) -> bool:
        """Tell whether a customer is in it, unless they ask to be personalised."""
        return bucket_of(self.key, customer_id) < self.share
