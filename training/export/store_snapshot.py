"""What the service's store says beyond what a model has learned, so that a file says what the service would say."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Self

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sqlalchemy import column, select, table, text

from models.artifact.array_tree import build, flatten
from models.artifact.files import Manifest
from models.data.customers import NEVER_ASKED, Customers
from models.data.events import EXPOSURE, PURCHASE, Events, order_code
from models.data.history import NEVER, Histories
from models.data.ids import Ids, Strings
from models.updates.customer import event_weights
from training.export.already_shown import NOTHING, AlreadyShown
from training.reading.arrow import codes, numbers, strings
from training.reading.customers import PURPOSES, TIMES
from training.reading.service_store import (
    CONSENTS,
    PRODUCTS,
    UNUSED,
    everything,
    fetched,
    opened,
    tombstones,
)

# What was reported above a number, and what was done in sessions that turned out above it to be a customer's.
NEW: Final = text(
    """
    SELECT e.number, COALESCE(e.customer_id, s.customer_id), e.product_id, e.kind, e.time, e.order_id, e.quantity,
        e.rating, e.market
    FROM events e LEFT JOIN sessions s ON s.session_id = e.session_id
    WHERE e.number > :learned AND e.kind <> :shown
    UNION ALL
    SELECT e.number, s.customer_id, e.product_id, e.kind, e.time, e.order_id, e.quantity, e.rating, e.market
    FROM sessions s JOIN events e ON e.session_id = s.session_id
    WHERE s.number > :learned AND e.number <= :learned AND e.customer_id IS NULL AND e.kind <> :shown
    """
)
LINES: Final = {
    "number": "int64",
    "customer_id": "string",
    "product_id": "string",
    "kind": "uint8",
    "time": "int64",
    "order_id": "string",
    "quantity": "float64",
    "rating": "float64",
    "market": "string",
}
CODED: Final = {name: kind for name, kind in LINES.items() if name != "order_id"} | {
    "order": "uint32"
}
SAID: Final = PRODUCTS | {"restocked": "int64"}
RULES: Final = {"rule_id": "string", "document": "string"}
TABLES: Final = {"training_customers": CONSENTS, "unused": UNUSED, "products": SAID, "rules": RULES}
HASH: Final = "sha256"  # of the ids of the erased
HASH_BYTES: Final = 32


@dataclass(frozen=True, eq=False)
class UnlearnedSales:
    """s order lines that the model has not learned of, each once; guests' too."""

    product: NDArray[np.int32]  # (s,) place in Live.products
    time: NDArray[np.int64]  # (s,) seconds since 1970
    market: NDArray[np.int32]  # (s,) code in market_names, -1 where unknown
    market_names: Ids


@dataclass(frozen=True, eq=False)
class ReportedProducts:
    """What the shop has said of p products, in the order of their ids."""

    ids: Ids
    document: Strings  # JSON objects of the fields that were given
    restocked: NDArray[
        np.int64
    ]  # (p,) when each last came back into stock, seconds since 1970; NEVER


@dataclass(frozen=True, eq=False)
class StoreSnapshot:
    """What a store said at one moment. Arrays alone: kept in a folder, they are mapped by every worker."""

    customers: Customers  # (c,) with what they answered; their markets are not known here
    products: Ids  # of events, and of what was struck out
    histories: Histories  # of the customers, in the order in which it was told; `item` is the place in `products`
    struck: NDArray[
        np.int32
    ]  # (k, 2) customer and product: what is no part of whose history; sorted
    mailed: Ids  # whom mails have shown something
    shown: NDArray[np.int32]  # (s, 2) place in `mailed` and product: what they showed; sorted
    told: ReportedProducts
    rules: Strings  # JSON objects, in the order of their ids
    sold: UnlearnedSales
    erased: NDArray[np.uint8]  # (e, 32) keyed hashes of customers
    key: NDArray[np.uint8]  # of the hashes
    newest: NDArray[np.int64]  # (1,) the newest event, seconds since 1970

    def save(self, folder: Path) -> None:
        for name, array in flatten(self):
            np.save(folder / f"{name}.npy", array)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Mapped, not read."""
        # As plain arrays: a memmap takes its time for every slice.
        return build(
            cls,
            {path.stem: np.asarray(np.load(path, mmap_mode="r")) for path in folder.glob("*.npy")},
        )

    def forgotten(self, customer_id: str) -> bool:
        """Whether the customer was erased."""
        if not len(self.erased):
            return False
        return hmac.digest(self.key.tobytes(), customer_id.encode(), HASH) in self._marks

    @cached_property
    def _marks(self) -> frozenset[bytes]:
        return frozenset(map(bytes, self.erased))


def read_store_snapshot(
    url: str, learned: Manifest, shown: AlreadyShown = NOTHING
) -> StoreSnapshot:
    """What the store at `url` says beyond what a model has learned, and what mails have `shown`.

    InputError for a store that cannot be reached or has another schema.
    """
    files = shown.in_files()
    with opened(url, "--store") as (connection, _), connection.begin():
        new = NEW.bindparams(learned=learned.event_position, shown=EXPOSURE)
        tables = [_table(map(_coded, fetched(connection, new, LINES)), CODED)]
        tables += [
            _table(fetched(connection, everything(name, own), own), own)
            for name, own in TABLES.items()
        ]
        newest = connection.scalar(select(column("newest")).select_from(table("position")))
        tables.append(pa.concat_tables([files, shown.in_store(connection)]))
        return _live(learned, tables, newest or 0, *tombstones(connection))


def as_learned(learned: Manifest, shown: AlreadyShown = NOTHING) -> StoreSnapshot:
    """Where no store is named: nothing has happened since but earlier files."""
    tables = [_table([], columns) for columns in (CODED, *TABLES.values())]
    return _live(learned, [*tables, shown.in_files()], 0, frozenset(), b"")


def _live(
    learned: Manifest, tables: Sequence[pa.Table], newest: int, erased: frozenset[bytes], key: bytes
) -> StoreSnapshot:
    """`tables`: CODED, those of TABLES, and PAIRS of what was shown."""
    lines, consents, unused, products, rules, shown = tables
    ids, (customer, answering, striking) = _ids(lines, consents, unused, name="customer_id")
    mailed, (seeing,) = _ids(shown, name="customer_id")
    product_ids, (product, struck, seen) = _ids(lines, unused, shown, name="product_id")
    products, rules = products.sort_by("product_id"), rules.sort_by("rule_id")
    return StoreSnapshot(
        customers=_customers(ids, consents, answering),
        products=product_ids,
        histories=_histories(lines, customer, product, len(ids)),
        struck=_sorted(np.stack([striking, struck], axis=1)),
        mailed=mailed,
        shown=_sorted(np.stack([seeing, seen], axis=1)),
        told=ReportedProducts(
            strings(products["product_id"], Ids),
            strings(products["document"], Strings),
            numbers(products["restocked"], np.int64, NEVER),
        ),
        rules=strings(rules["document"].drop_null(), Strings),
        sold=_sold(lines, customer, product, learned),
        erased=np.frombuffer(b"".join(sorted(erased)), np.uint8).reshape(len(erased), HASH_BYTES),
        key=np.frombuffer(key, np.uint8),
        newest=np.array([newest]),
    )


def _table(parts: Iterable[pa.Table], columns: Mapping[str, str]) -> pa.Table:
    return pa.concat_tables([ibis.schema(dict(columns)).to_pyarrow().empty_table(), *parts])


def _coded(lines: pa.Table) -> pa.Table:
    """With the codes of the orders in the place of their ids."""
    orders = [order_code(order_id) if order_id else 0 for order_id in lines["order_id"].to_pylist()]
    return lines.drop_columns("order_id").append_column("order", pa.array(orders, pa.uint32()))


def _ids(*tables: pa.Table, name: str) -> tuple[Ids, list[NDArray[np.int32]]]:
    """The distinct values of a column of several tables, sorted, and its codes in each; -1 where there is none."""
    columns = [one[name] for one in tables]
    found = pc.unique(
        pa.chunked_array([chunk for one in columns for chunk in one.chunks], pa.string())
    ).drop_null()
    found = found.take(pc.sort_indices(found))
    return strings(found, Ids), [
        numbers(pc.index_in(one, value_set=found), np.int32, -1) for one in columns
    ]


def _customers(ids: Ids, consents: pa.Table, row: NDArray[np.int32]) -> Customers:
    answers, times = (
        np.full((len(ids), 3), NEVER_ASKED, np.uint8),
        np.zeros((len(ids), 3), np.int64),
    )
    for purpose, (answer, time) in enumerate(zip(PURPOSES, TIMES, strict=True)):
        answers[row, purpose] = numbers(consents[answer], np.uint8, NEVER_ASKED)
        times[row, purpose] = numbers(consents[time], np.int64, 0)
    return Customers(ids, answers, times, np.full(len(ids), -1, np.int32), Ids.of([]))


def _histories(
    lines: pa.Table, customer: NDArray[np.int32], product: NDArray[np.int32], customers: int
) -> Histories:
    kind = numbers(lines["kind"], np.uint8, 0)
    quantity, rating = (numbers(lines[name], np.float64, np.nan) for name in ("quantity", "rating"))
    told = Events(
        product,
        numbers(lines["time"], np.int64, 0),
        kind,
        event_weights(customer.astype(np.int64) << 32 | product, kind, quantity, rating),
        numbers(lines["order"], np.uint32, 0),
    )
    guests = np.count_nonzero(customer < 0)
    rows = np.lexsort((numbers(lines["number"], np.int64, 0), customer))[guests:]
    indptr = np.searchsorted(customer[rows], np.arange(customers + 1))
    events = Events(
        told.item[rows], told.time[rows], told.kind[rows], told.weight[rows], told.order[rows]
    )
    return Histories(indptr, events)


def _sold(
    lines: pa.Table, customer: NDArray[np.int32], product: NDArray[np.int32], learned: Manifest
) -> UnlearnedSales:
    number, time, order = (
        numbers(lines[name], np.int64, 0) for name in ("number", "time", "order")
    )
    # Of a model that did not read the store it is known only up to when it has learned.
    new = (
        time > learned.data_as_of
        if learned.event_position == 0
        else number > learned.event_position
    )
    rows = np.flatnonzero(new & (numbers(lines["kind"], np.uint8, 0) == PURCHASE))
    rows = rows[np.lexsort((number[rows], product[rows], order[rows], customer[rows]))]
    told = np.stack([column[rows] for column in (customer, order, product)])
    last = np.append((told[:, 1:] != told[:, :-1]).any(axis=0), True)[: len(rows)]
    market, market_names = codes(lines["market"])
    rows = rows[last]
    return UnlearnedSales(product[rows], time[rows], market[rows], market_names)


def _sorted(pairs: NDArray[np.int32]) -> NDArray[np.int32]:
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
