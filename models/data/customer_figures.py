"""What is computed of each customer: a table in a registry, mapped by whoever looks one up.

registry/insights/customers.npy

It holds no ids, only their digests, in whose order the rows stand.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from models.artifact.atomic import atomic_write
from models.artifact.insights import INSIGHTS
from models.data.segments import SEGMENTS, Segment
from models.errors import ArtifactError, reading_failed

ERASED: Final = 255  # in place of a segment
UNKNOWN: Final = np.nan
ROW: Final = np.dtype(
    [
        ("digest", "<u8"),
        ("segment", "u1"),  # index of SEGMENTS
        ("orders", "<u4"),
        ("first", "<i4"),  # day since 1970 of the first order
        ("last", "<i4"),
        ("recency", "<i4"),  # days since the last one, when it was computed
        ("interval", "<f4"),  # usual days between orders
        ("revenue", "<f8"),  # that was kept
        ("returns", "<f4"),  # probability of an order in the next 12 months, NaN unknown
        ("expected_orders", "<f4"),  # in the next 12 months, NaN unknown
        ("expected_value", "<f8"),  # likewise
    ]
)


@dataclass(frozen=True)
class CustomerFigure:
    """Hold what is computed of one customer. Days are since 1970; None is unknown."""

    segment: Segment
    orders: int
    first: int
    last: int
    recency: int
    interval: float
    revenue: float
    returns: float | None
    expected_orders: float | None
    expected_value: float | None


@dataclass(frozen=True, eq=False)
class CustomerFigures:
    """Hold a row a customer, by their digests: (n,) of ROW."""

    rows: NDArray[Any]

    @classmethod
    def of(cls, customer_ids: Iterable[str], columns: dict[str, NDArray[Any]]) -> Self:
        """Build the table of n customers. `columns`: those of ROW but the digest, (n,) each."""
        digests = find_digests(customer_ids)
        rows = np.empty(len(digests), ROW)
        rows["digest"] = digests
        for name, values in columns.items():
            rows[name] = values
        return cls(rows[np.argsort(digests, kind="stable")])

    @classmethod
    def read(cls, registry: Path) -> Self | None:
        """Map the table of a registry; None where there is none. Raises ArtifactError."""
        path = path_of(registry)
        try:
            rows = np.load(path, mmap_mode="r")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise reading_failed(path, error) from error
        except ValueError as error:
            raise ArtifactError(f"{path}: no figures of customers ({error})") from error
        if rows.dtype != ROW or rows.ndim != 1:
            raise ArtifactError(
                f"{path}: figures of another version; compute them again with: regulars insights"
            )
        return cls(rows)

    def write(self, registry: Path) -> Path:
        """Write the table in place of an older one, and return its path. Raises OSError."""
        path = path_of(registry)
        path.parent.mkdir(exist_ok=True)
        with atomic_write(path, durable=True) as stream:
            np.save(stream, self.rows)
        return path

    def find(self, customer_id: str) -> CustomerFigure | None:
        """Return what is computed of a customer; None for whoever is in no segment."""
        row = self._find_row(customer_id)
        return None if row is None else _read_row(self.rows[row])

    def find_segments(self, customer_ids: Iterable[str]) -> NDArray[np.int64]:
        """Return the index of each one's segment, -1 for whoever is in none: (len(ids),)."""
        wanted, digests = find_digests(customer_ids), np.ascontiguousarray(self.rows["digest"])
        found = np.full(len(wanted), -1, np.int64)
        if len(digests):
            row = np.minimum(np.searchsorted(digests, wanted), len(digests) - 1)
            segment = self.rows["segment"][row].astype(np.int64)
            known = (digests[row] == wanted) & (segment != ERASED)
            found[known] = segment[known]
        return found

    def _find_row(self, customer_id: str) -> int | None:
        wanted, digests = int(find_digests([customer_id])[0]), self.rows["digest"]
        row = bisect_left(digests, wanted)
        known = row < len(digests) and int(digests[row]) == wanted
        return row if known and self.rows["segment"][row] != ERASED else None


def remove_figures(registry: Path) -> None:
    """Remove the table of a registry, if it is there. Raises OSError."""
    path_of(registry).unlink(missing_ok=True)


def erase_from_figures(registry: Path, customer_id: str) -> bool | None:
    """Take a customer out of the table of a registry.

    Returns whether that could be written; None where the table has nothing of them.
    """
    try:
        figures = CustomerFigures.read(registry)
    except ArtifactError:
        return None  # nobody can look anyone up in it
    row = None if figures is None else figures._find_row(customer_id)
    if row is None:
        return None
    try:
        rows = np.load(path_of(registry), mmap_mode="r+")
    except OSError:
        return False
    erased = np.zeros((), ROW)
    erased["digest"], erased["segment"] = rows["digest"][row], ERASED
    rows[row] = erased
    rows.flush()
    return True


def find_digests(customer_ids: Iterable[str]) -> NDArray[np.uint64]:
    """Return 64 bits of each id: (len(ids),)."""
    digests = [
        hashlib.blake2b(f"figures {customer_id}".encode(), digest_size=8).digest()
        for customer_id in customer_ids
    ]
    return np.frombuffer(b"".join(digests), "<u8")


def path_of(registry: Path) -> Path:
    """Return the path of the table of a registry."""
    return registry / INSIGHTS / "customers.npy"


def _read_row(row: Any) -> CustomerFigure:
    values = {name: row[name].item() for name in ROW.names or () if name != "digest"}
    values["segment"] = SEGMENTS[values["segment"]]
    return CustomerFigure(**{name: _known(value) for name, value in values.items()})


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value
