"""A model for the products as they are now: sold out, dearer, hidden, or not known when it learned.

Products that came later follow those of the artifact, whose indices stay, in the order of their ids: whoever saw them
come one by one has them as has who sees them all at once. They have no purchases; their category, brand and price speak
for them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from models.data.catalogue import ALWAYS_FROM, ALWAYS_UNTIL, Catalogue
from models.data.daily_sales import DailySales
from models.data.history import NEVER
from models.data.ids import Ids, Strings
from models.data.product_stats import ProductStats
from models.data.timestamps import parse_timestamp
from models.model import Model

TEXTS: Final = ("title", "currency", "url", "image_url")


@dataclass(frozen=True, kw_only=True)
class ProductUpdate:
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


FIELDS: Final = frozenset(ProductUpdate.__dataclass_fields__) - {"id", "given"}


def product_update_of(product_id: str, document: Mapping[str, Any]) -> ProductUpdate:
    """What the store holds of a product: the fields that were given."""
    values = {name: value for name, value in document.items() if name in FIELDS}
    for name in ("available_from", "available_until"):
        if values.get(name) is not None:
            values[name] = parse_timestamp(values[name])
    if values.get("markets") is not None:
        values["markets"] = tuple(values["markets"])
    if "attributes" in values:
        values["attributes"] = (
            orjson.dumps(values["attributes"]).decode() if values["attributes"] else ""
        )
    return ProductUpdate(id=product_id, given=frozenset(values), **values)


class PatchedStrings(Ids):
    """Strings of an artifact with some others in their place, and more of them.

    `more` stand at `spots`, as np.insert takes them, which lie behind the artifact's; without any after the last.
    """

    def __init__(
        self,
        base: Strings,
        changed: Mapping[int, str],
        more: Sequence[str],
        spots: NDArray[np.int64] | None = None,
    ) -> None:
        object.__setattr__(self, "blob", base.blob)
        object.__setattr__(self, "offsets", base.offsets)
        spots = np.full(len(more), len(base)) if spots is None else spots
        self._base: Strings = base._base if isinstance(base, PatchedStrings) else base
        self._changed: dict[int, bytes] = (
            dict(base._changed) if isinstance(base, PatchedStrings) else {}
        )
        self._places: dict[str, int] = (
            dict(base._places) if isinstance(base, PatchedStrings) else {}
        )
        if len(spots) and self._changed:
            self._changed = dict(
                zip(_moved([*self._changed], spots).tolist(), self._changed.values(), strict=True)
            )
            self._places = dict(
                zip(self._places, _moved([*self._places.values()], spots).tolist(), strict=True)
            )
        self._length = len(base) + len(more)
        added = dict(zip(_filled(spots).tolist(), more, strict=True))
        self._changed |= {place: value.encode() for place, value in (added | dict(changed)).items()}
        self._places |= {value: place for place, value in added.items()}

    def bytes_at(self, index: int) -> bytes:
        return self._changed[index] if index in self._changed else self._base.bytes_at(index)

    def __len__(self) -> int:
        return self._length

    def find(self, name: str) -> int:
        if name in self._places:
            return self._places[name]
        return self._base.find(name) if isinstance(self._base, Ids) else -1


def update_catalogue(
    model: Model, products: Iterable[ProductUpdate], learned: Model, data_as_of: int
) -> Model:
    """The model with these products, each id once, as the shop says they are; what is not given stays.

    `learned`: the artifact's own, which is what products that came later are measured by, and what holds again of what
    is not hidden any more. What it does not know came after `data_as_of`, unless the shop names another day.
    """
    told = list(products)
    if not told:
        return model
    old = model.catalogue
    told.sort(key=lambda product: product.id.encode())
    items = old.ids.find_all([product.id for product in told])
    known = items >= 0
    new = [product.id for product, here in zip(told, known.tolist(), strict=True) if not here]
    spots = _spots(old.ids, len(learned.catalogue), new)
    items[known] = _moved(items[known], spots)
    items[~known] = _filled(spots)
    catalogue = _catalogue(old, told, items.tolist(), new, spots, learned.catalogue, data_as_of)
    traits = _traits(model.traits, old, catalogue, items, spots, learned)
    if traits is model.traits:
        return replace(model, catalogue=catalogue)
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
        factors=replace(factors, row=_longer(factors.row, spots, -1)),
        neighbours=replace(
            neighbours, indptr=_longer(neighbours.indptr, spots, neighbours.indptr[-1])
        ),
        orders=replace(
            orders,
            indptr=_longer(orders.indptr, spots, orders.indptr[-1]),
            orders=_longer(orders.orders, spots, 0),
        ),
        substitutes=replace(
            substitutes, indptr=_longer(substitutes.indptr, spots, substitutes.indptr[-1])
        ),
        repeats=replace(repeats, rate=rate, interval=interval),
        sales=_sales(model.sales, spots),
    )


def _spots(ids: Ids, learned: int, new: Sequence[str]) -> NDArray[np.int64]:
    """Where new ids stand among those that came later, as np.insert takes it: (new,). All are sorted."""
    later = [ids.bytes_at(place) for place in range(learned, len(ids))] if new else []
    return learned + np.array([bisect_left(later, name.encode()) for name in new], np.int64)


def _moved(
    places: Sequence[int] | NDArray[np.integer[Any]], spots: NDArray[np.int64]
) -> NDArray[np.int32]:
    """Where what stood at `places` stands with others inserted at `spots`: (places,)."""
    return (places + spots.searchsorted(places, side="right")).astype(np.int32)


def _filled(spots: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where those stand that were inserted at `spots`: (spots,)."""
    return spots + np.arange(len(spots))


def _sales(sales: DailySales, spots: NDArray[np.int64]) -> DailySales:
    """The same lines under the places that the products have now."""
    if len(spots) == 0 or int(sales.item.max(initial=-1)) < spots[0]:
        return sales
    return replace(sales, item=_moved(sales.item, spots))


def _catalogue(
    old: Catalogue,
    told: Sequence[ProductUpdate],
    items: Sequence[int],
    new: Sequence[str],
    spots: NDArray[np.int64],
    learned: Catalogue,
    data_as_of: int,
) -> Catalogue:
    pairs = list(zip(items, told, strict=True))
    category, category_names = _codes(old.category, old.category_names, pairs, "category", spots)
    brand, brand_names = _codes(old.brand, old.brand_names, pairs, "brand", spots)
    market_names = _with(
        old.market_names, (name for product in told for name in product.markets or ())
    )
    sold_in = np.zeros((len(old) + len(new), len(market_names)), np.bool_)
    sold_in[:, : old.sold_in.shape[1]] = _longer(old.sold_in, spots, False)
    limited = _longer(old.limited, spots, False)
    price, in_stock = _longer(old.price, spots, np.nan), _longer(old.in_stock, spots, True)
    available_from = _longer(old.available_from, spots, data_as_of)
    available_until = _longer(old.available_until, spots, ALWAYS_UNTIL)
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
            available_from[item] = (
                opened if product.available_from is None else product.available_from
            )
        if "available_until" in given:
            available_until[item] = (
                ALWAYS_UNTIL if product.available_until is None else product.available_until
            )
        elif "hidden" in given:
            available_until[item] = (
                learned.available_until[item] if item < len(learned) else ALWAYS_UNTIL
            )
        if product.hidden:
            available_until[item] = ALWAYS_FROM
    return Catalogue(
        ids=PatchedStrings(old.ids, {}, new, spots) if new else old.ids,
        **{name: _texts(getattr(old, name), pairs, name, spots) for name in TEXTS},
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
        attributes=_texts(old.attributes, pairs, "attributes", spots),
    )


def _traits(
    old: ProductStats,
    before: Catalogue,
    now: Catalogue,
    items: NDArray[np.int32],
    spots: NDArray[np.int64],
    learned: Model,
) -> ProductStats:
    known = learned.traits
    category = _longer(old.category, spots, -1)
    if (learned.catalogue.category >= 0).any() or not (known.category >= 0).any():
        category[items] = now.category[items]
    later = slice(len(known.log_price), None)
    same = len(spots) == 0 and np.array_equal(now.price[later], before.price[later], equal_nan=True)
    if same and np.array_equal(category, old.category):
        return old  # what sells need not be counted again
    # What the shop's prices are measured by: ln price = log_price + middle.
    listed = _log(learned.catalogue.price) - known.log_price
    middle = np.nanmedian(listed) if np.isfinite(listed).any() else np.nan
    dearer = (_log(now.price[later]) - middle).astype(np.float32)
    usual = _of_category(category, known.log_price - known.price_in_category, learned)
    return ProductStats(
        category=category,
        family=_longer(old.family, spots, -1),
        log_price=np.concatenate([known.log_price, dearer]),
        price_in_category=np.concatenate([known.price_in_category, dearer - usual]),
        customers=_longer(old.customers, spots, 0),
        first_sold=_longer(old.first_sold, spots, NEVER),
        return_rate=_longer(old.return_rate, spots, 0),
    )


def _log(price: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log(np.where(price > 0, price, np.nan))


def _of_category(
    category: NDArray[np.int32], values: NDArray[np.float32], learned: Model
) -> NDArray[np.float32]:
    """For every product that came later, the mean of its category among those that were learned; of all without one."""
    usable = np.isfinite(values)
    code = learned.traits.category[usable] + 1
    lines = np.bincount(code, minlength=int(category.max(initial=-1)) + 2)
    everywhere = float(values[usable].mean()) if usable.any() else 0.0
    mean = np.where(
        lines > 0, np.bincount(code, values[usable], len(lines)) / np.maximum(lines, 1), everywhere
    )
    mean[0] = everywhere
    return mean[category[len(values) :] + 1].astype(np.float32)


def _codes(
    codes: NDArray[np.int32],
    names: Ids,
    pairs: Sequence[tuple[int, ProductUpdate]],
    field: str,
    spots: NDArray[np.int64],
) -> tuple[NDArray[np.int32], Ids]:
    told = [(item, getattr(product, field)) for item, product in pairs if field in product.given]
    names = _with(names, (name for _, name in told if name))
    codes = _longer(codes, spots, -1)
    for item, name in told:
        codes[item] = names.find(name) if name else -1
    return codes, names


def _with(names: Ids, more: Iterable[str]) -> Ids:
    unknown = [name for name in dict.fromkeys(more) if names.find(name) < 0]
    return PatchedStrings(names, {}, unknown) if unknown else names


def _texts(
    texts: Strings, pairs: Sequence[tuple[int, ProductUpdate]], field: str, spots: NDArray[np.int64]
) -> Strings:
    told = {
        item: getattr(product, field) or "" for item, product in pairs if field in product.given
    }
    more = [told.pop(item, "") for item in _filled(spots).tolist()]
    return PatchedStrings(texts, told, more, spots)


def _longer(values: NDArray[Any], spots: NDArray[np.int64], fill: Any) -> NDArray[Any]:
    """A copy with more of them: `fill` at `spots`."""
    return np.insert(values, spots, np.array(fill, values.dtype), axis=0)
