"""One row of numbers for each candidate, by the same function in training, export and service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.data.ragged import RowGroups, is_among
from models.ranking.context import RankingContext
from models.ranking.customer_profile import CATEGORY_FEATURES, CUSTOMER_FEATURES, NEVER_DAYS
from models.ranking.product_trends import PRODUCT_FEATURES
from models.ranking.sources import CandidateSource

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]
Items = NDArray[np.int64]

# The columns; docs/ranking.md says what each one means. The blend reads the first ones, the learned
# ranker all. The trees of every artifact know them by their order.
BLENDED: Final = (
    "constant",
    "affinity",
    "neighbours",
    "basket",
    "recent_sales",
    "all_sales",
    "own_long",
    "own_short",
    "repeat_rate",
    "overdue",
)
OWN: Final = (
    "bought",
    "own_lines",
    "own_middle",
    "days_since",
    "intervals_passed",
    "interval_days",
    "visits_since",
    "visit_share",
    "days_since_first",
)
TIES: Final = (
    "together",
    "affinity_share",
    "neighbours_share",
    *CATEGORY_FEATURES,
    "brand_share",
    "dearer",
    "dearer_in_category",
    "lag_days",
)
PRODUCT: Final = tuple(name for name in PRODUCT_FEATURES if name not in BLENDED)
FEATURES: Final = (*BLENDED, *OWN, *TIES, *CUSTOMER_FEATURES, *PRODUCT)
MAX_INTERVALS: Final = 99.0
MIN_SCORE: Final = 1e-9  # so that shares of the highest score are numbers
# Of a share: many customers at once are scored in another order of sums than one, and a tree must
# not tell the last digits of 1 from each other
SHARE_STEPS: Final = np.float32(4096)
SMOOTHING_DAYS: Final = 2  # so that the shortest intervals are not overdue the next day


def _columns(*names: str) -> slice:
    """Return where these features stand, one after another."""
    first = FEATURES.index(names[0])
    if FEATURES[first : first + len(names)] != names:
        raise ValueError(f"{names} do not stand side by side")
    return slice(first, first + len(names))


CONSTANT: Final = FEATURES.index("constant")
LAG_DAYS: Final = FEATURES.index("lag_days")
SCORES: Final = _columns("affinity", "neighbours", "basket")
TOGETHER: Final = _columns("together")
SHARES: Final = _columns("affinity_share", "neighbours_share")
OF_PRODUCTS: Final = (_columns(*PRODUCT_FEATURES[:2]), _columns(*PRODUCT_FEATURES[2:]))
OF_CUSTOMERS: Final = _columns(*CUSTOMER_FEATURES)
OF_CATEGORIES: Final = _columns(*CATEGORY_FEATURES)
BRAND: Final = _columns("brand_share")
DEARER: Final = _columns("dearer", "dearer_in_category")
# Features from the customer's own purchases of a product, as they are for one never bought
HABITS: Final = {
    "own_long": 0,
    "own_short": 0,
    "repeat_rate": 0,
    "overdue": 0,
    "bought": 0,
    "own_lines": 0,
    "own_middle": 0,
    "days_since": NEVER_DAYS,
    "intervals_passed": MAX_INTERVALS,
    "interval_days": NEVER_DAYS,
    "visits_since": NEVER_DAYS,
    "visit_share": 0,
    "days_since_first": NEVER_DAYS,
}
OF_HABITS: Final = _columns(*HABITS)
NO_HABIT: Final = np.array(list(HABITS.values()), np.float32)[:, None]


class FeatureRows(NamedTuple):
    """Hold the features of candidates."""

    values: Floats  # (c, columns)
    bought: Bools  # (c,) before


def columns_of(sources: Sequence[CandidateSource]) -> tuple[str, ...]:
    """Return the names of the columns: FEATURES, then those that sources add."""
    own: list[str] = []
    for source in sources:
        own += [feature.name for feature in source.own_features]
    return (*FEATURES, *own)


def build_rows(
    items: Items, context: RankingContext, sources: Sequence[CandidateSource]
) -> FeatureRows:
    """Build the rows of one customer's candidates, which are sorted."""
    return build_rows_each(items, RowGroups.of([len(items)]), [context], sources)


def build_rows_each(
    items: Items,
    groups: RowGroups,
    contexts: Sequence[RankingContext],
    sources: Sequence[CandidateSource],
) -> FeatureRows:
    """Build the rows of m customers' candidates, one customer's after another's."""
    columns = np.zeros((len(columns_of(sources)), len(items)), np.float32)
    columns[CONSTANT] = 1
    columns[LAG_DAYS] = np.array([context.lag_days for context in contexts])[groups.owner]
    _set_scores(columns, items, groups, contexts)
    _set_products(columns, items, groups, contexts)
    _set_customers(columns, items, groups, contexts)
    bought = _set_habits(columns, items, groups, contexts)
    _set_own_features(columns, items, groups, contexts, sources)
    return FeatureRows(columns.T, bought)


def _joined(parts: Sequence[NDArray[Any]], axis: int = 0) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis)


def _set_scores(
    columns: Floats, items: Items, groups: RowGroups, contexts: Sequence[RankingContext]
) -> None:
    """Set what was learned about the candidates, and its share of the customer's highest score."""
    parts, highest = [], []
    for context, span in zip(contexts, groups.slices, strict=True):
        learned, own = context.scores, items[span]
        scores = (learned.affinity, learned.neighbours, learned.basket, learned.together)
        parts.append(np.array([source.of(own) for source in scores]))
        highest.append([max(source.highest, MIN_SCORE) for source in scores[:2]])
    values = _joined(parts, axis=1)
    scales = contexts[0].settings.scales
    scale = np.array([scales.affinity, scales.neighbours, scales.basket, scales.basket], np.float32)
    logs = np.log1p(values / scale[:, None])
    columns[SCORES], columns[TOGETHER] = logs[:3], logs[3:]
    shares = values[:2] / np.array(highest, np.float32)[groups.owner].T
    columns[SHARES] = np.rint(shares * SHARE_STEPS) / SHARE_STEPS


def _set_products(
    columns: Floats, items: Items, groups: RowGroups, contexts: Sequence[RankingContext]
) -> None:
    parts = []
    for context, span in zip(contexts, groups.slices, strict=True):
        parts.append(context.trends.columns.T[items[span]])
    products = _joined(parts).T
    columns[OF_PRODUCTS[0]], columns[OF_PRODUCTS[1]] = products[:2], products[2:]


def _set_customers(
    columns: Floats, items: Items, groups: RowGroups, contexts: Sequence[RankingContext]
) -> None:
    """Set habits, and how the candidates' categories, brands and prices compare with them."""
    owner, model = groups.owner, contexts[0].model
    traits, category = model.traits, model.traits.category[items]
    profiles = [context.profile for context in contexts]
    columns[OF_CUSTOMERS] = np.array([profile.customer for profile in profiles])[owner].T
    by_category = np.array([profile.by_category for profile in profiles])
    columns[OF_CATEGORIES] = by_category[owner, :, category].T
    brands = np.array([profile.brands for profile in profiles])
    columns[BRAND] = brands[owner, model.catalogue.brand[items]]
    usual = np.array([(one.price, one.price_in_category) for one in profiles], np.float32)
    prices = np.array([traits.log_price[items], traits.price_in_category[items]])
    dearer = prices - usual[owner].T
    columns[DEARER] = np.where(np.isnan(dearer), 0, dearer)


def _set_habits(
    columns: Floats, items: Items, groups: RowGroups, contexts: Sequence[RankingContext]
) -> Bools:
    """Set what the customer's own purchases tell; return which candidates were bought: (c,)."""
    pairs_each = [context.pairs for context in contexts]
    clocks_each = [context.clocks for context in contexts]
    profiles = [context.profile for context in contexts]
    settings, repeats = contexts[0].settings, contexts[0].model.repeats

    pair_groups = RowGroups.of(map(len, pairs_each))
    candidates, pair_item = groups.keys(items), _gather(pairs_each, "item")
    pair_keys = pair_groups.keys(pair_item)
    owned = np.flatnonzero(_gather(pairs_each, "owned") & is_among(pair_keys, candidates))
    index = candidates.searchsorted(pair_keys[owned])
    bought = np.zeros(len(items), np.bool_)
    bought[index] = True

    lines = _gather(pairs_each, "lines")[owned]
    since = _gather(clocks_each, "since")[owned]
    interval = _gather(clocks_each, "interval")[owned]
    # ln of how many intervals have passed, once more than one has: the customer may have left it
    passed = (since + SMOOTHING_DAYS) / (interval + SMOOTHING_DAYS)
    overdue = np.log(np.maximum(passed, 1))
    long, short = _gather(pairs_each, "long")[owned], _gather(pairs_each, "short")[owned]
    habits = {
        "own_long": np.log1p(long / np.float32(settings.scales.own_long)),
        "own_short": np.log1p(short / np.float32(settings.scales.own_short)),
        "repeat_rate": np.log(repeats.rate[pair_item[owned]] + np.float32(1e-3)),
        "overdue": np.where(lines >= settings.repeats.overdue_purchases, overdue, 0),
        "bought": np.ones(len(owned), np.float32),
        "own_lines": lines,
        "own_middle": _gather(pairs_each, "middle")[owned],
        "days_since": since,
        "intervals_passed": np.minimum(_gather(clocks_each, "passed")[owned], MAX_INTERVALS),
        "interval_days": np.minimum(interval, NEVER_DAYS),
        "visits_since": _gather(profiles, "visits_since")[owned],
        "visit_share": _gather(profiles, "visit_share")[owned],
        "days_since_first": _gather(clocks_each, "since_first")[owned],
    }
    columns[OF_HABITS] = NO_HABIT
    columns[OF_HABITS, index] = [habits[name] for name in HABITS]
    return bought


def _gather(parts: Sequence[Any], name: str) -> NDArray[Any]:
    """Return one array of m customers' parts, one customer's after another's."""
    return _joined([getattr(part, name) for part in parts])


def _set_own_features(
    columns: Floats,
    items: Items,
    groups: RowGroups,
    contexts: Sequence[RankingContext],
    sources: Sequence[CandidateSource],
) -> None:
    """Set the columns that sources add."""
    first = len(FEATURES)
    for source in sources:
        if not source.own_features:
            continue
        own = slice(first, first + len(source.own_features))
        for context, span in zip(contexts, groups.slices, strict=True):
            columns[own, span] = source.own_values(items[span], context)
        first = own.stop
