"""Products as the shop reports them: whole, or a few fields of one.

A product that the shop deletes keeps its row, marked and hidden: what a model has learned of it is
kept out of every answer, until the product is put again.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Connection, insert, select, update

from service.store.audit import PRICE_CHANGED, record_change
from service.store.change_counters import ASSORTMENT, CATALOGUE, counter_of
from service.store.tables import products
from service.store.writer import Change

Document = Mapping[str, Any]
HIDDEN: Final = "hidden"
DELETED: Final = "deleted"  # besides the fields that the shop reports
PRICE_FIELDS: Final = ("price", "currency", "cost")


@dataclass(frozen=True)
class Author:
    """Who changes products, and when: for the audit log."""

    actor: str
    time: int  # seconds since 1970


def read(connection: Connection, product_ids: list[str]) -> dict[str, Document]:
    """Return the documents of those products that the store knows, deleted ones too."""
    query = select(products.c.product_id, products.c.document).where(
        products.c.product_id.in_(product_ids)
    )
    return {row.product_id: orjson.loads(row.document) for row in connection.execute(query)}


def is_deleted(document: Document | None) -> bool:
    return document is not None and DELETED in document


def read_restocked(connection: Connection) -> dict[str, int]:
    """Return when each product that ever came back into stock did so, seconds since 1970."""
    query = select(products.c.product_id, products.c.restocked).where(
        products.c.restocked.isnot(None)
    )
    return {row.product_id: row.restocked for row in connection.execute(query)}


def put(
    change: Change,
    documents: Mapping[str, Document],
    author: Author,
    *,
    whole: bool,
    learned: Set[str] = frozenset(),
) -> dict[str, Document]:
    """Replace the products, or their fields where not `whole`; return the documents that hold then.

    A product that was out of stock and is not any more came back now. Prices that change are
    audited; the first price of a product that is put is none that changes. `learned`: products that
    the model in service has learned, so that their price now decides nothing but what is shown.
    """
    before = read(change.connection, list(documents))
    after: dict[str, Document] = {}
    for product_id, document in documents.items():
        after[product_id] = document if whole else {**before.get(product_id, {}), **document}
    _write(change, before, after, author, learned)
    for product_id, document in after.items():
        if product_id in before or not whole:
            _audit_price(change, product_id, before.get(product_id, {}), document, author)
    return after


def delete(change: Change, product_id: str, author: Author) -> Document:
    """Mark a product as deleted; return the document that the store had of it."""
    before = read(change.connection, [product_id])
    document = before.get(product_id, {})
    after = {product_id: {**document, HIDDEN: True, DELETED: True}}
    _write(change, before, after, author, frozenset())
    record_change(
        change,
        time=author.time,
        actor=author.actor,
        action="product deleted",
        subject=product_id,
        before=document,
    )
    return document


def _write(
    change: Change,
    before: Mapping[str, Document],
    after: Mapping[str, Document],
    author: Author,
    learned: Set[str],
) -> None:
    changed = [product_id for product_id in after if before.get(product_id) != after[product_id]]
    numbers = change.take_numbers(len(changed))
    for number, product_id in zip(numbers, changed, strict=True):
        document = after[product_id]
        text = orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()
        values: dict[str, Any] = {"document": text, "number": number}
        if document.get("in_stock") and before.get(product_id, {}).get("in_stock") is False:
            values["restocked"] = author.time
        if product_id in before:
            is_product = products.c.product_id == product_id
            change.connection.execute(update(products).where(is_product).values(**values))
        else:
            change.connection.execute(insert(products).values(product_id=product_id, **values))
        change.touch(counter_of("product", product_id), number)
        if product_id not in learned or not _differ_in_price(before.get(product_id), document):
            change.touch(counter_of(*ASSORTMENT))
    if changed:
        change.touch(CATALOGUE)


def _differ_in_price(before: Document | None, after: Document) -> bool:
    """Return whether two documents of a product are the same but for prices."""
    if before is None:
        return False
    fields = (before.keys() | after.keys()) - set(PRICE_FIELDS)
    return all(before.get(name) == after.get(name) for name in fields)


def _audit_price(
    change: Change, product_id: str, before: Document, after: Document, author: Author
) -> None:
    old, new = ({name: each.get(name) for name in PRICE_FIELDS} for each in (before, after))
    if old == new:
        return
    record_change(
        change,
        time=author.time,
        actor=author.actor,
        action=PRICE_CHANGED,
        subject=product_id,
        before=old,
        after=new,
    )
