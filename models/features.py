"""One row of numbers a candidate: the same function for training, export and service."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.case import Case
from models.demand import PRODUCT_FEATURES
from models.history import NEVER
from models.model import Model
from models.profile import CUSTOMER_FEATURES, NEVER_DAYS, Profile
from models.settings import ModelSettings

Floats = NDArray[np.float32]

# The columns; docs/ranking.md says what each one means. The blend reads the first ones, the learned ranker all.
BLENDED: Final = (
    *("constant", "affinity", "neighbours", "basket", "recent_sales", "all_sales"),
    *("own_long", "own_short", "repeat_rate", "overdue"),
)
OWN: Final = (
    *("bought", "own_lines", "own_middle", "days_since", "intervals_passed", "interval_days"),
    *("visits_since", "visit_share", "days_since_first"),
)
TIES: Final = (
    *("together", "affinity_share", "neighbours_share"),
    *("category_share", "category_recent", "category_lines", "category_days", "brand_share"),
    *("dearer", "dearer_in_category", "lag_days"),
)
PRODUCT: Final = tuple(name for name in PRODUCT_FEATURES if name not in BLENDED)
FEATURES: Final = (*BLENDED, *OWN, *TIES, *CUSTOMER_FEATURES, *PRODUCT)
MOST_INTERVALS: Final = 99.0


def features(
    items: NDArray[np.int64], case: Case, model: Model, settings: ModelSettings
) -> tuple[Floats, NDArray[np.bool_]]:
    """Rows of candidates (sorted items): float32 (c, FEATURES), and which were bought before: bool (c,)."""
    rows = np.zeros((len(FEATURES), len(items)), np.float32)
    columns = dict(zip(FEATURES, rows, strict=True))
    columns["constant"][:] = 1
    scales, evidence = settings.scales, case.evidence
    for name, values, scale in (
        ("affinity", evidence.affinity, scales.affinity),
        ("neighbours", evidence.neighbours, scales.neighbours),
        ("basket", evidence.basket, scales.basket),
        ("together", evidence.together, scales.basket),
    ):
        np.log1p(values[items] / np.float32(scale), out=columns[name])
    for name, values in zip(PRODUCT_FEATURES, case.demand.columns[:, items], strict=True):
        columns[name][:] = values
    for name, value in zip(CUSTOMER_FEATURES, case.profile.customer, strict=True):
        columns[name][:] = value
    columns["affinity_share"][:] = evidence.affinity[items] / max(float(evidence.affinity.max(initial=0)), 1e-9)
    columns["neighbours_share"][:] = evidence.neighbours[items] / max(float(evidence.neighbours.max(initial=0)), 1e-9)
    columns["lag_days"][:] = case.lag_days
    _known_aisles(columns, items, case.profile, model)
    bought = _habits(columns, items, case, model, settings)
    return rows.T, bought


def _known_aisles(columns: dict[str, Floats], items: NDArray[np.int64], profile: Profile, model: Model) -> None:
    """How the candidates' categories, brands and prices compare with what the customer buys."""
    traits = model.traits
    category, brand = traits.category[items], model.catalogue.brand[items]
    # What has no category or brand looks up what is appended.
    for name, values, unknown in (
        ("category_share", profile.category_share, 0),
        ("category_recent", profile.category_recent, 0),
        ("category_lines", profile.category_lines, 0),
        ("category_days", profile.category_days, NEVER_DAYS),
    ):
        columns[name][:] = np.append(values, np.float32(unknown))[category]
    columns["brand_share"][:] = np.append(profile.brand_share, np.float32(0))[brand]
    columns["dearer"][:] = np.nan_to_num(traits.log_price[items] - np.float32(profile.price))
    in_category = traits.price_in_category[items] - np.float32(profile.price_in_category)
    columns["dearer_in_category"][:] = np.nan_to_num(in_category)


def _habits(
    columns: dict[str, Floats], items: NDArray[np.int64], case: Case, model: Model, settings: ModelSettings
) -> NDArray[np.bool_]:
    """What the customer's own purchases of the candidates say; which candidates those are: bool (c,)."""
    pairs, clocks, profile = case.pairs, case.clocks, case.profile
    bought = np.zeros(len(items), np.bool_)
    owned = np.flatnonzero(pairs.last != NEVER)
    place = np.searchsorted(items, pairs.item[owned])
    here = place < len(items)
    here[here] = items[place[here]] == pairs.item[owned[here]]
    owned, place = owned[here], place[here]
    bought[place] = True
    scales = settings.scales
    # ln of how many intervals have passed, once more than one has: the customer may have left it behind.
    since, interval = clocks.since[owned] + 2, clocks.interval[owned] + 2
    trusted = pairs.lines[owned] >= settings.repeats.overdue_purchases
    for name, values, never in (
        ("own_long", np.log1p(pairs.long[owned] / np.float32(scales.own_long)), 0),
        ("own_short", np.log1p(pairs.short[owned] / np.float32(scales.own_short)), 0),
        ("repeat_rate", np.log(model.repeats.rate[pairs.item[owned]] + np.float32(1e-3)), 0),
        ("overdue", np.where(trusted, np.log(np.maximum(since / interval, 1)), 0), 0),
        ("bought", np.ones(len(owned), np.float32), 0),
        ("own_lines", pairs.lines[owned], 0),
        ("own_middle", pairs.middle[owned], 0),
        ("days_since", clocks.since[owned], NEVER_DAYS),
        ("intervals_passed", np.minimum(clocks.passed[owned], MOST_INTERVALS), MOST_INTERVALS),
        ("interval_days", np.minimum(clocks.interval[owned], NEVER_DAYS), NEVER_DAYS),
        ("visits_since", profile.visits_since[owned], NEVER_DAYS),
        ("visit_share", profile.visit_share[owned], 0),
        ("days_since_first", clocks.since_first[owned], NEVER_DAYS),
    ):
        columns[name].fill(never)
        columns[name][place] = values
    return bought
