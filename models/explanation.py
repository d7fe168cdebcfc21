"""Explanations of one slate: who proposed which product, how it ranked, and what took it out.

The slate is made by `Recommender.recommend`. What is told of it comes from the same context, the
same candidates and the same ranking, read once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from models.assembly.assemble import RankedCandidates, order_each, slots_of_each
from models.ranking.context import RankingContext
from models.ranking.sources import propose_candidates
from models.recommender import PopularRequest, Recommender, SharedContexts
from models.rules.eligibility import ExclusionRule, Removed, find_allowed, remove_named
from models.rules.shop_rules import BoostRule, BuryRule, CapRule, PinRule, ShopRule
from models.slate import Reason, Slate, SlateRequest
from models.updates.customer import NO_UPDATE, CustomerUpdate

Items = NDArray[np.int64]


class Verdict(StrEnum):
    """A reason why one product is in a slate, or is not."""

    SHOWN = "shown"
    REMOVED = "removed"  # by the rule that `removed_by` names
    NOT_PROPOSED = "not_proposed"  # by no source among its best
    RANKED_LOWER = "ranked_lower"  # than everything that is shown
    HELD_BACK = "held_back"  # for variety or a cap: it ranked above something that is shown
    OUTSOLD = "outsold"  # by everything in a slate that is popular products
    UNKNOWN_PRODUCT = "unknown_product"


@dataclass(frozen=True)
class ProductExplanation:
    """What is known of a product and one slate."""

    item: int
    rank: int | None = None  # from 1, among what the rules left
    position: int | None = None  # from 1, in the slate
    score: float | None = None  # None: nothing was ranked for this slate
    proposed_by: tuple[str, ...] = ()  # names of sources
    shown_as: str | None = None  # the source that a slate names for it
    reason: Reason | None = None
    bought: bool = False  # by the customer, before
    without_source: Mapping[str, float] = field(default_factory=dict)  # how far the score falls
    features: Mapping[str, float] = field(default_factory=dict)
    removed_by: ExclusionRule = ExclusionRule.NONE
    shop_rules: tuple[str, ...] = ()  # ids of those in force that bear on it


@dataclass(frozen=True)
class Explanation:
    """A slate, and what there was to choose from."""

    slate: Slate
    request: SlateRequest  # as it was answered: with the customer's market and words
    rules: tuple[str, ...]  # of the shop, in force for this slate
    candidates: int = 0  # that the rules left
    proposed: Mapping[str, int] = field(default_factory=dict)  # of these, by source
    removed_by: Mapping[ExclusionRule, int] = field(default_factory=dict)  # of those taken out
    ranked: tuple[ProductExplanation, ...] = ()  # best first
    removed: tuple[ProductExplanation, ...] = ()  # in the order in which they would rank
    verdict: Verdict | None = None  # on the product asked about
    asked: ProductExplanation | None = None


@dataclass(frozen=True, eq=False)
class _Choice:
    """Candidates of one slate in their order, with who proposed them."""

    ranked: RankedCandidates
    proposals: Mapping[str, Items]

    def find(self, item: int) -> int | None:
        """Return the index of an item in the order, None where it is no candidate."""
        found = np.flatnonzero(self.ranked.items == item)
        return int(found[0]) if len(found) else None

    def proposers(self, item: int) -> tuple[str, ...]:
        return tuple(name for name, items in self.proposals.items() if item in items)


def explain(
    recommender: Recommender,
    customer_id: str | None,
    request: SlateRequest,
    update: CustomerUpdate = NO_UPDATE,
    *,
    most: int = 50,
    item: int | None = None,
) -> Explanation:
    """Explain a slate: at most so many of the ranked and of the removed, and one item asked about.

    -1 asks about a product that the catalogue does not know.
    """
    contexts: SharedContexts = {}
    slate = recommender.recommend(customer_id, request, update, contexts)
    prepared = recommender.find_personal(customer_id, request, update)
    if isinstance(prepared, PopularRequest):
        return _explain_popular(recommender, slate, prepared.request, item)
    context = recommender.context_of(prepared, contexts)
    return _Explainer(recommender, slate, prepared.request, context).explain(most, item)


def _explain_popular(
    recommender: Recommender, slate: Slate, request: SlateRequest, item: int | None
) -> Explanation:
    """Explain popular products: nothing was ranked for this customer."""
    bearing = _BearingRules(recommender, request)
    explanation = Explanation(slate, request, bearing.ids)
    if item is None:
        return explanation
    if item < 0:
        return _with_verdict(explanation, Verdict.UNKNOWN_PRODUCT, None)
    removed = remove_named(recommender.find_filtered(request), request.named_items)
    positions = {slot.item: position for position, slot in enumerate(slate.slots, 1)}
    slot = next((slot for slot in slate.slots if slot.item == item), None)
    rule = ExclusionRule(int(removed[item]))
    asked = ProductExplanation(
        item,
        position=positions.get(item),
        shown_as=slot.source if slot else None,
        reason=slot.reason if slot else None,
        removed_by=rule,
        shop_rules=bearing.on(item),
    )
    verdict = Verdict.OUTSOLD if rule is ExclusionRule.NONE else Verdict.REMOVED
    return _with_verdict(explanation, Verdict.SHOWN if slot else verdict, asked)


def _with_verdict(
    explanation: Explanation, verdict: Verdict, asked: ProductExplanation | None
) -> Explanation:
    return Explanation(**{**vars(explanation), "verdict": verdict, "asked": asked})


class _BearingRules:
    """Rules of the shop that hold for a slate, and the products each is about."""

    def __init__(self, recommender: Recommender, request: SlateRequest) -> None:
        rules = recommender.rules_of(request)
        self.ids = tuple(rule.id for rule in rules)
        self._masks = [(rule.id, _bears_on(rule, recommender)) for rule in rules]

    def on(self, item: int) -> tuple[str, ...]:
        return tuple(rule_id for rule_id, mask in self._masks if mask[item])


def _bears_on(rule: ShopRule, recommender: Recommender) -> NDArray[np.bool_]:
    moves = isinstance(rule, BoostRule | BuryRule | PinRule | CapRule)
    return (rule.matches if moves else rule.keeps_out)(recommender.catalogue)


class _Explainer:
    """Reads a personal slate again: with what the rules left, and as if they had left all."""

    def __init__(
        self,
        recommender: Recommender,
        slate: Slate,
        request: SlateRequest,
        context: RankingContext,
    ) -> None:
        self.recommender, self.slate = recommender, slate
        self.request, self.context = request, context
        self.removed = recommender.find_removed(context, request)
        self.bearing = _BearingRules(recommender, request)
        self.positions = {slot.item: position for position, slot in enumerate(slate.slots, 1)}
        self.left = self._choose(self.removed)
        self.every = self._choose(np.zeros_like(self.removed))

    def _choose(self, removed: Removed) -> _Choice:
        sources = self.recommender.ranker.sources
        proposals = propose_candidates(sources, self.context, find_allowed(removed))
        return _Choice(self.recommender.rank(self.context, removed, self.request), proposals)

    def explain(self, most: int, item: int | None) -> Explanation:
        taken_out = np.flatnonzero(self.removed[self.every.ranked.items])
        rules = Counter(self.removed[self.every.ranked.items[taken_out]].tolist())
        left = self.left.ranked
        explanation = Explanation(
            slate=self.slate,
            request=self.request,
            rules=self.bearing.ids,
            candidates=len(left.items),
            proposed={name: len(items) for name, items in self.left.proposals.items()},
            removed_by={ExclusionRule(rule): count for rule, count in rules.most_common()},
            ranked=self._describe(self.left, np.arange(min(most, len(left.items)))),
            removed=self._describe(self.every, taken_out[:most]),
        )
        if item is None:
            return explanation
        if item < 0:
            return _with_verdict(explanation, Verdict.UNKNOWN_PRODUCT, None)
        return _with_verdict(explanation, self._judge(item), self._describe_one(item))

    def _judge(self, item: int) -> Verdict:
        if item in self.positions:
            return Verdict.SHOWN
        if self.removed[item] != ExclusionRule.NONE:
            return Verdict.REMOVED
        index = self.left.find(item)
        if index is None:
            return Verdict.NOT_PROPOSED
        pinned = self.left.ranked.pins.values()
        shown = [self.left.find(each) for each in self.positions if each not in pinned]
        lowest = max((each for each in shown if each is not None), default=-1)
        return Verdict.HELD_BACK if index < lowest else Verdict.RANKED_LOWER

    def _describe_one(self, item: int) -> ProductExplanation:
        for choice in (self.left, self.every):
            index = choice.find(item)
            if index is not None:
                return self._describe(choice, np.array([index]))[0]
        items, effects = np.array([item]), self.recommender.rule_effects(self.request)
        ranker = self.recommender.ranker
        alone = order_each([items], [items], [self.context], [effects], [{}], ranker)[0]
        return self._describe(_Choice(alone, {}), np.array([0]))[0]

    def _describe(self, choice: _Choice, indices: Items) -> tuple[ProductExplanation, ...]:
        """Describe the candidates at some indices of an order."""
        if len(indices) == 0:
            return ()
        ranker, chosen = self.recommender.ranker, choice.ranked.at(indices)
        (slots,) = slots_of_each([chosen], [self.context], ranker)
        scores = ranker.score(chosen.rows, chosen.bought)
        losses = ranker.find_losses(chosen.rows, chosen.bought, scores).T
        described = []
        for row, slot in enumerate(slots):
            is_left = choice is self.left
            described.append(
                ProductExplanation(
                    slot.item,
                    rank=int(indices[row]) + 1 if is_left else None,
                    position=self.positions.get(slot.item),
                    score=slot.score,
                    proposed_by=choice.proposers(slot.item),
                    shown_as=slot.source,
                    reason=slot.reason,
                    bought=bool(chosen.bought[row]),
                    without_source=_name_finite(ranker.speaking, losses[row].tolist()),
                    features=_name_finite(ranker.columns, chosen.rows[row].tolist()),
                    removed_by=ExclusionRule(int(self.removed[slot.item])),
                    shop_rules=self.bearing.on(slot.item),
                )
            )
        return tuple(described)


def _name_finite(names: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    named = zip(names, values, strict=True)
    return {name: value for name, value in named if np.isfinite(value)}
