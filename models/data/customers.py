"""Customers: one row each, in the order of the customer ids."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.data.ids import Ids, Strings

# Columns of `consent`.
TRAIN: Final = 0
PERSONALIZE_WEB: Final = 1
PERSONALIZE_EMAIL: Final = 2
MEASURE: Final = 3
PURPOSES: Final = ("train", "personalize_web", "personalize_email", "measure")  # their names

# Values of `consent`.
NEVER_ASKED: Final = 0
YES: Final = 1
NO: Final = 2

MAX_COLUMNS: Final = 5  # of the customers file, that a shop may name
MAX_VALUES: Final = 100  # of each of them
CONSENT_SLOTS: Final = 1 << 16


def consent_slot(customer_id: str) -> int:
    """Return one of CONSENT_SLOTS, by which it is known whose consent changed or was lost."""
    digest = hashlib.blake2b(f"consent {customer_id}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little") % CONSENT_SLOTS


@dataclass(frozen=True, eq=False)
class CustomerColumns:
    """Hold k columns of the customers file that the shop has named, of n customers."""

    names: Strings  # (k,)
    values: Ids  # (v,) of all columns
    code: NDArray[np.int32]  # (n, k) index in values, -1 where unknown or not to be used

    @classmethod
    def none(cls) -> Self:
        """Return the columns of a shop that names none."""
        return cls(Strings.of([]), Ids.of([]), np.zeros((0, 0), np.int32))

    def of(self, user: int) -> frozenset[tuple[str, str]]:
        """Return names and values of a customer, where they are known."""
        if user < 0 or not len(self.names):
            return frozenset()
        codes = zip(self.names, self.code[user].tolist(), strict=True)
        return frozenset((name, self.values[code]) for name, code in codes if code >= 0)

    def at(self, users: NDArray[np.int64]) -> Self:
        """Return those of these customers alone, in this order."""
        return self if not len(self.names) else replace(self, code=self.code[users])

    def without(self, users: NDArray[np.bool_]) -> Self:
        """Return them without what is said of some customers (n,)."""
        if not len(self.names):
            return self
        return replace(self, code=np.where(users[:, np.newaxis], np.int32(-1), self.code))

    def values_of(self, name: str) -> list[str]:
        """Return the values of a column, sorted; none of one that the shop has not named."""
        names = list(self.names)
        if name not in names:
            return []
        codes = np.unique(self.code[:, names.index(name)])
        return [self.values[code] for code in codes[codes >= 0].tolist()]


def nothing_said() -> Strings:
    """Return the preferences of customers of whom none are known: (0,)."""
    return Strings.of([])


@dataclass(frozen=True, eq=False)
class Customers:
    """Hold n customers and m markets.

    There are no factors: customers are folded in from their history.
    """

    ids: Ids
    consent: NDArray[np.uint8]  # (n, 4) per purpose
    consent_time: NDArray[np.int64]  # (n, 4) when they answered, seconds since 1970; 0 unknown
    market: NDArray[np.int32]  # (n,) code in market_names, -1 where unknown
    market_names: Ids  # (m,) markets of sales and customers
    # (n,) JSON texts of models.rules.preferences, empty where nothing is known; (0,) where all are
    preferences: Strings = field(default_factory=nothing_said)
    # By which rules and the like are for some; versions of before have none
    columns: CustomerColumns = field(default_factory=CustomerColumns.none)

    def __len__(self) -> int:
        return len(self.ids)

    def market_of(self, user: int) -> str | None:
        """Return the name of a customer's own market, None where it is unknown."""
        code = int(self.market[user])
        return self.market_names[code] if code >= 0 else None

    def preferences_of(self, user: int) -> str:
        """Return what a customer has said as JSON, an empty text where nothing is known."""
        return self.preferences[user] if len(self.preferences) else ""

    def market_code(self, name: str | None) -> int:
        """Return the code of a market, -1 for one that is unknown and for all markets, None."""
        return -1 if name is None else self.market_names.find(name)
