"""Why a product is shown, in a sentence that a customer may read, from the evidence that put it there."""

from __future__ import annotations

import numpy as np

from models.candidates import observed
from models.catalogue import Catalogue
from models.events import DAY
from models.factors import ItemFactors
from models.history import NEVER, Interactions
from models.neighbours import Neighbours
from models.settings import ModelSettings
from models.slate import Reason, ReasonKind

POPULAR = Reason(ReasonKind.POPULAR, (), "Popular right now")


def buy_again(pairs: Interactions, item: int) -> Reason:
    """From a customer's own purchases of the product."""
    place = int(np.searchsorted(pairs.item, item))
    count = round(float(pairs.count[place]))
    days = float(pairs.last[place] - pairs.first[place]) / DAY / max(count - 1, 1)
    return Reason(ReasonKind.BUY_AGAIN, (item,), _rhythm(count, days))


def _rhythm(count: int, days: float) -> str:
    if count >= 3 and days >= 0.5:
        if days < 1.5:
            return "You buy this about every day"
        if days < 60:
            return f"You buy this about every {round(days)} days"
        return f"You buy this about every {round(days / 30.4)} months"
    if count == 2:
        return "You bought this twice"
    return "You bought this before" if count < 3 else f"You bought this {count} times"


def similar_customers(
    catalogue: Catalogue, factors: ItemFactors, pairs: Interactions, items: list[int], settings: ModelSettings
) -> dict[int, Reason]:
    """From the product of the history that adds most to the affinity for each item."""
    if not items:
        return {}
    products, confidence = observed(pairs, settings)
    places = factors.strongest(products, confidence, np.array(items))
    return {item: _like_you(catalogue, pairs, int(products[place])) for item, place in zip(items, places, strict=True)}


def _like_you(catalogue: Catalogue, pairs: Interactions, because: int) -> Reason:
    if pairs.last[np.searchsorted(pairs.item, because)] == NEVER:
        sentence, plain = "Customers who like {} chose this", "Customers who like what you looked at chose this"
    else:
        sentence, plain = "Customers who buy {}, like you, chose this", "Customers who buy what you buy chose this"
    return Reason(ReasonKind.SIMILAR_CUSTOMERS, (because,), _about(catalogue, because, sentence, plain))


def neighbours_of(
    catalogue: Catalogue, neighbours: Neighbours, pairs: Interactions, items: list[int]
) -> dict[int, Reason]:
    """From the product of the history whose tie to each item weighs most."""
    places = neighbours.strongest(pairs.item, pairs.recent, items) if items else []
    return {item: _because(catalogue, pairs, place) for item, place in zip(items, places, strict=True)}


def _because(catalogue: Catalogue, pairs: Interactions, place: int) -> Reason:
    because = int(pairs.item[place])
    if pairs.last[place] == NEVER:
        text = _about(catalogue, because, "Because you looked at {}", "Because of what you looked at")
        return Reason(ReasonKind.BECAUSE_YOU_VIEWED, (because,), text)
    text = _about(catalogue, because, "Because you bought {}", "Because of what you bought before")
    return Reason(ReasonKind.BECAUSE_YOU_BOUGHT, (because,), text)


def goes_with(catalogue: Catalogue, anchor: int) -> Reason:
    """From a product that stands in the same orders."""
    text = _about(catalogue, anchor, "Often bought together with {}", "Often bought together with this")
    return Reason(ReasonKind.BOUGHT_TOGETHER, (anchor,), text)


def similar_to(catalogue: Catalogue, item: int) -> Reason:
    text = _about(catalogue, item, "Customers who buy {} also buy this", "Customers who buy this product also buy this")
    return Reason(ReasonKind.SIMILAR_CUSTOMERS, (item,), text)


def _about(catalogue: Catalogue, item: int, sentence: str, without_title: str) -> str:
    title = catalogue.title[item]
    return sentence.format(title) if title else without_title
