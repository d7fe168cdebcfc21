"""Make order lines of checked rows: duplicates, merging, numbers of orders, returns, weights.

Everything here is Ibis; a table that is held under a name is computed once.
"""

from __future__ import annotations

from typing import Any, Final

import ibis

from models.data.events import DAY, ORDER_KINDS, PURCHASE, RATING, REMOVED, RETURN
from training.reading.cleaning import YEAR_2100, reason_code
from training.reading.duckdb import Workspace

LINE: Final = ("user", "item", "order_key", "kind")  # columns that tell lines apart
ORDER_CODES: Final = 2**32


def mark_replaced_events(rows: Any) -> Any:
    """Return rows of a store; "told_again" is the reason of those that a newer event replaces.

    Of several events about the same purchase or rating only the newest counts. A customer's report
    replaces none of the shop's.
    """
    rows = rows.mutate(buyer=rows.customer_id.fill_null(""))
    line = ("buyer", "product_id", "order_key", "kind", "claim")
    replaceable = rows.filter(rows.reason.isnull() & rows.kind.isin((PURCHASE, RATING)))
    events = replaceable.group_by(line).agg(
        newest=replaceable.event.argmax(replaceable.number),
        least=replaceable.event.min(),
        most=replaceable.event.max(),
    )
    several = events.filter(events.least != events.most).select(*line, "newest")
    joined = rows.left_join(several, line)
    is_replaced = joined.reason.isnull() & (joined.event != joined.newest).fill_null(False)
    reason = ibis.ifelse(is_replaced, reason_code("told_again"), joined.reason)
    dropped = ("buyer", "number", "event", "reason")
    kept = [name for name in rows.columns if name not in dropped]
    return joined.select(*kept, reason=reason)


def drop_duplicates(workspace: Workspace, rows: Any) -> tuple[Any, int]:
    """Return one of all rows that are equal in every cell, and how many were dropped.

    Only rows whose hash occurs twice are compared cell by cell, so that 20 million different rows
    cost a count each.
    """
    hashed = rows.filter(rows.row_hash.notnull())
    hashes = hashed.group_by("row_hash").agg(rows=hashed.count())
    twice = workspace.keep("twice", hashes.filter(hashes["rows"] > 1).select("row_hash", "rows"))
    if workspace.count(twice) == 0:
        return rows, 0
    copies = rows.semi_join(twice, "row_hash")
    distinct = workspace.keep("single_of_twice", copies.distinct())
    dropped = workspace.total(twice["rows"]) - workspace.count(distinct)
    return ibis.union(rows.anti_join(twice, "row_hash"), distinct), dropped


def select_stored_lines(rows: Any) -> Any:
    """Return the lines that the store holds as the shop has reported them."""
    return rows.filter(rows.stored & ~rows.claim & rows.reason.isnull()).select(*LINE)


def select_confirmed_claims(rows: Any) -> Any:
    """Return the claims that the shop confirms, in a file or in the store: (LINE, time).

    It reports the same customer, product and kind, with the same order id or within a day.
    """
    lines = rows.filter(rows.reason.isnull() & rows.kind.isin(ORDER_KINDS)).select(
        *LINE, "time", "claim"
    )
    claims, reported = lines.filter(lines.claim), lines.filter(~lines.claim).view()
    is_same_order = claims.order_key == reported.order_key
    is_same_day = (claims.time - reported.time).abs() <= DAY
    confirmed = claims.semi_join(
        reported,
        [
            claims.user == reported.user,
            claims.item == reported.item,
            claims.kind == reported.kind,
            is_same_order | is_same_day,
        ],
    )
    return confirmed.select(*LINE, "time")


def select_products_of_customers(rows: Any, listed: Any) -> Any:
    """Return (item) of products that only customers have named: who sells them is not the shop.

    `listed`: (item) of those that the shop lists.
    """
    usable = rows.filter(rows.reason.isnull())
    sold = usable.filter(~usable.self_reported).select("item")
    named = usable.filter(usable.self_reported).select("item").distinct()
    return named.anti_join(ibis.union(sold, listed), "item")


def bound_claims(rows: Any) -> Any:
    """Return rows with `order_code`, 0 without an order id. Claims are orders by the day.

    So they are merged into one line a customer, product and day, however many there are.
    """
    has_order_id = rows.order_key > YEAR_2100 // DAY  # or else the key is a day
    order_code = ibis.ifelse(has_order_id, rows.order_key % ORDER_CODES, 0).cast("uint32")
    day = (rows.time // DAY).cast("uint64")
    return rows.mutate(
        order_code=order_code, order_key=ibis.ifelse(rows.claim, day, rows.order_key)
    )


def mark_rows(rows: Any, matches: Any, reason: str, where: Any = True) -> Any:
    """Return rows; those in `matches`, by all of its columns, get this reason.

    A row that has a reason keeps it. `where` limits which rows can get one.
    """
    joined = rows.left_join(matches.distinct().mutate(is_match=True), matches.columns)
    marked = joined.is_match.fill_null(False) & joined.reason.isnull() & where
    kept = [name for name in rows.columns if name != "reason"]
    return joined.select(*kept, reason=ibis.ifelse(marked, reason_code(reason), joined.reason))


def merge_rows(rows: Any) -> Any:
    """Return one row a line (customer, order, product, kind).

    Quantities and amounts add up, but claims are one piece together. The earliest time counts.
    `price` is the mean of the known ones, weighed by quantity; `rows` how many were merged.
    """
    has_price = rows.price.notnull()
    lines = rows.group_by(LINE).agg(
        time=rows.time.min(),
        quantity=ibis.ifelse(rows.claim.any(), 1.0, rows.quantity.sum()),
        amount=(rows.price * rows.quantity).sum(where=has_price),
        priced=rows.quantity.sum(where=has_price),
        market=rows.market.max(),
        currency=rows.currency.max(),
        order_code=rows.order_code.max(),
        claim=rows.claim.all(),
        rows=rows.count(),
    )
    return lines.mutate(price=lines.amount / lines.priced).drop("amount", "priced")


def number_orders(lines: Any) -> Any:
    """Return (user, order_key, order) of purchases.

    Orders are 0, 1, … by the time of their first line, then customer.
    """
    bought = lines.filter(lines.kind == PURCHASE)
    orders = bought.group_by("user", "order_key").agg(first=bought.time.min())
    by_time = ibis.window(order_by=[orders["first"], orders.user, orders.order_key])
    number = ibis.row_number().over(by_time).cast("int32")
    return orders.select("user", "order_key", order=number)


def weigh_returns(lines: Any) -> Any:
    """Return the lines of returns with `weight`, NULL where nothing was bought until then.

    weight = -quantity / mean quantity of the lines of this product that the customer had bought.
    """
    returns = lines.filter(lines.kind == RETURN)
    bought = lines.filter(lines.kind == PURCHASE).select(
        "user", "item", bought_time="time", bought="quantity"
    )
    earlier = returns.inner_join(bought, ["user", "item", returns.time >= bought.bought_time])
    means = earlier.group_by("user", "item", "order_key").agg(mean=earlier.bought.mean())
    joined = returns.left_join(means, ["user", "item", "order_key"], rname="{name}_bought")
    return joined.select(*returns.columns, weight=-joined.quantity / joined["mean"])


def sort_lines(lines: Any, orders: Any, returns: Any) -> Any:
    """Return all lines with `order` (-1: no purchase) and `weight`.

    Sorted by (user, item, time, order, kind). `orders`: of number_orders. `returns`: of
    weigh_returns.
    """
    no_order = ibis.literal(-1, "int32")
    bought = lines.filter(lines.kind == PURCHASE).inner_join(orders, ["user", "order_key"])
    neither = lines.filter(lines.kind.notin((PURCHASE, RETURN)))
    all_lines = ibis.union(
        _finish(bought, bought.order, ibis.literal(1.0)),
        _finish(neither, no_order, _weight(neither)),
        _finish(returns, no_order, returns.weight),
    )
    return all_lines.order_by("user", "item", "time", "order", "kind", "quantity")


def _weight(lines: Any) -> Any:
    """Weigh a rating (stars - 3) / 2, by the mean of its rows.

    What was taken out of the cart weighs -1, the rest 1.
    """
    stars = lines.quantity / lines["rows"]
    return ibis.cases(
        (lines.kind == RATING, (stars - 3) / 2), (lines.kind == REMOVED, -1.0), else_=1.0
    )


def _finish(lines: Any, order: Any, weight: Any) -> Any:
    quantity = ibis.ifelse(lines.kind == RATING, 1.0, lines.quantity)
    return lines.select(
        "user",
        "item",
        "time",
        "kind",
        "market",
        "order_code",
        claim=lines.claim.cast("int8"),
        order=order,
        weight=weight.cast("float32"),
        quantity=quantity.cast("float32"),
        price=lines.price.cast("float32"),
    )


def find_latest_prices(lines: Any) -> Any:
    """Return (item, price, currency) at which each product was last bought.

    Gifts at 0 do not count; of several prices at that time the highest does.
    """
    bought = lines.filter((lines.kind == PURCHASE) & (lines.price > 0))
    last = bought.group_by("item").agg(last=bought.time.max())
    newest = bought.inner_join(last, ["item", bought.time == last["last"]])
    highest = ibis.struct({"price": newest.price, "currency": newest.currency}).max()
    return newest.group_by("item").agg(highest=highest).unpack("highest")
