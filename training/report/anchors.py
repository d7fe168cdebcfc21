"""Draw products, and what would stand beside them in the shop, for a shopper's eyes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.events import PURCHASE
from models.recommender import NOBODY, Recommender
from models.slate import Bundle, SlateRequest
from training.config import EvaluationConfig
from training.evaluation.split import MIN_LINES
from training.reading.purchases import Purchases
from training.report.data import Anchor, ExampleUnit
from training.report.example_products import show_product, show_slots

ANCHORS: Final = 30
UNITS: Final = 3
# Of the products that sold, best first: where the thirds of the anchors come from
SHARES: Final = ((0.0, 0.05), (0.05, 0.3), (0.3, 1.0))


def draw_anchors(
    directory: Path, purchases: Purchases, settings: EvaluationConfig
) -> tuple[Anchor, ...]:
    """Draw best sellers, products that sell now and then, and rare ones, a third of each.

    `directory`: the version that serves, which has learned from the purchases.
    """
    recommender = Recommender.load(directory)
    items = draw_items(purchases, settings.seed)
    return tuple(_build_anchor(recommender, item, settings.k) for item in items.tolist())


def draw_items(purchases: Purchases, seed: int) -> NDArray[np.int64]:
    """Draw products that count, by lot within their third: best sellers first."""
    bought = purchases.item[purchases.kind == PURCHASE]
    lines = np.bincount(bought, minlength=len(purchases.product_ids))
    best_first = np.argsort(-lines, kind="stable")
    best_first = best_first[lines[best_first] >= MIN_LINES]
    random = np.random.default_rng(seed)
    drawn = []
    for begin, end in SHARES:
        third = best_first[int(begin * len(best_first)) : int(np.ceil(end * len(best_first)))]
        count = min(ANCHORS // len(SHARES), len(third))
        drawn.append(third[np.sort(random.choice(len(third), count, replace=False))])
    chosen = np.concatenate(drawn)
    return chosen[np.sort(np.unique(chosen, return_index=True)[1])]


def _build_anchor(recommender: Recommender, item: int, k: int) -> Anchor:
    request, visit = SlateRequest(n=k), SlateRequest(n=k, recent=(item,))
    context = recommender.build_context(NOBODY, visit)
    return Anchor(
        product=show_product(recommender, item),
        similar=show_slots(recommender, recommender.similar(item, request).slots),
        seen_next=show_slots(recommender, recommender.build_slate(context, visit).slots),
        units=tuple(
            _unit(recommender, bundle)
            for bundle in recommender.bundles(item, SlateRequest(n=UNITS), size=3)
        ),
    )


def _unit(recommender: Recommender, bundle: Bundle) -> ExampleUnit:
    products = tuple(show_product(recommender, item) for item in (bundle.anchor, *bundle.items))
    # Figures are unknown of the shop's own units alone, which no report holds
    figures = bundle.support or 0, bundle.rule_confidence or 0.0, bundle.lift or 0.0
    return ExampleUnit(products, *figures)
