"""Products like another product, as those who buy both show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.assembly.draft import SlateDraft
from models.data.catalogue import Catalogue
from models.ranking.reasons import ALSO_BOUGHT
from models.rules.eligibility import ExclusionRule, Removed, find_allowed
from models.slate import Slot, Source


def add_similar(
    draft: SlateDraft, catalogue: Catalogue, item: int, scores: NDArray[np.float32]
) -> None:
    """Add what is most similar to an item, by similarity (items,) times the shop's odds."""
    near = np.flatnonzero((scores > 0) & find_allowed(draft.removed))
    log_scores = np.log(scores[near], dtype=np.float64) + draft.effects.log_odds[near]
    near = near[np.argsort(-log_scores, kind="stable")]
    items = draft.cap_counter().take_first(near, draft.missing)
    reason = ALSO_BOUGHT.about(catalogue, item)
    draft.rest += [Slot(other, float(scores[other]), Source.NEIGHBOURS, reason) for other in items]


def remove_other_categories(removed: Removed, catalogue: Catalogue, item: int) -> None:
    """Remove, in place, what is not of the category of an item; nothing where that is unknown."""
    if catalogue.category[item] < 0:
        return
    elsewhere = catalogue.category != catalogue.category[item]
    removed[elsewhere & find_allowed(removed)] = ExclusionRule.OTHER_CATEGORY
