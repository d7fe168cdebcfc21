"""From text to typed cells, and the named reason for which a row is left out."""

from __future__ import annotations

from typing import Any, Final

import ibis
import ibis.expr.datatypes as dt

from models.data.events import DAY, EXPOSURE, KINDS, PURCHASE, RATING, RETURN
from training.reading.duckdb import character, hash_of
from training.reading.file_tables import FileTable
from training.reading.timestamps import timestamp_cells

LONGEST_ID: Final = 500  # characters
SMALLEST_QUANTITY: Final = (
    1e-6  # less is nothing, and would make a return of one piece one of millions
)
LARGEST_QUANTITY: Final = 1e6
LARGEST_PRICE: Final = 1e9
YEAR_2100: Final = 4_102_444_800

# The code of a reason is its position. A row with several problems is counted under the first.
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
    "exposure",
    "bad_rating",
    "bad_quantity",
    "zero_quantity",
    "quantity_out_of_range",
    "bad_price",
    "price_out_of_range",
    "guest_without_order",
    "guest_return",
    # Those below are found when rows are compared with others.
    "erased_customer",
    "no_consent_to_train",
    "never_asked",
    "struck_out",
    "told_again",
    "in_store_too",
)


def checked_rows(source: FileTable, now: int, until: int | None) -> Any:
    """Every row of a source with typed cells, `reason` (code in ROW_REASONS, NULL to keep) and
    `row_hash` of all its cells (NULL where the row is unreadable, or an event, which is never another's copy).

    `order_key` is a hash of the order id, or the day where there is none. `quantity` is positive, of a rating its
    stars; `kind` tells returns. `price` is of one piece, NULL where unknown. `timestamp_in_future`: more than a day
    after `now`. Rows of a store also have `number` and `event`.
    """
    of_store = (
        {"number": source.table.number, "event": hash_of(source.table.event_id)}
        if source.from_store
        else {}
    )
    texts = source.table.select(
        *(source.text(name) for name in ("customer_id", "product_id", "order_id", "market")),
        currency=currency(source.text("currency")),
        stamp=source.text("timestamp").strip(),
        time=timestamp_cells(source.text("timestamp")),
        kind_code=kind_code(source),
        pieces=number(source.text("quantity")),
        quantity_text=source.text("quantity"),
        piece_text=source.text("unit_price"),
        piece=number(source.text("unit_price")),
        amount_text=source.text("amount"),
        amount=number(source.text("amount")),
        stars=number(source.text("rating")),
        unreadable=_all_empty(source),
        row_hash=ibis.ifelse(
            _all_empty(source) | source.from_store, ibis.null("uint64"), _hash_of_all(source)
        ),
        stored=ibis.literal(source.from_store),
        **of_store,
    )
    rows = _with_price(_with_quantity(texts))
    return rows.select(
        *(
            "customer_id",
            "product_id",
            "market",
            "currency",
            "time",
            "kind",
            "quantity",
            "price",
            "row_hash",
        ),
        *("stored", *of_store),
        order_key=ibis.ifelse(
            rows.order_id.isnull(), (rows.time // DAY).try_cast("uint64"), md5_of(rows.order_id)
        ),
        reason=_reason(rows, now, until),
    )


def _hash_of_all(source: FileTable) -> Any:
    return hash_of(ibis.struct({name: source.table[name] for name in source.columns}))


def _all_empty(source: FileTable) -> Any:
    """A JSON line that is no object comes as a row of nothing; a CSV line that is none is refused by DuckDB itself."""
    return ibis.and_(*(source.table[name].isnull() for name in source.columns))


def _with_quantity(rows: Any) -> Any:
    given = ibis.ifelse(rows.quantity_text.isnull(), 1.0, rows.pieces)
    buys = rows.kind_code.isin((PURCHASE, RETURN))
    comes_back = (rows.kind_code == PURCHASE) & (given < 0) & ~given.isnan()
    return rows.mutate(
        # Only what is bought or brought back has a quantity; a view often says 0.
        given=ibis.ifelse(buys, given, 1.0),
        quantity=ibis.cases((buys, given.abs()), (rows.kind_code == RATING, rows.stars), else_=1.0),
        kind=ibis.ifelse(comes_back, RETURN, rows.kind_code).cast("uint8"),
    )


def _with_price(rows: Any) -> Any:
    """The price of one piece: `unit_price`, or else the amount of the line divided by its quantity."""
    from_amount = ibis.ifelse(
        rows.kind == RETURN,
        rows.amount.abs() / rows.quantity,
        rows.amount / rows.quantity.nullif(0),
    )
    has_piece, has_amount = rows.piece_text.notnull(), rows.amount_text.notnull()
    return rows.mutate(
        priced=has_piece | has_amount, price=ibis.ifelse(has_piece, rows.piece, from_amount)
    )


def _reason(rows: Any, now: int, until: int | None) -> Any:
    ids = (rows.customer_id, rows.product_id, rows.order_id)
    guest = rows.customer_id.isnull()
    tests = {
        "unreadable_row": rows.unreadable,
        "missing_product_id": rows.product_id.isnull(),
        "id_too_long": ibis.or_(*(too_long(one) for one in ids)),
        "bad_id": ibis.or_(*(has_nul(one) for one in ids)),
        "missing_timestamp": rows.stamp.isnull() | (rows.stamp == ""),
        "bad_timestamp": rows.time.isnull(),
        "timestamp_out_of_range": (rows.time < 0) | (rows.time >= YEAR_2100),
        "timestamp_in_future": rows.time > now + DAY,
        "after_until": ibis.literal(False) if until is None else rows.time >= until,
        "unknown_kind": rows.kind_code.isnull(),
        "exposure": rows.kind == EXPOSURE,
        "bad_rating": (rows.kind == RATING)
        & (unknown(rows.stars) | (rows.stars < 1) | (rows.stars > 5)),
        "bad_quantity": unknown(rows.given),
        "zero_quantity": rows.given.abs() < SMALLEST_QUANTITY,
        "quantity_out_of_range": rows.quantity > LARGEST_QUANTITY,
        "bad_price": rows.priced & (unknown(rows.price) | (rows.price < 0)),
        "price_out_of_range": rows.priced & (rows.price > LARGEST_PRICE),
        "guest_without_order": guest & rows.order_id.isnull(),
        "guest_return": guest & (rows.kind == RETURN),
    }
    first, *rest = ((test, reason_code(reason)) for reason, test in tests.items())
    return ibis.cases(first, *rest, else_=ibis.null("int8"))


def reason_code(reason: str) -> Any:
    return ibis.literal(ROW_REASONS.index(reason), "int8")


@ibis.udf.scalar.builtin(name="md5_number_lower")  # type: ignore[untyped-decorator]
def md5_of(text: str) -> dt.uint64:
    """64 bits of a text's MD5; the low 32 of them are models.data.events.order_code."""


def kind_code(source: FileTable) -> Any:
    """Code in KINDS, letter case aside; purchase where nothing is said; NULL for a kind we do not know."""
    kind = source.text("kind").strip().lower().nullif("")
    first, *rest = ((kind == name, ibis.literal(code, "int8")) for code, name in enumerate(KINDS))
    return ibis.ifelse(
        kind.isnull(),
        ibis.literal(PURCHASE, "int8"),
        ibis.cases(first, *rest, else_=ibis.null("int8")),
    )


def too_long(text: Any) -> Any:
    """An empty cell is not too long: false, never NULL."""
    return (text.length() > LONGEST_ID).fill_null(False)


def has_nul(text: Any) -> Any:
    return text.contains(character(0)).fill_null(False)


def number(text: Any) -> Any:
    """float64; NULL where the text is no number. Infinite and NaN pass, see `unknown`."""
    return text.strip().try_cast("float64")


def unknown(value: Any) -> Any:
    """No number, or NaN, or infinite."""
    return value.isnull() | value.isnan() | value.isinf()


def currency(text: Any) -> Any:
    """Three capital letters (ISO 4217), or NULL."""
    code = text.strip().upper()
    return ibis.ifelse(code.re_search("^[A-Z]{3}$"), code, ibis.null("string"))
