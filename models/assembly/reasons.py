"""Why a product is shown, in a sentence that a customer may read, from the evidence that put it there."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np

from models.data.catalogue import Catalogue
from models.data.events import DAY
from models.data.history import NEVER, Interactions
from models.data.product_stats import ProductStats
from models.model import Model
from models.ranking.context import RankingContext
from models.settings import ModelSettings
from models.slate import Reason, ReasonKind, Source
from models.sources.als import ObservedProducts
from models.sources.item_neighbours import ItemNeighbours

POPULAR: Final = Reason(ReasonKind.POPULAR, (), "Popular right now")
BOUGHT_BY_OTHERS: Final = Reason(ReasonKind.POPULAR, (), "Bought by other customers")
CHOSEN_BY_SHOP: Final = Reason(ReasonKind.CHOSEN_BY_SHOP, (), "Chosen by our shop")
LAPSED: Final = 3  # intervals without a purchase after which a rhythm is none


def of_slate(
    items: list[int],
    sources: list[Source],
    case: RankingContext,
    basket: list[int],
    model: Model,
    settings: ModelSettings,
) -> dict[int, Reason]:
    """A reason for each item, from the strongest evidence of the source that put it there."""
    catalogue, pairs = model.catalogue, case.pairs
    by: dict[Source, list[int]] = {source: [] for source in Source}
    for item, source in zip(items, sources, strict=True):
        by[source].append(item)
    recent = case.demand.popularity.recent
    why = {item: popular(recent[item]) for item in by[Source.POPULAR]}
    why |= _again(pairs, by[Source.OWN_PURCHASES], case.as_of)
    why |= {item: arrival(catalogue, item) for item in by[Source.NEW]}
    why |= dict.fromkeys(by[Source.PINNED], CHOSEN_BY_SHOP)
    why |= similar_customers(catalogue, pairs, case.observed, by[Source.FACTORS])
    why |= neighbours_of(catalogue, model.neighbours, pairs, by[Source.NEIGHBOURS], basket)
    why |= {item: of_category(catalogue, model.traits, pairs, item) for item in by[Source.CATEGORY]}
    tied = by[Source.BOUGHT_TOGETHER]
    with_basket = (case.evidence.basket.of(np.array(tied, np.int64)) > 0).tolist() if tied else []
    for anchors, together in (
        (basket, [item for item, ours in zip(tied, with_basket, strict=True) if ours]),
        (
            case.profile.last_basket,
            [item for item, ours in zip(tied, with_basket, strict=True) if not ours],
        ),
    ):
        ties = (
            model.orders.strongest(anchors, together, settings.bundles.lift_weight)
            if together
            else []
        )
        why |= {
            item: goes_with(catalogue, anchor)
            for item, (anchor, _) in zip(together, ties, strict=True)
        }
    return why


def popular(lines: float) -> Reason:
    """From the lines that were sold in the window."""
    return POPULAR if lines > 0 else BOUGHT_BY_OTHERS


def buy_again(pairs: Interactions, item: int, as_of: int) -> Reason:
    """From a customer's own purchases of the product, returned ones too: the rhythm while they keep to it."""
    return _again(pairs, [item], as_of)[item]


def _again(pairs: Interactions, items: list[int], as_of: int) -> dict[int, Reason]:
    places = pairs.item.searchsorted(np.array(items, np.int32))
    bought = zip(
        items,
        *(column[places].tolist() for column in (pairs.lines, pairs.first, pairs.last)),
        strict=True,
    )
    why = {}
    for item, lines, first, last in bought:
        days = (last - first) / DAY / max(lines - 1, 1)
        kept = lines >= 3 and days >= 0.5 and (as_of - last) / DAY <= LAPSED * days
        why[item] = Reason(
            ReasonKind.BUY_AGAIN, (item,), _rhythm(days) if kept else _times(int(lines))
        )
    return why


def _rhythm(days: float) -> str:
    if days < 1.5:
        return "You buy this about every day"
    if days < 60:
        return f"You buy this about every {round(days)} days"
    return f"You buy this about every {round(days / 30.4)} months"


def _times(lines: int) -> str:
    return {1: "You bought this before", 2: "You bought this twice"}.get(
        lines, f"You bought this {lines} times"
    )


def similar_customers(
    catalogue: Catalogue, pairs: Interactions, observed: ObservedProducts, items: list[int]
) -> dict[int, Reason]:
    """From the product of the history that adds most to the affinity for each item."""
    if not items:
        return {}
    strongest = observed.strongest(np.array(items))
    return {
        item: _like_you(catalogue, pairs, because)
        for item, because in zip(items, strongest, strict=True)
    }


def _like_you(catalogue: Catalogue, pairs: Interactions, because: int) -> Reason:
    if pairs.last[np.searchsorted(pairs.item, because)] == NEVER:
        sentence, plain = (
            "Customers who like {} chose this",
            "Customers of the same taste chose this",
        )
    else:
        sentence, plain = (
            "Customers who buy {}, like you, chose this",
            "Customers who buy what you buy chose this",
        )
    return Reason(
        ReasonKind.SIMILAR_CUSTOMERS, (because,), _about(catalogue, because, sentence, plain)
    )


def neighbours_of(
    catalogue: Catalogue,
    neighbours: ItemNeighbours,
    pairs: Interactions,
    items: list[int],
    basket: Collection[int],
) -> dict[int, Reason]:
    """From the product of the history whose tie to each item weighs most."""
    places = neighbours.strongest(pairs.item, pairs.recent, items) if items else []
    return {
        item: _because(catalogue, pairs, place, basket)
        for item, place in zip(items, places, strict=True)
    }


def _because(
    catalogue: Catalogue, pairs: Interactions, place: int, basket: Collection[int]
) -> Reason:
    because = int(pairs.item[place])
    if because in basket:
        text = _about(
            catalogue, because, "Because {} is in your basket", "Because of what is in your basket"
        )
        return Reason(ReasonKind.BECAUSE_OF_BASKET, (because,), text)
    if pairs.last[place] == NEVER:
        text = _about(
            catalogue, because, "Because you looked at {}", "Because of what you looked at"
        )
        return Reason(ReasonKind.BECAUSE_YOU_VIEWED, (because,), text)
    text = _about(catalogue, because, "Because you bought {}", "Because of what you bought before")
    return Reason(ReasonKind.BECAUSE_YOU_BOUGHT, (because,), text)


def of_category(
    catalogue: Catalogue, traits: ProductStats, pairs: Interactions, item: int
) -> Reason:
    """From the product of the same category, or else brand, that the customer buys most and keeps."""
    for codes in (traits.category, catalogue.brand):
        alike = (codes[pairs.item] == codes[item]) & (codes[item] >= 0) & (pairs.count > 0)
        if alike.any():
            because = int(pairs.item[np.argmax(np.where(alike, pairs.long, -1))])
            text = _about(
                catalogue, because, "Because you bought {}", "Because of what you bought before"
            )
            return Reason(ReasonKind.BECAUSE_YOU_BOUGHT, (because,), text)
    return BOUGHT_BY_OTHERS


def arrival(catalogue: Catalogue, item: int) -> Reason:
    category = catalogue.category[item]
    text = (
        f"New in {catalogue.category_names[int(category)]}" if category >= 0 else "New in our shop"
    )
    return Reason(ReasonKind.NEW, (), text)


def goes_with(catalogue: Catalogue, anchor: int) -> Reason:
    """From a product that stands in the same orders."""
    text = _about(
        catalogue, anchor, "Often bought together with {}", "Often bought together with this"
    )
    return Reason(ReasonKind.BOUGHT_TOGETHER, (anchor,), text)


def similar_to(catalogue: Catalogue, item: int) -> Reason:
    text = _about(
        catalogue,
        item,
        "Customers who buy {} also buy this",
        "Customers who buy this product also buy this",
    )
    return Reason(ReasonKind.SIMILAR_CUSTOMERS, (item,), text)


def _about(catalogue: Catalogue, item: int, sentence: str, without_title: str) -> str:
    title = catalogue.title[item]
    return sentence.format(title) if title else without_title
