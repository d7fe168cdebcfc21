"""Products as the shop reports them: whole, or a few fields of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Connection, insert, select, update

from service.store.change_counters import CATALOGUE
from service.store.tables import products
from service.store.writer import Change

Document = Mapping[str, Any]


def read(connection: Connection, product_ids: list[str]) -> dict[str, Document]:
    """Return the documents of those products that the store knows."""
    query = select(products.c.product_id, products.c.document).where(
        products.c.product_id.in_(product_ids)
    )
    return {row.product_id: orjson.loads(row.document) for row in connection.execute(query)}


def read_restocked(connection: Connection) -> dict[str, int]:
    """Return when each product that ever came back into stock did so, seconds since 1970."""
    query = select(products.c.product_id, products.c.restocked).where(
        products.c.restocked.isnot(None)
    )
    return {row.product_id: row.restocked for row in connection.execute(query)}


def put(
    change: Change, documents: Mapping[str, Document], *, whole: bool, time: int
) -> dict[str, Document]:
    """Replace the products, or their fields where not `whole`; return the documents that hold then.

    A product that was out of stock and is not any more came back at `time`, seconds since 1970.
    """
    before = read(change.connection, list(documents))
    after: dict[str, Document] = {}
    for product_id, document in documents.items():
        after[product_id] = document if whole else {**before.get(product_id, {}), **document}
    changed = [product_id for product_id in after if before.get(product_id) != after[product_id]]
    numbers = change.take_numbers(len(changed))
    for number, product_id in zip(numbers, changed, strict=True):
        document = after[product_id]
        text = orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()
        values: dict[str, Any] = {"document": text, "number": number}
        if document.get("in_stock") and before.get(product_id, {}).get("in_stock") is False:
            values["restocked"] = time
        if product_id in before:
            is_product = products.c.product_id == product_id
            change.connection.execute(update(products).where(is_product).values(**values))
        else:
            change.connection.execute(insert(products).values(product_id=product_id, **values))
    if changed:
        change.touch(CATALOGUE)
    return after
