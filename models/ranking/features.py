"""One row of numbers a candidate: the same function for training, export and service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.data.ragged import RowGroups, is_among
from models.model import Model
from models.ranking.context import RankingContext
from models.ranking.customer_profile import AISLES, CUSTOMER_FEATURES, NEVER_DAYS, CustomerProfile
from models.ranking.product_trends import PRODUCT_FEATURES
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
    items: NDArray[np.int64], case: RankingContext, model: Model, settings: ModelSettings
) -> tuple[Floats, NDArray[np.bool_]]:
    """Rows of candidates (sorted items): float32 (c, FEATURES), and which were bought before: bool (c,)."""
    return features_each(items, RowGroups.of([len(items)]), [case], model, settings)


def features_each(
    items: NDArray[np.int64],
    of: RowGroups,
    cases: Sequence[RankingContext],
    model: Model,
    settings: ModelSettings,
) -> tuple[Floats, NDArray[np.bool_]]:
    """The same for m customers, whose candidates are `of`: what is computed at once is computed in less time."""
    rows = np.zeros((len(FEATURES), len(items)), np.float32)
    rows[FEATURES.index("constant")] = 1
    rows[FEATURES.index("lag_days")] = np.array([case.lag_days for case in cases])[of.owner]
    _said(rows, items, of, cases, settings)
    products = _joined(
        [case.demand.columns.T[items[span]] for case, span in zip(cases, of.slices, strict=True)]
    ).T
    rows[OF_PRODUCTS[0]], rows[OF_PRODUCTS[1]] = products[:2], products[2:]
    profiles = [case.profile for case in cases]
    rows[OF_CUSTOMERS] = np.array([profile.customer for profile in profiles])[of.owner].T
    _known_aisles(rows, items, of, profiles, model)
    return rows.T, _habits(rows, items, of, cases, model, settings)


def _joined(parts: Sequence[NDArray[Any]], axis: int = 0) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis)


def _said(
    rows: Floats,
    items: NDArray[np.int64],
    of: RowGroups,
    cases: Sequence[RankingContext],
    settings: ModelSettings,
) -> None:
    """What the sources say of the candidates, and how much that is of what they say of their best product."""
    told = [case.evidence for case in cases]
    sources = [(one.affinity, one.neighbours, one.basket, one.together) for one in told]
    spoken = zip(sources, of.slices, strict=True)
    said = _joined(
        [np.array([source.of(items[span]) for source in each]) for each, span in spoken], axis=1
    )
    scales = settings.scales
    scale = np.array([scales.affinity, scales.neighbours, scales.basket, scales.basket], np.float32)
    logs = np.log1p(said / scale[:, None])
    rows[SAID], rows[TOGETHER] = logs[:3], logs[3:]
    highest = np.array(
        [[max(source.highest, 1e-9) for source in each[:2]] for each in sources], np.float32
    )
    rows[SHARES] = said[:2] / highest[of.owner].T


def _known_aisles(
    rows: Floats,
    items: NDArray[np.int64],
    of: RowGroups,
    profiles: Sequence[CustomerProfile],
    model: Model,
) -> None:
    """How the candidates' categories, brands and prices compare with what the customer buys."""
    traits = model.traits
    rows[OF_AISLES] = np.array([profile.aisles for profile in profiles])[
        of.owner, :, traits.category[items]
    ].T
    rows[BRAND] = np.array([profile.brands for profile in profiles])[
        of.owner, model.catalogue.brand[items]
    ]
    usual = np.array(
        [(profile.price, profile.price_in_category) for profile in profiles], np.float32
    )
    dearer = (
        np.array([traits.log_price[items], traits.price_in_category[items]]) - usual[of.owner].T
    )
    rows[DEARER] = np.where(np.isnan(dearer), 0, dearer)


def _habits(
    rows: Floats,
    items: NDArray[np.int64],
    of: RowGroups,
    cases: Sequence[RankingContext],
    model: Model,
    settings: ModelSettings,
) -> NDArray[np.bool_]:
    """What the customer's own purchases of the candidates say; which candidates those are: bool (c,)."""
    pairs = _columns(
        [case.pairs for case in cases], "item", "owned", "lines", "long", "middle", "short"
    )
    clocks = _columns([case.clocks for case in cases], "since", "since_first", "interval", "passed")
    visits = _columns([case.profile for case in cases], "visits_since", "visit_share")
    keys, theirs = (
        of.keys(items),
        RowGroups.of(len(case.pairs) for case in cases).keys(pairs["item"]),
    )
    owned = np.flatnonzero(pairs["owned"] & is_among(theirs, keys))
    place = keys.searchsorted(theirs[owned])
    bought = np.zeros(len(items), np.bool_)
    bought[place] = True
    # Of what the customer owns alone.
    pairs, clocks, visits = (
        {name: column[owned] for name, column in one.items()} for one in (pairs, clocks, visits)
    )
    # ln of how many intervals have passed, once more than one has: the customer may have left it behind.
    overdue = np.log(np.maximum((clocks["since"] + 2) / (clocks["interval"] + 2), 1))
    trusted, scales = pairs["lines"] >= settings.repeats.overdue_purchases, settings.scales
    habits = {
        "own_long": np.log1p(pairs["long"] / np.float32(scales.own_long)),
        "own_short": np.log1p(pairs["short"] / np.float32(scales.own_short)),
        "repeat_rate": np.log(model.repeats.rate[pairs["item"]] + np.float32(1e-3)),
        "overdue": np.where(trusted, overdue, 0),
        "bought": np.ones(len(owned), np.float32),
        "own_lines": pairs["lines"],
        "own_middle": pairs["middle"],
        "days_since": clocks["since"],
        "intervals_passed": np.minimum(clocks["passed"], MOST_INTERVALS),
        "interval_days": np.minimum(clocks["interval"], NEVER_DAYS),
        "visits_since": visits["visits_since"],
        "visit_share": visits["visit_share"],
        "days_since_first": clocks["since_first"],
    }
    rows[OF_HABITS] = NO_HABIT
    rows[OF_HABITS, place] = [habits[name] for name in HABITS]
    return bought


def _columns(parts: Sequence[Any], *names: str) -> dict[str, NDArray[Any]]:
    """Some columns of m customers, one customer's after another's."""
    return {name: _joined([getattr(part, name) for part in parts]) for name in names}
