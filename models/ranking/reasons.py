"""Reasons for showing a product: each kind with its evidence and a sentence for the customer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from math import isnan
from typing import Final

import numpy as np

from models.data.catalogue import Catalogue
from models.data.events import DAY
from models.data.history import Interactions
from models.languages.phrases import Phrase, counted
from models.slate import Reason, ReasonKind
from models.sources.co_purchases import CoPurchases
from models.sources.repurchase import LAPSED_INTERVALS, find_own_intervals

DAYS_IN_MONTH: Final = 30.4
IN_MONTHS: Final = 60  # days from which an interval is told in months
THIS: Final = Phrase("this")  # the product beside which the reason stands
MOST_NAMED: Final = 3  # of ten reasons may have the same product for evidence


@dataclass(frozen=True)
class ReasonTemplate:
    """A reason whose evidence is one product, as a sentence with its title and one without."""

    kind: ReasonKind
    titled: str
    untitled: str

    def about(self, catalogue: Catalogue, item: int) -> Reason:
        """Return the reason with this product as evidence."""
        title = catalogue.title[item]
        text = Phrase(self.titled, title=title) if title else Phrase(self.untitled)
        return Reason(self.kind, (item,), text)

    @property
    def unnamed(self) -> Reason:
        """Return the reason without evidence: true wherever it is with some product."""
        return Reason(self.kind, (), Phrase(self.untitled))


BECAUSE_YOU_BOUGHT: Final = ReasonTemplate(
    ReasonKind.BECAUSE_YOU_BOUGHT,
    "Because you bought {title}",
    "Because of what you bought before",
)
BECAUSE_YOU_VIEWED: Final = ReasonTemplate(
    ReasonKind.BECAUSE_YOU_VIEWED,
    "Because you looked at {title}",
    "Because of what you looked at",
)
BECAUSE_OF_BASKET: Final = ReasonTemplate(
    ReasonKind.BECAUSE_OF_BASKET,
    "Because {title} is in your basket",
    "Because of what is in your basket",
)
BOUGHT_TOGETHER: Final = ReasonTemplate(
    ReasonKind.BOUGHT_TOGETHER,
    "Often bought together with {title}",
    "Often bought together with what you chose",
)
CUSTOMERS_WHO_BUY: Final = ReasonTemplate(
    ReasonKind.SIMILAR_CUSTOMERS,
    "Customers who buy {title}, like you, chose this",
    "Customers who buy what you buy chose this",
)
CUSTOMERS_WHO_LIKE: Final = ReasonTemplate(
    ReasonKind.SIMILAR_CUSTOMERS,
    "Customers who like {title} chose this",
    "Customers of the same taste chose this",
)
ALSO_BOUGHT: Final = ReasonTemplate(
    ReasonKind.SIMILAR_CUSTOMERS,
    "Customers who buy {title} also buy this",
    "Customers who buy this product also buy this",
)
SIMILAR_TO: Final = ReasonTemplate(
    ReasonKind.SIMILAR, "Similar to {title}", "Similar to this product"
)
ALSO_VIEWED: Final = ReasonTemplate(
    ReasonKind.ALSO_VIEWED,
    "Customers who look at {title} also look at this",
    "Customers who look at this product also look at this",
)
POPULAR_NOW: Final = Reason(ReasonKind.POPULAR, (), Phrase("Popular right now"))
BOUGHT_BY_OTHERS: Final = Reason(ReasonKind.POPULAR, (), Phrase("Bought by other customers"))
CHOSEN_BY_SHOP: Final = Reason(ReasonKind.CHOSEN_BY_SHOP, (), Phrase("Chosen by our shop"))


def choose_reasons(reasons_each: Iterable[Iterable[Reason]]) -> list[Reason]:
    """Choose a reason for each product of a slate, of those that are true, the strongest first.

    A product is evidence for at most MOST_NAMED of ten, where another reason is true.
    """
    named: Counter[int] = Counter()
    chosen: list[Reason] = []
    for reasons in reasons_each:
        most = MOST_NAMED * (len(chosen) // 10 + 1)
        strongest = None
        for reason in reasons:
            strongest = strongest or reason
            if all(named[item] < most for item in reason.items):
                break
        else:
            reason = strongest or BOUGHT_BY_OTHERS
        named.update(reason.items)
        chosen.append(reason)
    return chosen


def bought_together(
    orders: CoPurchases,
    catalogue: Catalogue,
    baskets: Iterable[Sequence[int]],
    items: Sequence[int],
    lift_weight: float,
) -> list[Iterator[Reason]]:
    """Return for each item its ties to products of the first basket, then of the next, ..."""
    evidence_of = [orders.evidence(basket, items, lift_weight) for basket in baskets]
    reasons: list[Iterator[Reason]] = []
    for ties in zip(*evidence_of, strict=True):
        named = (BOUGHT_TOGETHER.about(catalogue, anchor) for anchor in chain(*ties))
        reasons.append(chain(named, [BOUGHT_TOGETHER.unnamed]))
    return reasons


def popular(lines: float) -> Reason:
    """Return the reason for a popular product that sold so many lines in the window."""
    return POPULAR_NOW if lines > 0 else BOUGHT_BY_OTHERS


def new_arrival(catalogue: Catalogue, item: int) -> Reason:
    """Return the reason for a product that has just come on sale."""
    category = int(catalogue.category[item])
    if category < 0:
        return Reason(ReasonKind.NEW, (), Phrase("New in our shop"))
    text = Phrase("New in {category}", category=catalogue.category_names[category])
    return Reason(ReasonKind.NEW, (), text)


def told_to_like(value: str) -> Reason:
    """Return the reason for a product that bears what the customer has said they like."""
    text = Phrase("Because you told us that you like {value}", value=value)
    return Reason(ReasonKind.BECAUSE_YOU_TOLD_US, (), text)


def buy_again(pairs: Interactions, item: int, as_of: int) -> Reason:
    """Return the reason for a product that the customer bought, returned purchases included."""
    return buy_again_each(pairs, [item], as_of)[0]


def buy_again_each(pairs: Interactions, items: list[int], as_of: int) -> list[Reason]:
    """Return how often each was bought; at which interval where that is known."""
    rows = pairs.item.searchsorted(np.array(items, np.int32))
    lines, last = pairs.lines[rows], pairs.last[rows]
    intervals = find_own_intervals(lines, pairs.first[rows], last).tolist()
    counts, silences = lines.tolist(), ((as_of - last) / DAY).tolist()
    reasons = []
    for index, item in enumerate(items):
        text = _buying_habit(int(counts[index]), intervals[index], silences[index])
        reasons.append(Reason(ReasonKind.BUY_AGAIN, (item,), text))
    return reasons


def _buying_habit(count: int, interval: float, silence: float) -> Phrase:
    """Say how often a product was bought, every `interval` days if known, `silence` days ago."""
    if count == 1:
        return Phrase("You bought {product} before", product=THIS)
    is_known = not isnan(interval)
    if count == 2 and is_known:
        return _bought_twice(interval)
    if count > 2 and is_known and silence <= LAPSED_INTERVALS * interval:
        return _bought_every(interval)
    if count == 2:
        return Phrase("You bought {product} twice", product=THIS)
    return counted(
        "You bought {product} once", "You bought {product} {count} times", count, product=THIS
    )


def _bought_twice(interval: float) -> Phrase:
    if interval < IN_MONTHS:
        return counted(
            "You bought {product} twice, a day apart",
            "You bought {product} twice, {count} days apart",
            max(round(interval), 1),
            product=THIS,
        )
    return counted(
        "You bought {product} twice, a month apart",
        "You bought {product} twice, {count} months apart",
        round(interval / DAYS_IN_MONTH),
        product=THIS,
    )


def _bought_every(interval: float) -> Phrase:
    if interval < IN_MONTHS:
        return counted(
            "You buy {product} about every day",
            "You buy {product} about every {count} days",
            max(round(interval), 1),
            product=THIS,
        )
    return counted(
        "You buy {product} about every month",
        "You buy {product} about every {count} months",
        round(interval / DAYS_IN_MONTH),
        product=THIS,
    )
