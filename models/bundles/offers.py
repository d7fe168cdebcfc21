"""Units that the shop has put together, where one of their products is asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.assembly.cards import sum_prices
from models.bundles.figures import build_unit
from models.model import Model
from models.rules.shop_bundles import ShopBundle
from models.rules.shop_rules import is_in_force
from models.slate import Bundle

Mask = NDArray[np.bool_]


def find_offers(
    model: Model,
    bundles: Sequence[ShopBundle],
    as_of: int,
    asked: Sequence[int],
    sellable: Mask,
    allowed: Mask,
) -> list[Bundle]:
    """Return the shop's units that hold one of the products asked for and something else, by id.

    Every product of them is for sale: `sellable` (items,). What is not asked for is also `allowed`
    (items,) by the request.
    """
    ids = model.catalogue.ids
    asked_ids = {ids[item] for item in asked}
    offers = []
    for bundle in bundles:
        if asked_ids.isdisjoint(bundle.products):
            continue
        if not is_in_force(bundle.starts, bundle.ends, as_of):
            continue
        members = ids.find_all(bundle.products).tolist()
        given = [item for item in members if item in asked]
        rest = [item for item in members if item not in asked]
        if find_problem(model, bundle, sellable) is None and rest and allowed[rest].all():
            offers.append(build_unit(model, given, rest, offer=bundle))
    return offers


def put_first(offers: Sequence[Bundle], bundles: Sequence[Bundle], n: int) -> tuple[Bundle, ...]:
    """Return at most n units: the shop's own, then others that are not the same products."""
    offered = [set(offer.members) for offer in offers]
    others = [bundle for bundle in bundles if set(bundle.members) not in offered]
    return (*offers, *others)[:n]


def find_problem(model: Model, bundle: ShopBundle, sellable: Mask) -> str | None:
    """Return why a unit is not shown, None where it is. `sellable`: (items,)."""
    catalogue = model.catalogue
    items = catalogue.ids.find_all(bundle.products).tolist()
    for product_id, item in zip(bundle.products, items, strict=True):
        if item < 0:
            return f"The catalogue does not know the product {product_id}."
        if not sellable[item]:
            return f"The product {product_id} is not for sale, or a rule keeps it out."
    whole = sum_prices(catalogue, items)
    if whole is not None and whole.currency == bundle.currency and whole.amount <= bundle.price:
        return f"Its products cost {whole.amount:g} {whole.currency}: the bundle saves nothing."
    return None
