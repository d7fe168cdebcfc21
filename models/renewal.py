"""A model for the products as they are now: sold out, dearer, hidden, or not known when it learned.

Products that came later follow those of the artifact, so that no index changes. They have no purchases; their category,
brand and price speak for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from models.catalogue import ALWAYS_FROM, ALWAYS_UNTIL, Catalogue
from models.history import NEVER
from models.model import Model
from models.moments import seconds_of
from models.strings import Ids, Strings
from models.traits import Traits

TEXTS: Final = ("title", "currency", "url", "image_url")


@dataclass(frozen=True, kw_only=True)
class Product:
    """What a shop says of a product now. `given` names the fields that it speaks about; the others stay as they were.

    A field that is given and None is not known any more.
    """

    id: str
    given: frozenset[str]
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


FIELDS: Final = frozenset(Product.__dataclass_fields__) - {"id", "given"}


def product_of(product_id: str, document: Mapping[str, Any]) -> Product:
    """What the store holds of a product: the fields that were given."""
    values = {name: value for name, value in document.items() if name in FIELDS}
    for name in ("available_from", "available_until"):
        if values.get(name) is not None:
            values[name] = seconds_of(values[name])
    if values.get("markets") is not None:
        values["markets"] = tuple(values["markets"])
    if "attributes" in values:
        values["attributes"] = orjson.dumps(values["attributes"]).decode() if values["attributes"] else ""
    return Product(id=product_id, given=frozenset(values), **values)


class Amended(Ids):
    """Strings of an artifact with some others in their place, and more of them after the last."""

    def __init__(self, base: Strings, changed: Mapping[int, str], more: Sequence[str]) -> None:
        object.__setattr__(self, "blob", base.blob)
        object.__setattr__(self, "offsets", base.offsets)
        self._base: Strings = base._base if isinstance(base, Amended) else base
        self._changed: dict[int, bytes] = dict(base._changed) if isinstance(base, Amended) else {}
        self._places: dict[str, int] = dict(base._places) if isinstance(base, Amended) else {}
        self._length = len(base) + len(more)
        self._changed |= {place: value.encode() for place, value in changed.items()}
        self._changed |= {len(base) + place: value.encode() for place, value in enumerate(more)}
        self._places |= {value: len(base) + place for place, value in enumerate(more)}

    def bytes_at(self, index: int) -> bytes:
        return self._changed[index] if index in self._changed else self._base.bytes_at(index)

    def __len__(self) -> int:
        return self._length

    def find(self, name: str) -> int:
        if name in self._places:
            return self._places[name]
        return self._base.find(name) if isinstance(self._base, Ids) else -1


def renewed(model: Model, products: Iterable[Product], learned: Model, data_as_of: int) -> Model:
    """The model with these products, each id once, as the shop says they are; what is not given stays.

    `learned`: the artifact's own, which is what products that came later are measured by, and what holds again of what
    is not hidden any more. What it does not know came after `data_as_of`, unless the shop names another day.
    """
    told = list(products)
    if not told:
        return model
    old = model.catalogue
    found = old.ids.find_all([product.id for product in told])
    new = [product.id for product, item in zip(told, found.tolist(), strict=True) if item < 0]
    items = found.copy()
    items[found < 0] = np.arange(len(old), len(old) + len(new))
    catalogue = _catalogue(old, told, items.tolist(), new, learned.catalogue, data_as_of)
    traits = _traits(model.traits, old, catalogue, items, learned)
    if traits is model.traits:
        return replace(model, catalogue=catalogue)
    count = len(new)
    factors, neighbours, orders = model.factors, model.neighbours, model.orders
    substitutes, repeats = model.substitutes, model.repeats
    rate, interval = (
        np.concatenate([value, _of_category(traits.category, value, learned)])
        for value in (learned.repeats.rate, learned.repeats.interval)
    )
    return replace(
        model,
        catalogue=catalogue,
        traits=traits,
        factors=replace(factors, row=_longer(factors.row, count, -1)),
        neighbours=replace(neighbours, indptr=_longer(neighbours.indptr, count, neighbours.indptr[-1])),
        orders=replace(
            orders, indptr=_longer(orders.indptr, count, orders.indptr[-1]), orders=_longer(orders.orders, count, 0)
        ),
        substitutes=replace(substitutes, indptr=_longer(substitutes.indptr, count, substitutes.indptr[-1])),
        repeats=replace(repeats, rate=rate, interval=interval),
    )


def _catalogue(
    old: Catalogue,
    told: Sequence[Product],
    items: Sequence[int],
    new: Sequence[str],
    learned: Catalogue,
    data_as_of: int,
) -> Catalogue:
    count = len(new)
    pairs = list(zip(items, told, strict=True))
    category, category_names = _codes(old.category, old.category_names, pairs, "category", count)
    brand, brand_names = _codes(old.brand, old.brand_names, pairs, "brand", count)
    market_names = _with(old.market_names, (name for product in told for name in product.markets or ()))
    sold_in = np.zeros((len(old) + count, len(market_names)), np.bool_)
    sold_in[: len(old), : old.sold_in.shape[1]] = old.sold_in
    limited = _longer(old.limited, count, False)
    price, in_stock = _longer(old.price, count, np.nan), _longer(old.in_stock, count, True)
    available_from = _longer(old.available_from, count, data_as_of)
    available_until = _longer(old.available_until, count, ALWAYS_UNTIL)
    for item, product in pairs:
        given = product.given
        if "price" in given:
            price[item] = np.nan if product.price is None else product.price
        if "in_stock" in given:
            in_stock[item] = product.in_stock
        if "markets" in given:
            limited[item] = product.markets is not None
            sold_in[item] = False
            sold_in[item, market_names.find_all(product.markets or ())] = True
        if "available_from" in given:
            opened = ALWAYS_FROM if item < len(learned) else data_as_of
            available_from[item] = opened if product.available_from is None else product.available_from
        if "available_until" in given:
            available_until[item] = ALWAYS_UNTIL if product.available_until is None else product.available_until
        elif "hidden" in given:
            available_until[item] = learned.available_until[item] if item < len(learned) else ALWAYS_UNTIL
        if product.hidden:
            available_until[item] = ALWAYS_FROM
    return Catalogue(
        ids=_with(old.ids, new),
        **{name: _texts(getattr(old, name), pairs, name, count) for name in TEXTS},
        category=category,
        category_names=category_names,
        brand=brand,
        brand_names=brand_names,
        price=price,
        in_stock=in_stock,
        market_names=market_names,
        limited=limited,
        sold_in=sold_in,
        available_from=available_from,
        available_until=available_until,
        attributes=_texts(old.attributes, pairs, "attributes", count),
    )


def _traits(old: Traits, before: Catalogue, now: Catalogue, items: NDArray[np.int32], learned: Model) -> Traits:
    count, known = len(now) - len(before), learned.traits
    category = _longer(old.category, count, -1)
    if (learned.catalogue.category >= 0).any() or not (known.category >= 0).any():
        category[items] = now.category[items]
    later = slice(len(known.log_price), None)
    same = count == 0 and np.array_equal(now.price[later], before.price[later], equal_nan=True)
    if same and np.array_equal(category, old.category):
        return old  # what sells need not be counted again
    # What the shop's prices are measured by: ln price = log_price + middle.
    listed = _log(learned.catalogue.price) - known.log_price
    middle = np.nanmedian(listed) if np.isfinite(listed).any() else np.nan
    dearer = (_log(now.price[later]) - middle).astype(np.float32)
    usual = _of_category(category, known.log_price - known.price_in_category, learned)
    return Traits(
        category=category,
        family=_longer(old.family, count, -1),
        log_price=np.concatenate([known.log_price, dearer]),
        price_in_category=np.concatenate([known.price_in_category, dearer - usual]),
        customers=_longer(old.customers, count, 0),
        first_sold=_longer(old.first_sold, count, NEVER),
        return_rate=_longer(old.return_rate, count, 0),
    )


def _log(price: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log(np.where(price > 0, price, np.nan))


def _of_category(category: NDArray[np.int32], values: NDArray[np.float32], learned: Model) -> NDArray[np.float32]:
    """For every product that came later, the mean of its category among those that were learned; of all without one."""
    usable = np.isfinite(values)
    code = learned.traits.category[usable] + 1
    lines = np.bincount(code, minlength=int(category.max(initial=-1)) + 2)
    everywhere = float(values[usable].mean()) if usable.any() else 0.0
    mean = np.where(lines > 0, np.bincount(code, values[usable], len(lines)) / np.maximum(lines, 1), everywhere)
    mean[0] = everywhere
    return mean[category[len(values) :] + 1].astype(np.float32)


def _codes(
    codes: NDArray[np.int32], names: Ids, pairs: Sequence[tuple[int, Product]], field: str, count: int
) -> tuple[NDArray[np.int32], Ids]:
    told = [(item, getattr(product, field)) for item, product in pairs if field in product.given]
    names = _with(names, (name for _, name in told if name))
    codes = _longer(codes, count, -1)
    for item, name in told:
        codes[item] = names.find(name) if name else -1
    return codes, names


def _with(names: Ids, more: Iterable[str]) -> Ids:
    unknown = [name for name in dict.fromkeys(more) if names.find(name) < 0]
    return Amended(names, {}, unknown) if unknown else names


def _texts(texts: Strings, pairs: Sequence[tuple[int, Product]], field: str, count: int) -> Strings:
    told = {item: getattr(product, field) or "" for item, product in pairs if field in product.given}
    more = [told.pop(item, "") for item in range(len(texts), len(texts) + count)]
    return Amended(texts, told, more)


def _longer(values: NDArray[Any], count: int, fill: object) -> NDArray[Any]:
    """A copy with `count` more at the end."""
    return np.concatenate([values, np.full(count, fill, values.dtype)])
