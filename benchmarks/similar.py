"""How similar products are judged: learned before a cut, and asked after it.

Part of `python -m benchmarks.eye`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import StringIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.data.events import KINDS, PURCHASE
from models.recommender import Recommender
from models.rules.filters import Filters
from models.settings import ModelSettings
from models.slate import SlateRequest
from models.sources.similar_products import SimilarProducts
from training.fitting.fit import fit
from training.fitting.product_stats import fit_product_stats
from training.fitting.similar_products import fit_similar_products
from training.progress import Reporter
from training.publishing import build_manifest
from training.reading.purchases import Purchases

N: Final = 10
STRICT: Final = SlateRequest(n=N, strict=True)
VIEW: Final = KINDS.index("view")
VISIT_SECONDS: Final = 1_800
MIN_LINES: Final = 3  # purchase lines of a product that is asked about
ANCHORS: Final = 2_000
Items = NDArray[np.int64]


@dataclass(frozen=True)
class PairedMeans:
    """Hold means over the same products, and half of a 95 % interval of their difference."""

    ours: float
    other: float
    margin: float
    products: int


def learn(purchases: Purchases, settings: ModelSettings) -> Recommender:
    """Return what a shop with this history would serve, without a learned ranker."""
    model = fit(purchases, settings, Reporter(StringIO()), name="past")
    similar = fit_similar_products(purchases, model.traits, model.neighbours)
    model = replace(model, similar=similar)
    return Recommender(build_manifest(purchases, model, settings, {}, 0), model, settings)


def without_categories(shop: Recommender, purchases: Purchases) -> Recommender:
    """Return a shop that has learned the same, but knows no category of any product."""
    unknown = np.full(len(shop.catalogue), -1, np.int32)
    purchases = replace(purchases, catalogue=replace(purchases.catalogue, category=unknown))
    stats = fit_product_stats(purchases)
    similar = fit_similar_products(purchases, stats, shop.model.neighbours)
    catalogue = replace(shop.catalogue, category=unknown)
    model = replace(shop.model, catalogue=catalogue, traits=stats, similar=similar)
    return Recommender(shop.manifest, model, shop.settings)


def by_co_purchase(shop: Recommender) -> Recommender:
    """Return a shop whose similar products are what the same customers buy."""
    model = replace(shop.model, similar=SimilarProducts.none())
    return Recommender(shop.manifest, model, shop.settings)


def draw_products(purchases: Purchases, category: NDArray[np.int32], count: int) -> list[int]:
    """Draw sold products of a known category, seeded."""
    lines = np.bincount(purchases.item[purchases.kind == PURCHASE], minlength=len(category))
    usable = np.flatnonzero((lines >= MIN_LINES) & (category >= 0))
    random = np.random.default_rng(0)
    drawn: list[int] = random.permutation(usable)[:count].tolist()
    return drawn


def share_of_category(
    shop: Recommender, category: NDArray[np.int32], products: Sequence[int]
) -> float:
    """Return the share of products similar to one that are of its category (items,)."""
    shares = []
    for product in products:
        items = [slot.item for slot in shop.similar(product, STRICT).slots]
        if items:
            shares.append(float((category[items] == category[product]).mean()))
    return float(np.mean(shares))


def compare_with_co_purchase(
    shop: Recommender, future: Purchases, products: Sequence[int]
) -> PairedMeans:
    """Return how many later buyers of a product also buy the similar ones of its category.

    Held against the order by co-purchase, for as many products as that one has.
    """
    n_items, bought = len(shop.catalogue), future.kind == PURCHASE
    bought &= future.user >= 0
    cells = (future.item[bought], future.user[bought])
    buyers = csr_matrix((np.ones(len(cells[0])), cells), (n_items, len(future.customer_ids)))
    buyers.data[:] = 1
    other, family = by_co_purchase(shop), shop.model.traits.family
    means = []
    for product in products:
        later = buyers[product]
        name = shop.catalogue.category_names[shop.catalogue.category[product]]
        request = replace(STRICT, filters=Filters(category=name))
        reference = _at_most_two(
            [slot.item for slot in other.similar(product, request).slots], family
        )
        ours = [slot.item for slot in shop.similar(product, request).slots][: len(reference)]
        if later.nnz and reference and len(ours) == len(reference):
            shared = [(buyers[items] @ later.T).sum() for items in (ours, reference)]
            means.append([count / later.nnz / len(reference) for count in shared])
    values = np.array(means)
    margin = 1.96 * float((values[:, 0] - values[:, 1]).std()) / len(values) ** 0.5
    return PairedMeans(float(values[:, 0].mean()), float(values[:, 1].mean()), margin, len(values))


def _at_most_two(items: Sequence[int], family: NDArray[np.int32]) -> list[int]:
    """Return what is left where a third one of a family (items,) is not shown for want of more."""
    counts: Counter[int] = Counter()
    kept = []
    for item in items:
        code = int(family[item])
        counts[code] += 1
        if code < 0 or counts[code] <= 2:
            kept.append(item)
    return kept


def find_next_views(purchases: Purchases) -> tuple[Items, Items]:
    """Return every view of a product, and the next product looked at in the visit."""
    rows = np.flatnonzero((purchases.kind == VIEW) & (purchases.user >= 0))
    rows = rows[np.lexsort((purchases.time[rows], purchases.user[rows]))]
    user, item, time = purchases.user[rows], purchases.item[rows], purchases.time[rows]
    goes_on = (user[1:] == user[:-1]) & (np.diff(time) < VISIT_SECONDS)
    distinct = np.append(True, ~(goes_on & (item[1:] == item[:-1])))
    # Of views of one product in a row the first counts, but the visit goes on until the last
    visit = np.append(0, np.cumsum(~goes_on))[distinct]
    item, same = item[distinct], visit[1:] == visit[:-1]
    return item[:-1][same], item[1:][same]


def share_of_next_views(shop: Recommender, future: Purchases) -> tuple[float, int]:
    """Return the share of later views whose next one is among the ten, and their number.

    What fills the ten counts, as a shopper sees it.
    """
    item, following = find_next_views(future)
    request = SlateRequest(n=N)
    answers: dict[int, set[int]] = {}
    for product in np.unique(item).tolist():
        answers[product] = {slot.item for slot in shop.similar(product, request).slots}
    pairs = zip(item.tolist(), following.tolist(), strict=True)
    hits = [other in answers[product] for product, other in pairs]
    return float(np.mean(hits)), len(hits)
