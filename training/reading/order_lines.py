"""From checked rows to order lines with whole numbers for names: duplicates, codes, merging, orders, returns.

Everything here is Ibis; what is held under a name is computed once.
"""

from __future__ import annotations

from typing import Any, Final

import ibis

from models.data.customers import NEVER_ASKED, NO, YES
from models.data.events import DAY, PURCHASE, RATING, REMOVED, RETURN
from training.reading.cleaning import YEAR_2100, reason_code
from training.reading.duckdb import Workspace

LINE: Final = ("user", "item", "order_key", "kind")
CODES: Final = 2**32  # of orders


def newest_told(rows: Any) -> Any:
    """Rows of a store of which two events tell the same purchase or rating: the newer event counts, and only it."""
    rows = rows.mutate(buyer=rows.customer_id.fill_null(""))
    line = ("buyer", "product_id", "order_key", "kind")
    once = rows.filter(rows.reason.isnull() & rows.kind.isin((PURCHASE, RATING)))
    told = once.group_by(line).agg(
        newest=once.event.argmax(once.number), least=once.event.min(), most=once.event.max()
    )
    again = told.filter(told.least != told.most).select(*line, "newest")
    joined = rows.left_join(again, line)
    older = joined.reason.isnull() & (joined.event != joined.newest).fill_null(False)
    names = [name for name in rows.columns if name not in ("buyer", "number", "event", "reason")]
    return joined.select(
        *names, reason=ibis.ifelse(older, reason_code("told_again"), joined.reason)
    )


def without_duplicates(workspace: Workspace, rows: Any) -> tuple[Any, int]:
    """Rows of which every cell equals another's are there once; how many went.

    Only rows whose hash occurs twice are compared cell by cell, so that 20 million different rows cost a count each.
    """
    hashed = rows.filter(rows.row_hash.notnull())
    hashes = hashed.group_by("row_hash").agg(rows=hashed.count())
    twice = workspace.keep("twice", hashes.filter(hashes["rows"] > 1).select("row_hash", "rows"))
    if workspace.count(twice) == 0:
        return rows, 0
    copies = rows.semi_join(twice, "row_hash")
    single = workspace.keep("single_of_twice", copies.distinct())
    doubled = workspace.total(twice["rows"])
    return ibis.union(rows.anti_join(twice, "row_hash"), single), doubled - workspace.count(single)


def name_table(workspace: Workspace, name: str, column: Any, also: Any = None) -> Any:
    """Every distinct text as (`name`, `code`), codes in the order of the UTF-8 bytes."""
    texts = column.as_table().select(**{name: column}).filter(ibis._[name].notnull())
    if also is not None:
        texts = ibis.union(
            texts, also.as_table().select(**{name: also}).filter(ibis._[name].notnull())
        )
    distinct = texts.distinct()
    window = ibis.window(order_by=distinct[name])
    return workspace.keep(
        f"{name}_codes", distinct.mutate(code=ibis.row_number().over(window).cast("int32"))
    )


def with_refusal(people: Any, consents: Any, erased: Any, unasked: str) -> Any:
    """`people` (customer_id, code) with `refusal`, the reason not to learn from them: a code, NULL where there is none.

    `consents`: (customer_id, train). `erased`: the ids of the forgotten. `unasked`: "refuse" those who never answered.
    """
    erased = erased.select(erased_id="customer_id")
    people = people.left_join(consents.select("customer_id", "train"), "customer_id").drop(
        "customer_id_right"
    )
    people = people.left_join(erased, people.customer_id == erased.erased_id)
    train = people.train.fill_null(NEVER_ASKED)
    refusal = ibis.cases(
        (people.erased_id.notnull(), reason_code("erased_customer")),
        (train == NO, reason_code("no_consent_to_train")),
        ((train != YES) & (unasked == "refuse"), reason_code("never_asked")),
        else_=ibis.null("int8"),
    )
    return people.select("customer_id", "code", refusal=refusal)


def coded(rows: Any, names: dict[str, Any]) -> Any:
    """Rows with codes for texts, -1 for none. `names`: for each text column its table of (text, code).

    `reason` becomes the `refusal` of the customer.
    """
    for text, table in names.items():
        coded_text = table.rename(**{f"{text}_name": text, f"{text}_code": "code"})
        rows = rows.left_join(coded_text, rows[text] == coded_text[f"{text}_name"]).drop(
            f"{text}_name"
        )
    return rows.select(
        "time",
        "kind",
        "quantity",
        "price",
        "order_key",
        user=rows.customer_id_code.fill_null(-1),
        item=rows.product_id_code,
        market=rows.market_code.fill_null(-1),
        currency=rows.currency_code.fill_null(-1),
        stored="stored",
        reason=rows.refusal,
    )


def struck_pairs(unused: Any, names: dict[str, Any]) -> Any:
    """(user, item) of what customers struck out of their profiles; `unused`: (customer_id, product_id)."""
    people, products = (names[text].select(text, "code") for text in ("customer_id", "product_id"))
    pairs = unused.inner_join(people.rename(user="code"), "customer_id")
    return pairs.inner_join(products.rename(item="code"), "product_id").select("user", "item")


def stored_lines(rows: Any) -> Any:
    """The lines that the store tells."""
    return rows.filter(rows.stored & rows.reason.isnull()).select(*LINE)


def marked(rows: Any, found: Any, reason: str, where: Any = True) -> Any:
    """Rows that `found` has, in all of its columns, get this reason if they have none and `where` holds."""
    joined = rows.left_join(found.distinct().mutate(is_found=True), found.columns)
    hit = joined.is_found.fill_null(False) & joined.reason.isnull() & where
    names = [name for name in rows.columns if name != "reason"]
    return joined.select(*names, reason=ibis.ifelse(hit, reason_code(reason), joined.reason))


def merged(rows: Any) -> Any:
    """One row a line (customer, order, product, kind): quantities and amounts add up, the earliest time counts.

    `price` is the mean of what is known, weighed by quantity; `rows` how many were merged.
    """
    known = rows.price.notnull()
    lines = rows.group_by(LINE).agg(
        time=rows.time.min(),
        quantity=rows.quantity.sum(),
        amount=(rows.price * rows.quantity).sum(where=known),
        priced=rows.quantity.sum(where=known),
        market=rows.market.max(),
        currency=rows.currency.max(),
        rows=rows.count(),
    )
    return lines.mutate(price=lines.amount / lines.priced).drop("amount", "priced")


def order_numbers(lines: Any) -> Any:
    """(user, order_key) of purchases with `order`: 0, 1, … by the time of the first line, then customer."""
    bought = lines.filter(lines.kind == PURCHASE)
    orders = bought.group_by("user", "order_key").agg(first=bought.time.min())
    window = ibis.window(order_by=[orders["first"], orders.user, orders.order_key])
    return orders.select("user", "order_key", order=ibis.row_number().over(window).cast("int32"))


def return_weights(lines: Any) -> Any:
    """Lines of returns with `weight`: minus the quantity, in mean lines of what this customer bought of it until then.

    NULL where nothing was bought until then.
    """
    returns = lines.filter(lines.kind == RETURN)
    bought = lines.filter(lines.kind == PURCHASE).select(
        "user", "item", bought_time="time", bought="quantity"
    )
    earlier = returns.inner_join(bought, ["user", "item", returns.time >= bought.bought_time])
    means = earlier.group_by("user", "item", "order_key").agg(mean=earlier.bought.mean())
    joined = returns.left_join(means, ["user", "item", "order_key"], rname="{name}_bought")
    return joined.select(*returns.columns, weight=-joined.quantity / joined["mean"])


def finished(lines: Any, orders: Any, returns: Any) -> Any:
    """All lines with `order` (-1 but for purchases) and `weight`, sorted by (user, item, time, order, kind)."""
    none = ibis.literal(-1, "int32")
    bought = lines.filter(lines.kind == PURCHASE).inner_join(orders, ["user", "order_key"])
    others = lines.filter(lines.kind.notin((PURCHASE, RETURN)))
    every = ibis.union(
        _result(bought, bought.order, ibis.literal(1.0)),
        _result(others, none, _weight(others)),
        _result(returns, none, returns.weight),
    )
    return every.order_by("user", "item", "time", "order", "kind", "quantity")


def _weight(lines: Any) -> Any:
    """Of a rating (stars - 3) / 2, by the mean of its rows; -1 of what was taken out of the cart; 1 of the rest."""
    stars = lines.quantity / lines["rows"]
    return ibis.cases(
        (lines.kind == RATING, (stars - 3) / 2), (lines.kind == REMOVED, -1.0), else_=1.0
    )


def _result(lines: Any, order: Any, weight: Any) -> Any:
    has_order_id = lines.order_key > YEAR_2100 // DAY
    return lines.select(
        "user",
        "item",
        "time",
        "kind",
        "market",
        order=order,
        order_code=ibis.ifelse(has_order_id, lines.order_key % CODES, 0).cast("uint32"),
        weight=weight.cast("float32"),
        quantity=ibis.ifelse(lines.kind == RATING, 1.0, lines.quantity).cast("float32"),
        price=lines.price.cast("float32"),
    )


def latest_prices(lines: Any) -> Any:
    """(item, price, currency) at which each product was last bought; a gift at 0 tells none, ties go to the highest."""
    bought = lines.filter((lines.kind == PURCHASE) & (lines.price > 0))
    last = bought.group_by("item").agg(last=bought.time.max())
    there = bought.inner_join(last, ["item", bought.time == last["last"]])
    dearest = ibis.struct({"price": there.price, "currency": there.currency}).max()
    return there.group_by("item").agg(dearest=dearest).unpack("dearest")
