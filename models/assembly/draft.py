"""A slate in the making: what stands in it, what the shop pins, and how much is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.assembly.diversity import Likeness, diversify
from models.assembly.popular import Bestsellers
from models.data.catalogue import Catalogue
from models.ranking.reasons import ALSO_BOUGHT, CHOSEN_BY_SHOP
from models.rules.eligibility import Removed, find_allowed
from models.rules.rule_effects import RuleEffects, insert_pinned
from models.slate import Slate, SlateRequest, Slot, Source, Strategy, fallback_reason_of


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
        scores: NDArray[np.float32],
    ) -> Self:
        """Return a draft of what the shop pins alone, with the scores (items,) of its slate."""
        pinned = {
            position: Slot(item, float(scores[item]), Source.PINNED, CHOSEN_BY_SHOP)
            for position, item in effects.pinned_positions(removed, request.n).items()
        }
        return cls(request, effects, removed, likeness, pinned)

    @property
    def missing(self) -> int:
        return self.request.n - len(self.rest) - len(self.pinned)

    def choose(self, items: Sequence[int]) -> list[int]:
        """Return the first items for which there is room beside the slots of the draft."""
        shown = [slot.item for slot in (*self.rest, *self.pinned.values())]
        before = self.rest[-1].item if self.rest else None
        n, caps = self.request.n, self.effects.caps
        order = diversify(items, n, self.likeness, shown, caps, before)
        return [items[index] for index in order]

    def add_bestsellers(self, bestsellers: Bestsellers, source: Source) -> None:
        """Add what sells best until nothing is missing or nothing else may be shown."""
        for block in bestsellers.blocks:
            if self.missing > 0:
                allowed = block[find_allowed(self.removed[block])]
                self.rest += bestsellers.slots(self.choose(allowed.tolist()), source)

    def add_similar(self, item: int, scores: NDArray[np.float32], catalogue: Catalogue) -> None:
        """Add what is most similar to an item, by similarity (items,) times the shop's odds."""
        near = np.flatnonzero((scores > 0) & find_allowed(self.removed))
        log_scores = np.log(scores[near], dtype=np.float64) + self.effects.log_odds[near]
        near = near[np.argsort(-log_scores, kind="stable")]
        reason = ALSO_BOUGHT.about(catalogue, item)
        for other in self.choose(near.tolist()):
            self.rest.append(Slot(other, float(scores[other]), Source.NEIGHBOURS, reason))

    def finish(self, strategy: Strategy) -> Slate:
        slots = tuple(insert_pinned(self.rest, self.pinned))
        return Slate(strategy, fallback_reason_of(slots), slots)
