"""A model with the products as they are now: sold out, dearer, hidden, or newer than the model.

Products that came later follow those of the artifact, whose indices stay, in the order of their
ids: the catalogue is the same whether they came one by one or all at once. They have no purchases;
their category, brand and price speak for them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from models.data.catalogue import ALWAYS_FROM, ALWAYS_UNTIL, COST, Catalogue, read_cost
from models.data.daily_sales import DailySales
from models.data.history import NEVER
from models.data.ids import IdIndex, StringSequence
from models.data.product_stats import ProductStats
from models.data.timestamps import parse_timestamp
from models.data.title_words import code_family, find_title_words
from models.model import Model
from models.sources.co_purchases import OrderLists
from models.updates.insertions import Insertions
from models.updates.patched_strings import PatchedIds, PatchedStrings

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class ProductUpdate:
    """Hold what a shop says of a product now.

    `fields` names those that it speaks about, the others stay as they were. Such a field that is
    None is not known any more.
    """

    id: str
    fields: frozenset[str]
    title: str | None = None
    category: str | None = None
    brand: str | None = None
    price: float | None = None
    currency: str | None = None
    url: str | None = None
    image_url: str | None = None
    in_stock: bool = True
    hidden: bool = False
    markets: tuple[str, ...] | None = None  # None: sold everywhere
    available_from: int | None = None  # seconds since 1970
    available_until: int | None = None
    attributes: str = ""  # a JSON object
    cost: float | None = None


FIELDS: Final = frozenset(ProductUpdate.__dataclass_fields__) - {"id", "fields"}


class ItemUpdate(NamedTuple):
    """An update, and the index of its product in the new catalogue."""

    item: int
    product: ProductUpdate


@dataclass(frozen=True, eq=False)
class CatalogueUpdate:
    """Hold updates in the order of their ids, and which products and rows are new with them."""

    updates: list[ItemUpdate]
    new_ids: list[str]
    insertions: Insertions  # of the new products

    @property
    def items(self) -> list[int]:
        return [item for item, _ in self.updates]

    def values(self, field: str) -> list[tuple[int, Any]]:
        """Return item and value wherever an update speaks about a field."""
        return [
            (item, getattr(product, field))
            for item, product in self.updates
            if field in product.fields
        ]


def read_product_update(product_id: str, document: Mapping[str, Any]) -> ProductUpdate:
    """Read an update from the document that the store holds: a JSON object of the fields."""
    values = {name: value for name, value in document.items() if name in FIELDS}
    for name in ("available_from", "available_until"):
        if values.get(name) is not None:
            values[name] = parse_timestamp(values[name])
    if values.get("markets") is not None:
        values["markets"] = tuple(values["markets"])
    if "attributes" in values:
        attributes = values["attributes"]
        values["attributes"] = orjson.dumps(attributes).decode() if attributes else ""
        if attributes and COST in attributes:  # where shops told it once
            earlier = read_cost(values["attributes"].encode())
            cost = None if isnan(earlier) else earlier
            values["cost"] = cost if values.get("cost") is None else values["cost"]
    return ProductUpdate(id=product_id, fields=frozenset(values), **values)


def update_catalogue(
    model: Model, products: Iterable[ProductUpdate], learned: Model, data_as_of: int
) -> Model:
    """Return a model with these products, each id once; every field without an update stays.

    `learned`: the model as the artifact holds it. New products are measured by its prices, and its
    `available_until` holds again for products that are no longer hidden. Products that it does not
    know came after `data_as_of`, unless the shop names another day.
    """
    ordered = sorted(products, key=lambda product: product.id.encode())
    if not ordered:
        return model
    old = model.catalogue
    update = _place_products(ordered, old.ids, len(learned.catalogue))
    catalogue = _update_products(old, update, learned.catalogue, data_as_of)
    stats = _update_stats(model, catalogue, update, learned)
    if stats is model.traits:
        return replace(model, catalogue=catalogue)
    model = replace(model, catalogue=catalogue, traits=stats)
    return _insert_products(model, update.insertions, learned)


def _place_products(
    products: Sequence[ProductUpdate], ids: IdIndex, learned: int
) -> CatalogueUpdate:
    items = ids.find_all([product.id for product in products])
    known = items >= 0
    new_ids = [products[row].id for row in np.flatnonzero(~known).tolist()]
    insertions = _find_insertions(ids, learned, new_ids)
    items[known] = insertions.moved(items[known])
    items[~known] = insertions.rows
    rows = zip(items.tolist(), products, strict=True)
    updates = [ItemUpdate(item, product) for item, product in rows]
    return CatalogueUpdate(updates, new_ids, insertions)


def _find_insertions(ids: IdIndex, learned: int, new_ids: Sequence[str]) -> Insertions:
    """Find where sorted new ids stand among those that came after `learned` products."""
    later = [ids.bytes_at(item) for item in range(learned, len(ids))] if new_ids else []
    offsets = [bisect_left(later, product_id.encode()) for product_id in new_ids]
    return Insertions(learned + np.array(offsets, np.int64))


def _insert_products(model: Model, insertions: Insertions, learned: Model) -> Model:
    """Return a model whose parts have a row for every product of its catalogue.

    New products have no factors, neighbours, orders or substitutes; they are bought again as often
    as their category is.
    """
    insert = insertions.extend
    lesson = model.lesson
    if len(lesson.reach):
        lesson = replace(lesson, reach=insert(lesson.reach, 0))
    factors, neighbours, orders = model.factors, model.neighbours, model.orders
    substitutes, category = model.substitutes, model.traits.category
    rate, interval = learned.repeats.rate, learned.repeats.interval
    later_rate = _category_means(category, rate, learned)
    later_interval = _category_means(category, interval, learned)
    return replace(
        model,
        factors=replace(factors, row=insert(factors.row, -1)),
        neighbours=replace(neighbours, indptr=_insert_empty(neighbours.indptr, insertions)),
        orders=replace(
            orders,
            indptr=_insert_empty(orders.indptr, insertions),
            orders=insert(orders.orders, 0),
            lists=_insert_no_orders(orders.lists, insertions),
        ),
        substitutes=replace(substitutes, indptr=_insert_empty(substitutes.indptr, insertions)),
        repeats=replace(
            model.repeats,
            rate=np.concatenate([rate, later_rate]),
            interval=np.concatenate([interval, later_interval]),
        ),
        sales=_move_sales(model.sales, insertions),
        lesson=lesson,
    )


def _insert_no_orders(lists: OrderLists, insertions: Insertions) -> OrderLists:
    return replace(lists, indptr=_insert_empty(lists.indptr, insertions)) if lists else lists


def _insert_empty(indptr: NDArray[np.int64], insertions: Insertions) -> NDArray[np.int64]:
    # Nothing that is stored by product belongs to those that came later: it all ends before them.
    return insertions.extend(indptr, indptr[-1])


def _move_sales(sales: DailySales, insertions: Insertions) -> DailySales:
    if len(insertions) == 0 or int(sales.item.max(initial=-1)) < insertions.before[0]:
        return sales
    items, late_items = insertions.moved(sales.item), insertions.moved(sales.late_item)
    return replace(sales, item=items, late_item=late_items)


def _update_products(
    old: Catalogue, update: CatalogueUpdate, learned: Catalogue, data_as_of: int
) -> Catalogue:
    category, category_names = _update_codes(old.category, old.category_names, update, "category")
    brand, brand_names = _update_codes(old.brand, old.brand_names, update, "brand")
    limited, sold_in, market_names = _update_markets(old, update)
    in_stock = update.insertions.extend(old.in_stock, True)
    for item, value in update.values("in_stock"):
        in_stock[item] = value
    ids, new_ids = old.ids, update.new_ids
    updated = Catalogue(
        ids=PatchedIds(ids, new_ids, update.insertions) if new_ids else ids,
        title=_update_strings(old.title, update, "title"),
        category=category,
        category_names=category_names,
        brand=brand,
        brand_names=brand_names,
        price=_update_amounts(old.price, update, "price"),
        currency=_update_strings(old.currency, update, "currency"),
        url=_update_strings(old.url, update, "url"),
        image_url=_update_strings(old.image_url, update, "image_url"),
        in_stock=in_stock,
        market_names=market_names,
        limited=limited,
        sold_in=sold_in,
        available_from=_update_starts(old.available_from, update, learned, data_as_of),
        available_until=_update_ends(old.available_until, update, learned),
        attributes=_update_strings(old.attributes, update, "attributes"),
        cost=_update_amounts(old.known_costs, update, "cost"),
    )
    updated.keep_columns(old)
    return updated


def _update_codes(
    codes: NDArray[np.int32], names: IdIndex, update: CatalogueUpdate, field: str
) -> tuple[NDArray[np.int32], IdIndex]:
    values = update.values(field)
    names = _add_names(names, (name for _, name in values if name))
    codes = update.insertions.extend(codes, -1)
    for item, name in values:
        codes[item] = names.find(name) if name else -1
    return codes, names


def _update_markets(
    old: Catalogue, update: CatalogueUpdate
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], IdIndex]:
    markets = [product.markets or () for _, product in update.updates]
    names = _add_names(old.market_names, (name for markets_of in markets for name in markets_of))
    limited = update.insertions.extend(old.limited, False)
    sold_in = np.zeros((len(limited), len(names)), np.bool_)
    sold_in[:, : old.sold_in.shape[1]] = update.insertions.extend(old.sold_in, False)
    for item, value in update.values("markets"):
        limited[item] = value is not None
        sold_in[item] = False
        sold_in[item, names.find_all(value or ())] = True
    return limited, sold_in, names


def _update_amounts(
    old: NDArray[np.float64], update: CatalogueUpdate, field: str
) -> NDArray[np.float64]:
    amounts = update.insertions.extend(old, np.nan)
    for item, amount in update.values(field):
        amounts[item] = np.nan if amount is None else amount
    return amounts


def _update_starts(
    old: NDArray[np.int64], update: CatalogueUpdate, learned: Catalogue, data_as_of: int
) -> NDArray[np.int64]:
    starts = update.insertions.extend(old, data_as_of)
    for item, start in update.values("available_from"):
        unlimited = ALWAYS_FROM if item < len(learned) else data_as_of
        starts[item] = unlimited if start is None else start
    return starts


def _update_ends(
    old: NDArray[np.int64], update: CatalogueUpdate, learned: Catalogue
) -> NDArray[np.int64]:
    ends = update.insertions.extend(old, ALWAYS_UNTIL)
    for item, product in update.updates:
        if "available_until" in product.fields:
            end = product.available_until
            ends[item] = ALWAYS_UNTIL if end is None else end
        elif "hidden" in product.fields:
            ends[item] = learned.available_until[item] if item < len(learned) else ALWAYS_UNTIL
        if product.hidden:
            ends[item] = ALWAYS_FROM
    return ends


def _update_strings(strings: StringSequence, update: CatalogueUpdate, field: str) -> StringSequence:
    values = {item: text or "" for item, text in update.values(field)}
    inserted = [values.pop(item, "") for item in update.insertions.rows.tolist()]
    return PatchedStrings(strings, inserted, update.insertions, values)


def _add_names(names: IdIndex, more: Iterable[str]) -> IdIndex:
    unknown = [name for name in dict.fromkeys(more) if names.find(name) < 0]
    if not unknown:
        return names
    return PatchedIds(names, unknown, Insertions.at_end(len(names), len(unknown)))


def _update_stats(
    model: Model, catalogue: Catalogue, update: CatalogueUpdate, learned: Model
) -> ProductStats:
    """Return the stats of a catalogue: those of the model itself where none of them changes."""
    old, insert = model.traits, update.insertions.extend
    category = _update_categories(old.category, catalogue, update, learned)
    prices = catalogue.price[len(learned.catalogue) :]
    old_prices = model.catalogue.price[len(learned.catalogue) :]
    same_prices = len(update.insertions) == 0 and np.array_equal(prices, old_prices, equal_nan=True)
    family = _update_families(old.family, catalogue, update)
    same_kinds = np.array_equal(category, old.category) and np.array_equal(family, old.family)
    if same_prices and same_kinds:
        return old  # and the trends need not be counted again
    known = learned.traits
    log_price = _later_log_prices(prices, learned)
    usual = _category_means(category, known.log_price - known.price_in_category, learned)
    return ProductStats(
        category=category,
        family=family,
        log_price=np.concatenate([known.log_price, log_price]),
        price_in_category=np.concatenate([known.price_in_category, log_price - usual]),
        customers=insert(old.customers, 0),
        first_sold=insert(old.first_sold, NEVER),
        return_rate=insert(old.return_rate, 0),
    )


def _update_categories(
    old: NDArray[np.int32], catalogue: Catalogue, update: CatalogueUpdate, learned: Model
) -> NDArray[np.int32]:
    categories = update.insertions.extend(old, -1)
    # Categories that were learned from titles, as the shop had none, are not the catalogue's.
    of_shop = (learned.catalogue.category >= 0).any()
    if of_shop or not (learned.traits.category >= 0).any():
        categories[update.items] = catalogue.category[update.items]
    return categories


def _update_families(
    old: NDArray[np.int32], catalogue: Catalogue, update: CatalogueUpdate
) -> NDArray[np.int32]:
    """Return the families of a catalogue: new titles and categories make new families."""
    families = update.insertions.extend(old, -1)
    for item, product in update.updates:
        if not product.fields.isdisjoint(("title", "category")):
            code = int(catalogue.category[item])
            category = catalogue.category_names[code] if code >= 0 else ""
            families[item] = code_family(category, find_title_words(catalogue.title[item]))
    return families


def _later_log_prices(prices: NDArray[np.float64], learned: Model) -> Floats:
    # ln price = log_price + the shop's middle, which its own prices tell.
    middles = _log(learned.catalogue.price) - learned.traits.log_price
    middle = np.nanmedian(middles) if np.isfinite(middles).any() else np.nan
    return (_log(prices) - middle).astype(np.float32)


def _log(price: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log(np.where(price > 0, price, np.nan))


def _category_means(category: NDArray[np.int32], values: Floats, learned: Model) -> Floats:
    """Return the mean of the category for every product that came later: (later,).

    `values` (learned items,) are averaged where finite; the mean of all stands for a category
    without any.
    """
    usable = np.isfinite(values)
    codes = learned.traits.category[usable] + 1
    counts = np.bincount(codes, minlength=int(category.max(initial=-1)) + 2)
    overall = float(values[usable].mean()) if usable.any() else 0.0
    sums = np.bincount(codes, values[usable], len(counts))
    means = np.where(counts > 0, sums / np.maximum(counts, 1), overall)
    means[0] = overall  # of an unknown category, whose code is -1
    return means[category[len(values) :] + 1].astype(np.float32)
