"""Parse cells of text, and name the reason to leave a row out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

import ibis
import ibis.expr.datatypes as dt

from models.data.events import (
    DAY,
    EXPOSURE,
    KINDS,
    ORDER_KINDS,
    PURCHASE,
    RATING,
    RETURN,
    Standing,
)
from models.data.words import NOBODY, read_kind, read_status, squeeze
from models.vendors.vendor import LeftOut
from training.reading.cells import read_cells
from training.reading.duckdb import character, hash_of
from training.reading.file_tables import FileTable

LONGEST_ID: Final = 500  # characters
LONGEST_NOBODY: Final = max(map(len, NOBODY)) + 2  # a space on either side
# Less is nothing, and would make a return of one piece one of millions.
SMALLEST_QUANTITY: Final = 1e-6
LARGEST_QUANTITY: Final = 1e6
LARGEST_PRICE: Final = 1e9
YEAR_2100: Final = 4_102_444_800  # seconds since 1970

# Cells of these may be understood once the style of their column is known.
CELLS_WITH_STYLE: Final = ("bad_timestamp", "bad_rating", "bad_quantity", "bad_price")
# Of which column a cell is the reason to leave a row out
PRICES: Final = ("unit_price", "amount")
COLUMNS_OF_REASON: Final[Mapping[str, tuple[str, ...]]] = {
    "bad_timestamp": ("timestamp",),
    "timestamp_out_of_range": ("timestamp",),
    "timestamp_in_future": ("timestamp",),
    "unknown_kind": ("kind",),
    "unknown_status": ("status",),
    "not_sold": ("status",),
    "bad_rating": ("rating",),
    "bad_quantity": ("quantity",),
    "zero_quantity": ("quantity",),
    "quantity_out_of_range": ("quantity",),
    "bad_price": PRICES,
    "price_out_of_range": PRICES,
}
# The code of a reason is its index. A row with several problems is counted under the first.
ROW_REASONS: Final = (
    "unreadable_row",
    "missing_product_id",
    "id_too_long",
    "bad_id",
    "missing_timestamp",
    "bad_timestamp",
    "timestamp_out_of_range",
    "timestamp_in_future",
    "after_until",
    "unknown_kind",
    "unknown_status",
    "not_sold",
    "gift_card",
    "shipping_or_fee",
    "refunded",
    "test_order",
    "part_of_line",
    "other_event",
    "exposure",
    "bad_rating",
    "bad_quantity",
    "zero_quantity",
    "quantity_out_of_range",
    "bad_price",
    "price_out_of_range",
    "guest_without_order",
    "guest_return",
    "late_claim",
    "claim_of_visit",
    # Those below are found when rows are compared with others.
    "erased_customer",
    "no_consent_to_train",
    "never_asked",
    "struck_out",
    "told_again",
    "in_store_too",
    "confirmed_claim",
    "product_of_customer",
)
REFUSALS: Final = ("erased_customer", "no_consent_to_train", "never_asked")


def check_rows(source: FileTable, now: int, until: int | None) -> Any:
    """Return every row of a source with typed cells.

    `reason`: code in ROW_REASONS, NULL to keep; "timestamp_in_future" is more than a day after
    `now`. `row_hash`: of all cells; NULL where the row is unreadable, or an event, which is never
    another's copy. `order_key`: a hash of the order id, or the day of what is in no order.
    `quantity`: positive, of a rating its stars; `kind` tells returns. `price`: of one piece, NULL
    where unknown. `self_reported`: by a customer with a token, not by the shop. `claim`: such a
    report of an order, whose figures are not believed. `cell`: the text that is the reason, if any.
    Rows of a store also have `number` and `event`.
    """
    rows = _with_price(_with_quantity(_parse_cells(source)))
    rows = rows.mutate(reason=_reason(rows, now, until))
    day = (rows.time // DAY).try_cast("uint64")
    in_order = rows.kind.isin(ORDER_KINDS) & rows.order_id.notnull()
    order_key = ibis.ifelse(in_order, md5_of(rows.order_id), day)
    return rows.select(
        "customer_id",
        "product_id",
        "market",
        "currency",
        "time",
        "kind",
        "quantity",
        "price",
        "row_hash",
        "stored",
        "self_reported",
        "claim",
        *(("number", "event") if source.from_store else ()),
        "reason",
        order_key=order_key,
        cell=_cell(rows),
    )


def _parse_cells(source: FileTable) -> Any:
    is_empty = _all_empty(source)
    no_hash = ibis.null("uint64")
    of_store = {}
    standing = source.table.standing if source.from_store else ibis.literal(int(Standing.SHOP))
    customer_id = source.text("customer_id")
    if source.from_store:
        of_store = {"number": source.table.number, "event": hash_of(source.table.event_id)}
    else:
        customer_id = nobody_to_null(customer_id)
    return source.table.select(
        source.text("product_id"),
        source.text("order_id"),
        source.text("market"),
        customer_id=customer_id,
        currency=parse_currency(source.text("currency")),
        timestamp_text=source.text("timestamp").strip(),
        time=source.times("timestamp"),
        kind_text=source.text("kind"),
        kind_code=parse_kind(source.text("kind"), source.options.kind_words),
        status_text=source.text("status"),
        is_sale=parse_status(source.text("status"), source.options.status_words),
        quantity_text=source.text("quantity"),
        quantity_cell=source.numbers("quantity"),
        unit_price_text=source.text("unit_price"),
        unit_price=source.numbers("unit_price"),
        amount_text=source.text("amount"),
        amount=source.numbers("amount"),
        stars_text=source.text("rating"),
        stars=source.numbers("rating"),
        left_out=source.text("left_out"),
        unreadable=is_empty,
        row_hash=ibis.ifelse(is_empty | source.from_store, no_hash, _hash_of_row(source)),
        stored=ibis.literal(source.from_store),
        standing=standing,
        self_reported=standing != Standing.SHOP,
        **of_store,
    )


def _hash_of_row(source: FileTable) -> Any:
    return hash_of(ibis.struct({name: source.table[name] for name in source.columns}))


def _all_empty(source: FileTable) -> Any:
    """Return whether a row has no cell.

    So comes a JSON line that is no object; DuckDB itself refuses a CSV line that is none.
    """
    if source.from_store:
        return ibis.literal(False)
    # One expression of many cells: Python cannot walk through thousands that are nested.
    return ibis.coalesce(*[source.table[name] for name in source.columns]).isnull()


def _with_quantity(rows: Any) -> Any:
    signed = ibis.ifelse(rows.quantity_text.isnull(), 1.0, rows.quantity_cell)
    is_claim = rows.kind_code.isin(ORDER_KINDS) & rows.self_reported
    has_quantity = rows.kind_code.isin(ORDER_KINDS) & ~is_claim
    is_return = (rows.kind_code == PURCHASE) & (signed < 0) & ~signed.isnan()
    return rows.mutate(
        # Only what is bought or brought back has a quantity; a view often says 0.
        signed_quantity=ibis.ifelse(has_quantity, signed, 1.0),
        quantity=ibis.cases(
            (has_quantity, signed.abs()), (rows.kind_code == RATING, rows.stars), else_=1.0
        ),
        kind=ibis.ifelse(is_return, RETURN, rows.kind_code).cast("uint8"),
        claim=is_claim.fill_null(False),
    )


def _with_price(rows: Any) -> Any:
    """Add the price of one piece: `unit_price`, or else the amount divided by the quantity."""
    of_return = rows.amount.abs() / rows.quantity
    of_purchase = rows.amount / rows.quantity.nullif(0)
    from_amount = ibis.ifelse(rows.kind == RETURN, of_return, of_purchase)
    has_unit_price, has_amount = rows.unit_price_text.notnull(), rows.amount_text.notnull()
    price = ibis.ifelse(has_unit_price, rows.unit_price, from_amount)
    return rows.mutate(
        has_price=(has_unit_price | has_amount) & ~rows.claim,
        price=ibis.ifelse(rows.claim, ibis.null("float64"), price),
    )


def _reason(rows: Any, now: int, until: int | None) -> Any:
    """Return the code of the first problem, NULL for none."""
    ids = (rows.customer_id, rows.product_id, rows.order_id)
    is_guest = rows.customer_id.isnull()
    in_order = rows.kind.isin(ORDER_KINDS)
    stars_out_of_range = is_unknown(rows.stars) | (rows.stars < 1) | (rows.stars > 5)
    problems = {
        "unreadable_row": rows.unreadable,
        **{reason: rows.left_out == reason for reason in get_args(LeftOut)},
        "missing_product_id": rows.product_id.isnull(),
        "id_too_long": ibis.or_(*map(is_too_long, ids)),
        "bad_id": ibis.or_(*map(has_nul, ids)),
        "missing_timestamp": rows.timestamp_text.isnull() | (rows.timestamp_text == ""),
        "bad_timestamp": rows.time.isnull(),
        "timestamp_out_of_range": (rows.time < 0) | (rows.time >= YEAR_2100),
        "timestamp_in_future": rows.time > now + DAY,
        "after_until": ibis.literal(False) if until is None else rows.time >= until,
        "unknown_kind": rows.kind_code.isnull(),
        "unknown_status": in_order & rows.is_sale.isnull(),
        "not_sold": in_order & ~rows.is_sale,
        "exposure": rows.kind == EXPOSURE,
        "bad_rating": (rows.kind == RATING) & stars_out_of_range,
        "bad_quantity": is_unknown(rows.signed_quantity),
        "zero_quantity": rows.signed_quantity.abs() < SMALLEST_QUANTITY,
        "quantity_out_of_range": rows.quantity > LARGEST_QUANTITY,
        "bad_price": rows.has_price & (is_unknown(rows.price) | (rows.price < 0)),
        "price_out_of_range": rows.has_price & (rows.price > LARGEST_PRICE),
        "guest_without_order": is_guest & rows.order_id.isnull(),
        "guest_return": is_guest & (rows.kind == RETURN),
        "late_claim": rows.claim & (rows.standing == Standing.LATE),
        "claim_of_visit": rows.claim & is_guest,
    }
    branches = [(problem, reason_code(reason)) for reason, problem in problems.items()]
    return ibis.cases(*branches, else_=ibis.null("int8"))


def _cell(rows: Any) -> Any:
    """Return the text that is the reason to leave a row out; NULL where no single cell is."""
    price_text = rows.unit_price_text.coalesce(rows.amount_text)
    texts = {
        "timestamp": rows.timestamp_text,
        "kind": rows.kind_text,
        "status": rows.status_text,
        "rating": rows.stars_text,
        "quantity": rows.quantity_text,
        "unit_price": price_text,
    }
    branches = [
        (rows.reason == reason_code(reason), texts[columns[0]])
        for reason, columns in COLUMNS_OF_REASON.items()
    ]
    return ibis.cases(*branches, else_=ibis.null("string"))


def reason_code(reason: str) -> Any:
    """Return the code of a reason, as a literal."""
    return ibis.literal(ROW_REASONS.index(reason), "int8")


@ibis.udf.scalar.builtin(name="md5_number_lower")  # type: ignore[untyped-decorator]
def md5_of(text: str) -> dt.uint64:
    """Return 64 bits of a text's MD5; the low 32 of them are models.data.events.order_code."""


def parse_kind(text: Any, words: Mapping[str, int]) -> Any:
    """Return the code in KINDS, by the words of shops and trackers, or by the shop's own `words`.

    PURCHASE where the cell is empty; NULL for a kind that is not known.
    """
    kind = text.lower()
    branches = [
        (kind == name, ibis.literal(code, "int8"))
        for code, name in enumerate(KINDS)
        if name not in words
    ]
    plain = ibis.cases(*branches, else_=ibis.null("int8"))

    def read(cell: str) -> int | None:
        word = squeeze(cell)
        return words[word] if word in words else read_kind(cell) if word else PURCHASE

    known = read_cells(text, read, "int8", plain)
    return ibis.ifelse(text.isnull(), ibis.literal(PURCHASE, "int8"), known)


def parse_status(text: Any, words: Mapping[str, bool]) -> Any:
    """Return whether an order is a sale, true where the cell is empty; NULL for unknown words."""

    def read(cell: str) -> bool | None:
        word = squeeze(cell)
        return words[word] if word in words else read_status(cell) if word else True

    return ibis.ifelse(text.isnull(), True, read_cells(text, read, "boolean"))


def nobody_to_null(customer_id: Any) -> Any:
    """Return ids of customers, NULL where a word such as 0 or NULL stands for a guest."""
    # Nearly all ids are longer than these words, and a length is quickly told.
    may_be_nobody = customer_id.length() <= LONGEST_NOBODY
    is_nobody = may_be_nobody & customer_id.strip().lower().isin(sorted(NOBODY))
    return ibis.ifelse(is_nobody, ibis.null("string"), customer_id)


def parse_currency(text: Any) -> Any:
    """Return three capital letters (ISO 4217), or NULL."""
    code = text.strip().upper()
    return ibis.ifelse(code.re_search("^[A-Z]{3}$"), code, ibis.null("string"))


def is_unknown(number: Any) -> Any:
    """Return whether there is no number, or NaN, or infinite."""
    return number.isnull() | number.isnan() | number.isinf()


def is_too_long(text: Any) -> Any:
    """Return whether an id is too long; false for NULL."""
    return (text.length() > LONGEST_ID).fill_null(False)


def has_nul(text: Any) -> Any:
    """Return whether an id has a NUL character; false for NULL."""
    return text.contains(character(0)).fill_null(False)
