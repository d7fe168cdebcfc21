"""One row of numbers a candidate: the same function for training, export and service."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.case import Case
from models.demand import PRODUCT_FEATURES
from models.evidence import among
from models.model import Model
from models.profile import AISLES, CUSTOMER_FEATURES, NEVER_DAYS, Profile
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


def _rows(*names: str) -> slice:
    """Where these features stand, one after another."""
    first = FEATURES.index(names[0])
    if FEATURES[first : first + len(names)] != names:
        raise ValueError(f"{names} do not stand side by side")
    return slice(first, first + len(names))


SAID: Final = _rows("affinity", "neighbours", "basket")
TOGETHER: Final = _rows("together")
SHARES: Final = _rows("affinity_share", "neighbours_share")
OF_PRODUCTS: Final = (_rows(*PRODUCT_FEATURES[:2]), _rows(*PRODUCT_FEATURES[2:]))
OF_CUSTOMERS: Final = _rows(*CUSTOMER_FEATURES)
OF_AISLES: Final = _rows(*AISLES)
BRAND: Final = _rows("brand_share")
DEARER: Final = _rows("dearer", "dearer_in_category")
# What the customer's own purchases say of a product, and what holds of one that they never bought.
HABITS: Final = {
    "own_long": 0,
    "own_short": 0,
    "repeat_rate": 0,
    "overdue": 0,
    "bought": 0,
    "own_lines": 0,
    "own_middle": 0,
    "days_since": NEVER_DAYS,
    "intervals_passed": MOST_INTERVALS,
    "interval_days": NEVER_DAYS,
    "visits_since": NEVER_DAYS,
    "visit_share": 0,
    "days_since_first": NEVER_DAYS,
}
OF_HABITS: Final = _rows(*HABITS)
NO_HABIT: Final = np.array(list(HABITS.values()), np.float32)[:, None]


def features(
    items: NDArray[np.int64], case: Case, model: Model, settings: ModelSettings
) -> tuple[Floats, NDArray[np.bool_]]:
    """Rows of candidates (sorted items): float32 (c, FEATURES), and which were bought before: bool (c,)."""
    rows = np.zeros((len(FEATURES), len(items)), np.float32)
    rows[FEATURES.index("constant")] = 1
    rows[FEATURES.index("lag_days")] = case.lag_days
    evidence, scales = case.evidence, settings.scales
    sources = (evidence.affinity, evidence.neighbours, evidence.basket, evidence.together)
    said = np.array([source.of(items) for source in sources])
    scale = np.array([scales.affinity, scales.neighbours, scales.basket, scales.basket], np.float32)
    spoken = np.log1p(said / scale[:, None])
    rows[SAID], rows[TOGETHER] = spoken[:3], spoken[3:]
    rows[SHARES] = said[:2] / np.array([[max(source.highest, 1e-9)] for source in sources[:2]], np.float32)
    products = case.demand.columns.T[items].T
    rows[OF_PRODUCTS[0]], rows[OF_PRODUCTS[1]] = products[:2], products[2:]
    rows[OF_CUSTOMERS] = case.profile.customer[:, None]
    _known_aisles(rows, items, case.profile, model)
    return rows.T, _habits(rows, items, case, model, settings)


def _known_aisles(rows: Floats, items: NDArray[np.int64], profile: Profile, model: Model) -> None:
    """How the candidates' categories, brands and prices compare with what the customer buys."""
    traits = model.traits
    rows[OF_AISLES] = profile.aisles[:, traits.category[items]]
    rows[BRAND] = profile.brands[model.catalogue.brand[items]]
    dearer = np.array([traits.log_price[items], traits.price_in_category[items]])
    dearer -= np.array([[profile.price], [profile.price_in_category]], np.float32)
    rows[DEARER] = np.where(np.isnan(dearer), 0, dearer)


def _habits(
    rows: Floats, items: NDArray[np.int64], case: Case, model: Model, settings: ModelSettings
) -> NDArray[np.bool_]:
    """What the customer's own purchases of the candidates say; which candidates those are: bool (c,)."""
    pairs, clocks, profile, scales = case.pairs, case.clocks, case.profile, settings.scales
    owned = np.flatnonzero(pairs.owned & among(pairs.item, items))
    place = items.searchsorted(pairs.item[owned])
    bought = np.zeros(len(items), np.bool_)
    bought[place] = True
    # ln of how many intervals have passed, once more than one has: the customer may have left it behind.
    since, interval = clocks.since[owned] + 2, clocks.interval[owned] + 2
    trusted = pairs.lines[owned] >= settings.repeats.overdue_purchases
    habits = {
        "own_long": np.log1p(pairs.long[owned] / np.float32(scales.own_long)),
        "own_short": np.log1p(pairs.short[owned] / np.float32(scales.own_short)),
        "repeat_rate": np.log(model.repeats.rate[pairs.item[owned]] + np.float32(1e-3)),
        "overdue": np.where(trusted, np.log(np.maximum(since / interval, 1)), 0),
        "bought": np.ones(len(owned), np.float32),
        "own_lines": pairs.lines[owned],
        "own_middle": pairs.middle[owned],
        "days_since": clocks.since[owned],
        "intervals_passed": np.minimum(clocks.passed[owned], MOST_INTERVALS),
        "interval_days": np.minimum(clocks.interval[owned], NEVER_DAYS),
        "visits_since": profile.visits_since[owned],
        "visit_share": profile.visit_share[owned],
        "days_since_first": clocks.since_first[owned],
    }
    rows[OF_HABITS] = NO_HABIT
    rows[OF_HABITS, place] = [habits[name] for name in HABITS]
    return bought
