"""What the shop says about its products: whole, or a few fields of one."""

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
    """The documents of those that the store knows."""
    found = select(products.c.product_id, products.c.document).where(
        products.c.product_id.in_(product_ids)
    )
    return {
        product_id: orjson.loads(document) for product_id, document in connection.execute(found)
    }


def read_restocked(connection: Connection) -> dict[str, int]:
    """When each product came back that ever did, seconds since 1970."""
    back = select(products.c.product_id, products.c.restocked).where(
        products.c.restocked.isnot(None)
    )
    return {row.product_id: row.restocked for row in connection.execute(back)}


def put(
    change: Change, documents: Mapping[str, Document], *, whole: bool, time: int
) -> dict[str, Document]:
    """Each document in the place of what was there, or its fields over what was there; what is there now.

    A product that was out of stock and is not any more came back at `time`, seconds since 1970.
    """
    before = read(change.connection, list(documents))
    now: dict[str, Document] = {
        product_id: dict(document) if whole else {**before.get(product_id, {}), **document}
        for product_id, document in documents.items()
    }
    changed = {
        product_id: document
        for product_id, document in now.items()
        if before.get(product_id) != document
    }
    for number, (product_id, document) in zip(
        change.numbers(len(changed)), changed.items(), strict=True
    ):
        values = {
            "document": orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode(),
            "number": number,
        }
        if document.get("in_stock") and before.get(product_id, {}).get("in_stock") is False:
            values["restocked"] = time
        if product_id in before:
            change.connection.execute(
                update(products).where(products.c.product_id == product_id).values(**values)
            )
        else:
            change.connection.execute(insert(products).values(product_id=product_id, **values))
    if changed:
        change.touch(CATALOGUE)
    return now
