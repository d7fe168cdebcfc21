"""A slate in the making: what stands in it, what the shop pins, and how much is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np

from models.assembly.diversity import Likeness, diversify
from models.assembly.popular import Bestsellers
from models.data.catalogue import Catalogue
from models.ranking.reasons import (
    ALSO_BOUGHT,
    ALSO_VIEWED,
    CHOSEN_BY_SHOP,
    SIMILAR_TO,
    ReasonTemplate,
)
from models.rules.eligibility import Removed, find_allowed
from models.rules.rule_effects import RuleEffects, insert_pinned
from models.slate import (
    ScoreKind,
    Slate,
    SlateRequest,
    Slot,
    Source,
    Strategy,
    fallback_reason_of,
)
from models.sources.similar_products import Evidence, SimilarRow
from models.trees import probability

SHOWN_FOR: Final[Mapping[int, tuple[Source, ReasonTemplate]]] = {
    Evidence.ATTRIBUTES: (Source.SIMILAR, SIMILAR_TO),
    Evidence.VIEWS: (Source.SIMILAR, ALSO_VIEWED),
    Evidence.PURCHASES: (Source.NEIGHBOURS, ALSO_BOUGHT),
}


@dataclass(eq=False)
class SlateDraft:
    """Slots of one slate. Those in `rest` keep their order around the pinned ones."""

    request: SlateRequest
    effects: RuleEffects
    removed: Removed
    likeness: Likeness
    pinned: dict[int, Slot]  # by position from 0
    rest: list[Slot] = field(default_factory=list)

    @classmethod
    def start(
        cls,
        request: SlateRequest,
        effects: RuleEffects,
        removed: Removed,
        likeness: Likeness,
        score_of: Callable[[int], float],
    ) -> Self:
        """Return a draft of what the shop pins alone, with the scores of its slate."""
        pinned = {
            position: Slot(item, score_of(item), Source.PINNED, CHOSEN_BY_SHOP)
            for position, item in effects.pinned_positions(removed, request.n).items()
        }
        return cls(request, effects, removed, likeness, pinned)

    @property
    def missing(self) -> int:
        return self.request.n - len(self.rest) - len(self.pinned)

    def choose(self, items: Sequence[int]) -> list[int]:
        """Return the indices of the first items that have room beside the slots of the draft."""
        shown = [slot.item for slot in (*self.rest, *self.pinned.values())]
        before = self.rest[-1].item if self.rest else None
        n, caps = self.request.n, self.effects.caps
        return diversify(items, n, self.likeness, shown, caps, before)

    def add_bestsellers(self, bestsellers: Bestsellers, source: Source) -> None:
        """Add what sells best until nothing is missing or nothing else may be shown."""
        for block in bestsellers.blocks:
            if self.missing > 0:
                allowed = block[find_allowed(self.removed[block])]
                chosen = allowed[self.choose(allowed.tolist())]
                self.rest += bestsellers.slots(chosen.tolist(), source)

    def add_similar(self, item: int, row: SimilarRow, catalogue: Catalogue) -> None:
        """Add what is most similar to an item, in the order of its odds times the shop's boosts.

        The score is what it is without boosts, and for what makes room for another kind at most
        that of what stands before it.
        """
        allowed = find_allowed(self.removed[row.item])
        others, evidence = row.item[allowed], row.evidence[allowed]
        log_odds = row.log_odds[allowed] + self.effects.log_odds[others]
        order = np.lexsort((others, -log_odds))
        chosen = order[self.choose(others[order].tolist())]
        falling = np.minimum.accumulate(log_odds[chosen]) - self.effects.log_odds[others[chosen]]
        scores = probability(falling)
        kinds = evidence[chosen].tolist()
        reason_of = {kind: SHOWN_FOR[kind][1].about(catalogue, item) for kind in {*kinds}}
        for other, score, kind in zip(others[chosen].tolist(), scores.tolist(), kinds, strict=True):
            self.rest.append(Slot(other, score, SHOWN_FOR[kind][0], reason_of[kind]))

    def finish(self, strategy: Strategy, score_kind: ScoreKind) -> Slate:
        slots = tuple(insert_pinned(self.rest, self.pinned))
        return Slate(strategy, fallback_reason_of(slots), slots, score_kind)
