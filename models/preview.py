"""What the shop's rules do to a slate: all of them together, and each of them alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.recommender import Recommender
from models.rules.shop_rules import RuleKind, ShopRule, active_rules
from models.slate import Slate, SlateRequest

MOVING = (RuleKind.BOOST, RuleKind.BURY, RuleKind.PIN)


@dataclass(frozen=True)
class Effect:
    """What one rule alone changes in the slate without rules; products as item indices."""

    rule_id: str
    removed: tuple[int, ...]  # of the slate without rules, in its order: what is gone
    added: tuple[int, ...]  # what is shown instead, in its order
    moved: tuple[
        int, ...
    ]  # of what the rule boosts, buries or pins: shown before and now, at another place
    kept_out: int  # products of the catalogue for sale that it removes from every slate


@dataclass(frozen=True)
class Preview:
    without: Slate
    with_rules: Slate
    effects: tuple[Effect, ...]  # of the rules that hold for this slate, by their ids


def preview(
    recommender: Recommender, request: SlateRequest, answer: Callable[[SlateRequest], Slate]
) -> Preview:
    """Compare the slates of a request with and without its rules.

    `answer` makes one, such as `partial(recommender.recommend, customer_id)`; `request` names the market the customer
    is in (Recommender.at_home), as the rules of one market are told from it.
    """
    as_of = recommender.manifest.data_as_of if request.as_of is None else request.as_of
    rules = active_rules(request.rules, request.placement, request.filters.market, as_of)
    plain = answer(replace(request, rules=()))
    for_sale = recommender.catalogue.sellable(as_of, request.filters.market)
    effects = tuple(
        _effect(
            rule, plain, answer(replace(request, rules=(rule,))), recommender.catalogue, for_sale
        )
        for rule in rules
    )
    return Preview(plain, answer(request), effects)


def _effect(
    rule: ShopRule, plain: Slate, alone: Slate, catalogue: Catalogue, for_sale: NDArray[np.bool_]
) -> Effect:
    before, after = ([slot.item for slot in slate.slots] for slate in (plain, alone))
    named = rule.which.matches(catalogue) & (rule.kind in MOVING)
    kept = [item for item in after if item in before]
    return Effect(
        rule.id,
        removed=tuple(item for item in before if item not in after),
        added=tuple(item for item in after if item not in before),
        moved=tuple(
            item for item in kept if named[item] and before.index(item) != after.index(item)
        ),
        kept_out=int((for_sale & rule.keeps_out(catalogue)).sum()),
    )
