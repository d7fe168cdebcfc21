"""Previews of the shop's rules on one slate: all rules together, and each of them alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.recommender import Recommender
from models.rules.shop_rules import BoostRule, BuryRule, PinRule, ShopRule
from models.slate import Slate, SlateRequest


@dataclass(frozen=True)
class RuleChanges:
    """Changes by one rule alone to the slate without rules; products as item indices."""

    rule_id: str
    removed: tuple[int, ...]  # of the slate without rules, in its order: what is gone
    added: tuple[int, ...]  # what is shown instead, in its order
    moved: tuple[int, ...]  # boosted, buried or pinned, shown before and now at another position
    kept_out: int  # products of the catalogue for sale that it removes from every slate


@dataclass(frozen=True)
class Preview:
    """Slates of a request without its rules and with them."""

    without: Slate
    with_rules: Slate
    effects: tuple[RuleChanges, ...]  # of the rules that hold for this slate, by their ids


def preview(
    recommender: Recommender, request: SlateRequest, answer: Callable[[SlateRequest], Slate]
) -> Preview:
    """Compare the slates of a request with and without its rules.

    `answer` makes one, such as `partial(recommender.recommend, customer_id)`; `request` names the
    market of the customer (Recommender.at_home), which decides about the rules of one market.
    """
    as_of, market = recommender.moment_of(request), request.filters.market
    without = answer(replace(request, rules=()))
    for_sale = recommender.catalogue.sellable(as_of, market)
    changes = []
    for rule in recommender.rules_of(request):
        alone = answer(replace(request, rules=(rule,)))
        changes.append(_compare(rule, without, alone, recommender.catalogue, for_sale))
    return Preview(without, answer(request), tuple(changes))


def _compare(
    rule: ShopRule,
    without: Slate,
    alone: Slate,
    catalogue: Catalogue,
    for_sale: NDArray[np.bool_],
) -> RuleChanges:
    before = [slot.item for slot in without.slots]
    after = [slot.item for slot in alone.slots]
    moved: list[int] = []
    if isinstance(rule, BoostRule | BuryRule | PinRule):
        matched = rule.matches(catalogue)
        kept = [item for item in after if item in before and matched[item]]
        moved = [item for item in kept if before.index(item) != after.index(item)]
    return RuleChanges(
        rule.id,
        removed=tuple(item for item in before if item not in after),
        added=tuple(item for item in after if item not in before),
        moved=tuple(moved),
        kept_out=int((for_sale & rule.keeps_out(catalogue)).sum()),
    )
