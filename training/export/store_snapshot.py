"""Read what the service's store holds beyond what a model has learned, as arrays.

So a file answers what the service would answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Self

import ibis
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, CompoundSelect, Select, and_, exists, func, select

from models.artifact.array_tree import build, flatten
from models.artifact.files import Manifest
from models.data.customers import (
    NEVER_ASKED,
    NO,
    PERSONALIZE_EMAIL,
    PURPOSES,
    Customers,
    consent_slot,
)
from models.data.events import (
    DAY,
    EXPOSURE,
    ORDER_KINDS,
    PURCHASE,
    Events,
    Standing,
    order_code,
)
from models.data.history import NEVER, Histories
from models.data.ids import Ids, Strings
from models.data.shop_time import SalesDay
from models.updates.customer import AFTER_TRAINING, weigh_events
from training.errors import InputError
from training.export.already_shown import NOTHING_SHOWN, AlreadyShown
from training.reading import service_store
from training.reading.arrow import to_codes, to_numbers, to_strings
from training.reading.customers import CONSENT_TIMES
from training.reading.service_store import (
    CONSENT_TYPES,
    NO_EXPERIMENTS,
    NOTHING_LOST,
    PREFERENCE_TYPES,
    PRODUCT_TYPES,
    UNUSED_TYPES,
    ExperimentRows,
    LostConsents,
    StoreReader,
    Tombstones,
    open_store,
    select_columns,
)

LINE_TYPES: Final = {
    "number": "int64",
    "customer_id": "string",
    "product_id": "string",
    "kind": "uint8",
    "time": "int64",
    "order_id": "string",
    "quantity": "float64",
    "rating": "float64",
    "market": "string",
    "standing": "uint8",
    "sold": "bool",  # a sale that a model has not learned of
}
CODED_LINE_TYPES: Final = {
    name: type_ for name, type_ in LINE_TYPES.items() if name != "order_id"
} | {"order": "uint32"}
REFUSAL_TYPES: Final = {"customer_id": "string", "purpose": "uint8"}
REPORTED_PRODUCT_TYPES: Final = PRODUCT_TYPES | {"restocked": "int64"}
RULE_TYPES: Final = {"rule_id": "string", "document": "string"}
OFFER_TYPES: Final = {"offer_id": "string", "document": "string"}
HASH_BYTES: Final = 32


@dataclass(frozen=True, eq=False)
class UnlearnedSales:
    """Hold s order lines that the model has not learned of, each once; guests' too."""

    product: NDArray[np.int32]  # (s,) index in StoreSnapshot.products
    time: NDArray[np.int64]  # (s,) seconds since 1970
    market: NDArray[np.int32]  # (s,) code in market_names, -1 where unknown
    market_names: Ids


@dataclass(frozen=True, eq=False)
class ReportedProducts:
    """Hold p products as the shop has reported them to the store, in the order of their ids."""

    ids: Ids
    document: Strings  # JSON objects of the fields that were given
    restocked: NDArray[np.int64]  # (p,) when each last came back into stock; NEVER


@dataclass(frozen=True, eq=False)
class StoreSnapshot:
    """Hold the content of a store at one moment, in arrays that every worker maps."""

    customers: Customers  # (c,) with their consents; their markets are not known here
    products: Ids  # of events, of what was struck out and of what mails have shown
    histories: Histories  # of the customers, in the order of arrival; `item` indexes `products`
    struck: NDArray[np.int32]  # (k, 2) customer and product they struck out; sorted
    mailed: Ids  # customers to whom mails have shown something
    shown: NDArray[np.int32]  # (s, 2) index in `mailed`, and product that was shown; sorted
    reported: ReportedProducts
    rules: Strings  # JSON objects, in the order of their ids
    offers: Strings  # JSON objects with their ids, in the order of these
    experiments: Strings  # JSON objects; the holdout is the one without an id
    assigning_key: NDArray[np.uint8]  # the secret that assigns by chance; (0,) without a store
    sold: UnlearnedSales
    erased: NDArray[np.uint8]  # (e, 32) keyed hashes of customers
    key: NDArray[np.uint8]  # of the hashes
    newest: NDArray[np.int64]  # (1,) time of the newest event, seconds since 1970
    # (1,) change up to which the model has learned from this store; 0 where it has from none or
    # from another one, or from changes that this one does not hold
    learned: NDArray[np.int64]
    # (l,) slots of consents that the store has lost, sorted
    lost: NDArray[np.int32]
    sales_days: NDArray[np.int64]  # (d, 4) rows of SalesDay, of what the shop sold since training

    def save(self, folder: Path) -> None:
        """Write each array into a file of its own."""
        for name, array in flatten(self):
            np.save(folder / f"{name}.npy", array)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map the arrays that were saved in a folder.

        Raises InputError where another version of Regulars saved them.
        """
        arrays = {}
        for path in folder.glob("*.npy"):
            # As plain arrays: a memmap takes its time for every slice.
            arrays[path.stem] = np.asarray(np.load(path, mmap_mode="r"))
        try:
            return build(cls, arrays)
        except KeyError:
            raise InputError(
                f"--resume: {folder} was written by another version of Regulars; "
                "without --resume the export begins again"
            ) from None

    def has_lost_consent(self, customer_id: str) -> bool:
        """Return whether answers of a customer who has none may have been lost."""
        return bool(len(self.lost)) and consent_slot(customer_id) in self.lost

    def forgotten(self, customer_id: str) -> bool:
        """Return whether the customer was erased."""
        return self._tombstones.cover(customer_id)

    @property
    def refusals(self) -> Set[bytes | tuple[str, int]]:
        """Return the erased, and who refused personal mails with the time of it."""
        answers = self.customers.consent[:, PERSONALIZE_EMAIL]
        times = self.customers.consent_time[:, PERSONALIZE_EMAIL]
        refused = {
            (self.customers.ids[row], int(times[row]))
            for row in np.flatnonzero(answers == NO).tolist()
        }
        return refused | self._tombstones.hashes

    @cached_property
    def _tombstones(self) -> Tombstones:
        return Tombstones(self.key.tobytes(), frozenset(map(bytes, self.erased)))


@dataclass(frozen=True, eq=False)
class _StoreRows:
    """Hold the rows of which a snapshot is made, as Arrow tables."""

    lines: pa.Table  # CODED_LINE_TYPES
    consents: pa.Table  # CONSENT_TYPES
    refusals: pa.Table  # REFUSAL_TYPES, that the model has not learned
    preferences: pa.Table  # PREFERENCE_TYPES
    unused: pa.Table  # UNUSED_TYPES
    products: pa.Table  # REPORTED_PRODUCT_TYPES
    rules: pa.Table  # RULE_TYPES
    offers: pa.Table  # OFFER_TYPES
    shown: pa.Table  # SHOWN_TYPES
    experiments: ExperimentRows
    tombstones: Tombstones
    newest_event: int  # seconds since 1970; 0 for none
    learned: int  # as in StoreSnapshot
    lost: LostConsents
    sales_days: list[SalesDay]

    @classmethod
    def read(cls, store: StoreReader, model: Manifest, shown: AlreadyShown) -> Self:
        is_of_store = store.holds(model.event_position, model.event_mark)
        learned = model.event_position if is_of_store else 0
        lines = store.fetch(_unlearned_lines(learned), LINE_TYPES)
        consents = select_columns(service_store.training_customers, CONSENT_TYPES)
        preferences = select_columns(service_store.preferences, PREFERENCE_TYPES)
        unused = select_columns(service_store.unused, UNUSED_TYPES)
        products = select_columns(service_store.products, REPORTED_PRODUCT_TYPES)
        rules = select_columns(service_store.rules, RULE_TYPES)
        offers = select_columns(service_store.offers, OFFER_TYPES)
        return cls(
            lines=_concatenate(map(_with_order_codes, lines), CODED_LINE_TYPES),
            consents=_concatenate(store.fetch(consents, CONSENT_TYPES), CONSENT_TYPES),
            refusals=_concatenate(
                store.fetch(_unlearned_refusals(learned), REFUSAL_TYPES), REFUSAL_TYPES
            ),
            preferences=_concatenate(store.fetch(preferences, PREFERENCE_TYPES), PREFERENCE_TYPES),
            unused=_concatenate(store.fetch(unused, UNUSED_TYPES), UNUSED_TYPES),
            products=_concatenate(
                store.fetch(products, REPORTED_PRODUCT_TYPES), REPORTED_PRODUCT_TYPES
            ),
            rules=_concatenate(store.fetch(rules, RULE_TYPES), RULE_TYPES),
            offers=_concatenate(store.fetch(offers, OFFER_TYPES), OFFER_TYPES),
            shown=pa.concat_tables([shown.in_files(), shown.in_store(store)]),
            experiments=store.experiments(),
            tombstones=store.tombstones(),
            newest_event=store.newest_event(),
            learned=learned,
            lost=store.lost_consents(),
            sales_days=store.sales_days(model.data_as_of),
        )

    @classmethod
    def none(cls, shown: AlreadyShown) -> Self:
        return cls(
            lines=_concatenate([], CODED_LINE_TYPES),
            consents=_concatenate([], CONSENT_TYPES),
            refusals=_concatenate([], REFUSAL_TYPES),
            preferences=_concatenate([], PREFERENCE_TYPES),
            unused=_concatenate([], UNUSED_TYPES),
            products=_concatenate([], REPORTED_PRODUCT_TYPES),
            rules=_concatenate([], RULE_TYPES),
            offers=_concatenate([], OFFER_TYPES),
            shown=shown.in_files(),
            experiments=NO_EXPERIMENTS,
            tombstones=Tombstones(b"", frozenset()),
            newest_event=0,
            learned=0,
            lost=NOTHING_LOST,
            sales_days=[],
        )


def read_store_snapshot(
    url: str, learned: Manifest, shown: AlreadyShown = NOTHING_SHOWN
) -> StoreSnapshot:
    """Read from the store at `url` what a model has not learned, and what mails have `shown`.

    Raises InputError for a store that cannot be reached or has another schema.
    """
    with open_store(url, "--store") as store, store.connection.begin():
        rows = _StoreRows.read(store, learned, shown)
    return _snapshot(rows, learned)


def empty_snapshot(learned: Manifest, shown: AlreadyShown = NOTHING_SHOWN) -> StoreSnapshot:
    """Return the snapshot where no store is named: only what earlier files have `shown`."""
    return _snapshot(_StoreRows.none(shown), learned)


def _unlearned_lines(learned: int) -> CompoundSelect[tuple[object, ...]]:
    """Select the events above the number `learned`.

    Earlier events of a session count too, if it turned out above that number to be a customer's.
    """
    events, sessions = service_store.events, service_store.sessions
    same_session = sessions.c.session_id == events.c.session_id
    names = [name for name in LINE_TYPES if name not in ("number", "customer_id", "sold")]
    cells = [*[events.c[name] for name in names], _is_unlearned_sale(learned).label("sold")]
    customer = func.coalesce(events.c.customer_id, sessions.c.customer_id)
    new = (
        select(events.c.number, customer, *cells)
        .select_from(events.outerjoin(sessions, same_session))
        .where(events.c.number > learned, events.c.kind != EXPOSURE)
    )
    identified = (
        select(events.c.number, sessions.c.customer_id, *cells)
        .select_from(sessions.join(events, same_session))
        .where(
            sessions.c.number > learned,
            events.c.number <= learned,
            events.c.customer_id.is_(None),
            events.c.kind != EXPOSURE,
        )
    )
    return new.union_all(identified)


def _is_unlearned_sale(learned: int) -> ColumnElement[bool]:
    """Tell the purchases that the shop reported, and neither it nor the customer up to `learned`.

    The service counts by the same rule: service/store/events.py.
    """
    sale, earlier = service_store.events, service_store.events.alias("earlier")
    is_earlier = (
        (earlier.c.number <= learned)
        & (earlier.c.kind == PURCHASE)
        & (earlier.c.product_id == sale.c.product_id)
    )
    customer = func.coalesce(sale.c.customer_id, "")
    is_same_order = earlier.c.order_id == sale.c.order_id
    is_same_day = earlier.c.time.between(sale.c.time - DAY, sale.c.time + DAY)
    reported = is_earlier & (
        (earlier.c.standing == Standing.SHOP)
        & is_same_order
        & (customer == func.coalesce(earlier.c.customer_id, ""))
    )
    claimed = is_earlier & (
        (earlier.c.standing == Standing.CUSTOMER)
        & (earlier.c.customer_id == sale.c.customer_id)
        & (is_same_order | is_same_day)
    )
    return and_(
        sale.c.kind == PURCHASE,
        sale.c.standing == Standing.SHOP,
        ~exists().where(reported),
        ~exists().where(claimed),
    )


def _unlearned_refusals(learned: int) -> Select[tuple[object, ...]]:
    """Select the noes above the number `learned`."""
    consents = service_store.consents
    columns = [consents.c[name] for name in REFUSAL_TYPES]
    return select(*columns).where(consents.c.value == NO, consents.c.number > learned)


def _concatenate(parts: Iterable[pa.Table], types: Mapping[str, str]) -> pa.Table:
    empty = ibis.schema(dict(types)).to_pyarrow().empty_table()
    return pa.concat_tables([empty, *parts])


def _with_order_codes(lines: pa.Table) -> pa.Table:
    """Replace the ids of the orders by their codes."""
    order_ids = lines["order_id"].to_pylist()
    orders = [order_code(order_id) if order_id else 0 for order_id in order_ids]
    return lines.drop_columns("order_id").append_column("order", pa.array(orders, pa.uint32()))


def _snapshot(rows: _StoreRows, learned: Manifest) -> StoreSnapshot:
    """Make arrays; customers and products are numbered in the order of their ids."""
    customer_tables = (rows.lines, rows.consents, rows.unused, rows.preferences)
    customer_ids, codes = _number("customer_id", *customer_tables)
    customer, consenting, striking, saying = codes
    product_tables = (rows.lines, rows.unused, rows.shown)
    product_ids, (product, struck, shown_product) = _number("product_id", *product_tables)
    mailed, (shown_customer,) = _number("customer_id", rows.shown)
    products, rules = rows.products.sort_by("product_id"), rows.rules.sort_by("rule_id")
    hashes = sorted(rows.tombstones.hashes)
    return StoreSnapshot(
        customers=_customers(customer_ids, rows, consenting, saying),
        products=product_ids,
        histories=_histories(rows.lines, customer, product, len(customer_ids)),
        struck=_sorted_pairs(striking, struck),
        mailed=mailed,
        shown=_sorted_pairs(shown_customer, shown_product),
        reported=ReportedProducts(
            to_strings(products["product_id"], Ids),
            to_strings(products["document"], Strings),
            to_numbers(products["restocked"], np.int64, NEVER),
        ),
        rules=to_strings(rules["document"].drop_null(), Strings),
        offers=_offers(rows.offers),
        experiments=Strings.of(list(rows.experiments.documents)),
        assigning_key=np.frombuffer(rows.experiments.secret, np.uint8),
        sold=_unlearned_sales(rows, customer, product, learned),
        erased=np.frombuffer(b"".join(hashes), np.uint8).reshape(len(hashes), HASH_BYTES),
        key=np.frombuffer(rows.tombstones.key, np.uint8),
        newest=np.array([rows.newest_event]),
        learned=np.array([rows.learned]),
        lost=np.array(sorted(rows.lost.numbers), np.int32),
        sales_days=np.array(rows.sales_days, np.int64).reshape(-1, len(SalesDay._fields)),
    )


def _number(name: str, *tables: pa.Table) -> tuple[Ids, list[NDArray[np.int32]]]:
    """Return the sorted distinct texts of a column, and its codes in each table; -1 for NULL."""
    chunks: list[pa.Array] = []
    for table in tables:
        chunks += table[name].chunks
    distinct = pc.unique(pa.chunked_array(chunks, pa.string())).drop_null()
    distinct = distinct.take(pc.sort_indices(distinct))
    indices = [pc.index_in(table[name], value_set=distinct) for table in tables]
    return to_strings(distinct, Ids), [to_numbers(index, np.int32, -1) for index in indices]


def _customers(
    ids: Ids, rows: _StoreRows, row: NDArray[np.int32], saying: NDArray[np.int32]
) -> Customers:
    """Build the customers with their answers, and what they said.

    A no that came after the training is later than anything that was learned, whatever the clocks
    of the two said.
    """
    consents = rows.consents
    values = np.full((len(ids), len(PURPOSES)), NEVER_ASKED, np.uint8)
    times = np.zeros((len(ids), len(PURPOSES)), np.int64)
    for purpose, (value, time) in enumerate(zip(PURPOSES, CONSENT_TIMES, strict=True)):
        values[row, purpose] = to_numbers(consents[value], np.uint8, NEVER_ASKED)
        times[row, purpose] = to_numbers(consents[time], np.int64, 0)
    refusing = ids.find_all(rows.refusals["customer_id"].to_pylist())
    times[refusing, to_numbers(rows.refusals["purpose"], np.int32, 0)] = AFTER_TRAINING
    if rows.lost.numbers:
        for index, customer_id in enumerate(ids):
            for purpose in range(len(PURPOSES)):
                if rows.lost.cover(customer_id, purpose):
                    values[index, purpose], times[index, purpose] = NO, AFTER_TRAINING
    texts = [""] * len(ids)
    for index, text in zip(saying.tolist(), rows.preferences["document"].to_pylist(), strict=True):
        texts[index] = text
    market = np.full(len(ids), -1, np.int32)
    return Customers(ids, values, times, market, Ids.of([]), Strings.of(texts))


def _histories(
    lines: pa.Table, customer: NDArray[np.int32], product: NDArray[np.int32], customers: int
) -> Histories:
    """Build histories of customers in the order of arrival; guests have none."""
    time = to_numbers(lines["time"], np.int64, 0)
    kind = to_numbers(lines["kind"], np.uint8, 0)
    quantity = to_numbers(lines["quantity"], np.float64, np.nan)
    rating = to_numbers(lines["rating"], np.float64, np.nan)
    order = to_numbers(lines["order"], np.uint32, 0)
    pair = customer.astype(np.int64) << 32 | product
    rows = np.lexsort((to_numbers(lines["number"], np.int64, 0), customer))
    rows = rows[(customer[rows] >= 0) & ~_find_confirmed(lines, pair)[rows]]
    weight = weigh_events(pair[rows], kind[rows], quantity[rows], rating[rows])
    indptr = np.searchsorted(customer[rows], np.arange(customers + 1))
    events = Events(product[rows], time[rows], kind[rows], weight, order[rows])
    return Histories(indptr, events)


def _find_confirmed(lines: pa.Table, pair: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Find the orders that customers reported where the shop did so too: (lines,).

    They are of the same product, and of the same order or within a day. `pair`: a number for
    customer and product, below 0 for guests.
    """
    kind = to_numbers(lines["kind"], np.uint8, 0)
    time = to_numbers(lines["time"], np.int64, 0)
    order = to_numbers(lines["order"], np.uint32, 0)
    of_shop = to_numbers(lines["standing"], np.uint8, 0) == Standing.SHOP
    confirmed = np.zeros(len(pair), np.bool_)
    in_order = np.isin(kind, ORDER_KINDS) & (pair >= 0)
    claims = np.flatnonzero(in_order & ~of_shop)
    reported_of: dict[int, list[int]] = {}
    for row in np.flatnonzero(in_order & of_shop & np.isin(pair, pair[claims])).tolist():
        reported_of.setdefault(int(pair[row]), []).append(row)
    for claim in claims.tolist():
        rows = np.array(reported_of.get(int(pair[claim]), []), np.int64)
        rows = rows[kind[rows] == kind[claim]]
        is_same_order = (order[claim] != 0) & (order[rows] == order[claim])
        is_same_day = np.abs(time[rows] - time[claim]) <= DAY
        confirmed[claim] = (is_same_order | is_same_day).any()
    return confirmed


def _unlearned_sales(
    rows: _StoreRows, customer: NDArray[np.int32], product: NDArray[np.int32], model: Manifest
) -> UnlearnedSales:
    lines = rows.lines
    number = to_numbers(lines["number"], np.int64, 0)
    time = to_numbers(lines["time"], np.int64, 0)
    order = to_numbers(lines["order"], np.int64, 0)
    # Of a model that did not read this store it is known only up to when it has learned.
    new = number > rows.learned if rows.learned else time > model.data_as_of
    sold = np.flatnonzero(new & to_numbers(lines["sold"], np.bool_, False))
    sold = sold[np.lexsort((number[sold], product[sold], order[sold], customer[sold]))]
    # Of several events about one line of an order the last one counts.
    line = np.stack([column[sold] for column in (customer, order, product)])
    is_last = np.append((line[:, 1:] != line[:, :-1]).any(axis=0), True)[: len(sold)]
    sold = sold[is_last]
    market, market_names = to_codes(lines["market"])
    return UnlearnedSales(product[sold], time[sold], market[sold], market_names)


def _offers(rows: pa.Table) -> Strings:
    """Return the documents of offers that were not deleted, each with its id."""
    documents = [
        orjson.dumps({"id": row["offer_id"], **orjson.loads(row["document"])}).decode()
        for row in rows.sort_by("offer_id").to_pylist()
        if row["document"] is not None
    ]
    return Strings.of(documents)


def _sorted_pairs(first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return rows (first, second), sorted."""
    rows = np.lexsort((second, first))
    return np.stack([first[rows], second[rows]], axis=1)
