"""The ranker's lesson: what customers bought after earlier moments, told from what was known at those moments."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from models.data.events import PURCHASE
from models.model import LearnedRanker
from models.ranking.features import FEATURES
from models.ranking.ranker import Ranker
from models.recommender import Recommender
from models.rules.filters import Repeat
from models.settings import ModelSettings, RankerSettings
from models.slate import SlateRequest
from models.trees import Trees
from training.evaluation.split import MIN_CUSTOMERS, hide_current_catalogue
from training.fitting.counts import select_lines
from training.fitting.fit import fit
from training.parallel import Input, Output, RecommenderWork, map_with_recommender
from training.progress import Advance, Reporter
from training.publishing import write_twin
from training.ranker import basket_examples
from training.ranker.basket_examples import BasketExample, BasketRows, draw_basket_examples
from training.ranker.boosting import fit_trees
from training.ranker.windows import Example, Window, draw_examples, place_windows
from training.reading.purchases import Purchases

CHUNK: Final = 64  # examples a worker takes at a time
MIN_HITS: Final = 500  # purchases of candidates, for trees to tell something
VALIDATION_SHARE: Final = 0.1  # of the customers, that are not learned from: they tell when to stop
MAX_PRICE_RATIO: Final = 10.0  # times the usual price, above which a purchase weighs no more


class LeakError(Exception):
    """A window was about to be shown what came after it."""


@dataclass(frozen=True, eq=False)
class RankerRows:
    """r candidates of examples."""

    values: NDArray[np.float32]  # (r, FEATURES)
    bought: NDArray[np.bool_]  # (r,) before
    hit: NDArray[np.bool_]  # (r,) bought within the horizon
    weight: NDArray[np.float32]  # (r,) how many rows it stands for
    user: NDArray[np.int32]  # (r,)


@dataclass(frozen=True, eq=False)
class RankerTraining:
    """A lesson and how it came about. Without one, `note` says why the blend serves alone."""

    lesson: LearnedRanker
    windows: tuple[Window, ...] = ()
    examples: int = 0
    rows: int = 0
    importance: dict[str, float] | None = None  # feature -> share of the gain of all splits
    note: str | None = None


def train_ranker(
    purchases: Purchases, settings: ModelSettings, reporter: Reporter, *, processes: int
) -> RankerTraining:
    """Learn from the windows of a history; nothing that came after a window is known in it."""
    sold = purchases.time[
        purchases.kind == PURCHASE
    ]  # days on which nothing but visits was told teach nothing
    found = place_windows(int(sold.min()), int(sold.max()) + 1, settings.ranker)
    asked = [draw_examples(purchases, window, settings.seed) for window in found]
    if not any(asked):
        why = (
            "the history is too short for windows to learn from"
            if settings.ranker.windows
            else "no windows are set"
        )
        return RankerTraining(LearnedRanker.none(), note=f"The blend ranks alone: {why}.")
    chosen = _chosen(asked, settings)
    parts: list[RankerRows] = []
    baskets: list[BasketRows] = []
    for number, (window, part) in enumerate(zip(found, chosen, strict=True), start=1):
        name = f"Window {number} of {len(found)}"
        with fit_before(purchases, window, settings, reporter, name=name) as directory:
            with reporter.step(f"{name}: slates") as advance:
                parts += _spread(
                    directory,
                    partial(build_ranker_rows, window, settings),
                    part,
                    processes,
                    advance,
                )
            if number == 1:  # the newest orders tell enough about what belongs together
                hidden = draw_basket_examples(
                    purchases, window, settings.bundles.questions, settings.seed
                )
                with reporter.step(f"{name}: baskets") as advance:
                    baskets += _spread(
                        directory,
                        partial(build_window_basket_rows, window),
                        hidden,
                        processes,
                        advance,
                    )
    rows = RankerRows(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in RankerRows.__dataclass_fields__
        )
    )
    hits, customers = int(rows.hit.sum()), len(np.unique(rows.user))
    if hits < MIN_HITS or customers < MIN_CUSTOMERS:
        few = f"{hits} hits of {customers} customers are too few to learn from"
        return RankerTraining(LearnedRanker.none(), note=f"The blend ranks alone: {few}.")
    with reporter.step("Ranker") as advance:
        lesson, importance = _learned(rows, settings, advance)
    with reporter.step("Basket ranker") as advance:
        trees = basket_examples.train_basket_ranker(
            BasketRows.of(baskets), settings.bundles, seed=settings.seed, on_progress=advance
        )
    lesson = replace(lesson, baskets=trees.trees)
    return RankerTraining(lesson, tuple(found), sum(map(len, chosen)), len(rows.hit), importance)


@contextmanager
def fit_before(
    purchases: Purchases, window: Window, settings: ModelSettings, reporter: Reporter, *, name: str
) -> Iterator[Path]:
    """An artifact of what was known before the window, as long as it is asked."""
    past = hide_current_catalogue(select_lines(purchases, purchases.time < window.until))
    with tempfile.TemporaryDirectory(prefix="regulars-window-") as folder:
        yield write_twin(Path(folder), fit(past, settings, reporter, name=name), past, settings)


def _spread(
    directory: Path,
    work: RecommenderWork[Input, Output],
    asked: Sequence[Input],
    processes: int,
    advance: Advance,
) -> list[Output]:
    parts = []
    for part in map_with_recommender(directory, work, asked, chunk=CHUNK, processes=processes):
        parts.append(part)
        advance(min(len(parts) * CHUNK, len(asked)), len(asked))
    return parts


def check_no_leak(window: Window, recommender: Recommender) -> None:
    """Raises LeakError where a model knows what came after the beginning of a window."""
    newest = recommender.manifest.data_as_of
    if newest >= window.until:
        raise LeakError(
            f"the fit knows lines until {newest}, and its window begins at {window.until}"
        )


def build_window_basket_rows(
    window: Window, recommender: Recommender, asked: Sequence[BasketExample]
) -> BasketRows:
    """The candidates of baskets in which a product is missing. Raises LeakError."""
    check_no_leak(window, recommender)
    return basket_examples.build_basket_rows(recommender, asked)


def build_ranker_rows(
    window: Window, settings: ModelSettings, recommender: Recommender, asked: Sequence[Example]
) -> RankerRows:
    """The candidates of some examples: all hits, and a seeded share of the rest. Raises LeakError."""
    check_no_leak(window, recommender)
    ranker = settings.ranker
    share = np.array([ranker.new_share, ranker.bought_share])
    parts: list[tuple[NDArray[Any], ...]] = []
    for example in asked:
        request = SlateRequest(as_of=example.as_of, repeat=Repeat.INCLUDE)
        request = recommender.at_home(example.user, request)
        case = recommender.build_context(example.user, request)
        ranked = recommender.rank(case, recommender.find_removed(case, request))
        hit = np.isin(ranked.items, list(example.targets))
        chance = np.random.default_rng([settings.seed, example.user, example.as_of]).random(
            len(hit)
        )
        part = share[ranked.bought.astype(np.intp)]
        kept = hit | (chance < part)
        weight = np.where(hit, _worth(recommender, ranked.items, ranker), 1 / part)[kept]
        user = np.full(len(weight), example.user, np.int32)
        parts.append(
            (ranked.rows[kept], ranked.bought[kept], hit[kept], weight.astype(np.float32), user)
        )
    return RankerRows(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _worth(
    recommender: Recommender, items: NDArray[np.int64], settings: RankerSettings
) -> NDArray[np.float32]:
    """What a purchase of each item counts."""
    if settings.objective == "purchases":
        return np.ones(len(items), np.float32)
    price = np.exp(np.nan_to_num(recommender.model.traits.log_price[items]))
    return np.clip(price, 1 / MAX_PRICE_RATIO, MAX_PRICE_RATIO).astype(np.float32)


def _chosen(asked: list[list[Example]], settings: ModelSettings) -> list[list[Example]]:
    """At most as many examples as are allowed, by lot, in their order."""
    total = sum(map(len, asked))
    if total <= settings.ranker.customers:
        return asked
    drawn = np.zeros(total, np.bool_)
    drawn[
        np.random.default_rng(settings.seed).choice(total, settings.ranker.customers, replace=False)
    ] = True
    ends = np.cumsum([len(part) for part in asked])[:-1]
    return [
        [example for example, kept in zip(part, keep.tolist(), strict=True) if kept]
        for part, keep in zip(asked, np.split(drawn, ends), strict=True)
    ]


def _learned(
    rows: RankerRows, settings: ModelSettings, advance: Advance
) -> tuple[LearnedRanker, dict[str, float]]:
    plain = Ranker(settings.blend, LearnedRanker.none())
    blend = plain.blend(rows.values, rows.bought)
    fitted = [
        fit_logistic(blend[kind], rows.hit[kind], rows.weight[kind])
        for kind in (~rows.bought, rows.bought)
    ]
    slope, level = np.array(fitted, np.float32).T
    start = Ranker(settings.blend, LearnedRanker(slope, level, Trees.none())).start(
        rows.values, rows.bought
    )
    users = np.unique(rows.user)
    random = np.random.default_rng(settings.seed)
    checked = np.isin(
        rows.user, random.choice(users, ceil(VALIDATION_SHARE * len(users)), replace=False)
    )
    boosted = fit_trees(
        rows.values,
        rows.hit,
        rows.weight,
        settings.ranker.trees,
        names=FEATURES,
        seed=settings.seed,
        start=start,
        checked=checked,
        on_progress=advance,
    )
    return LearnedRanker(slope, level, boosted.trees), boosted.importance


def fit_logistic(
    scores: NDArray[np.float32], hit: NDArray[np.bool_], weight: NDArray[np.float32]
) -> tuple[float, float]:
    """Slope and level that turn scores into log odds; where all or none are hits, a slope of 1.

    They are the likeliest had there been two rows more, a width above the mean score and below it, each half a hit: so
    a shop in which the scores tell every hit does not make them certain.
    """
    if len(scores) == 0:
        return 1.0, 0.0
    middle, width = scores.mean(dtype=np.float64), scores.std(dtype=np.float64) or 1.0
    if hit.all() or not hit.any():
        odds = (weight @ hit + 0.5) / (weight @ ~hit + 0.5)
        return 1.0, float(np.log(odds) - middle)
    inputs = np.stack(
        [np.append((scores - middle) / width, [-1, 1]), np.ones(len(scores) + 2)], axis=1
    )
    hits, share = np.append(hit, [0.5, 0.5]), np.append(weight, [1, 1])
    share = share / share.sum(dtype=np.float64)

    def loss(found: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        # Σ weight · (ln(1 + e^odds) - hit · odds), and its gradient
        odds = inputs @ found
        return float(share @ (np.logaddexp(0, odds) - hits * odds)), inputs.T @ (
            share * (expit(odds) - hits)
        )

    slope, level = minimize(loss, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-10}).x
    return float(slope / width), float(level - slope * middle / width)
