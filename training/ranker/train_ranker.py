"""Train the ranker on what customers bought after earlier moments, from what was known then."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from models.artifact.scratch import temporary_directory
from models.data.events import PURCHASE
from models.model import LearnedRanker
from models.ranking.features import BLENDED
from models.ranking.ranker import KINDS, NEW, Ranker, kind_of, weights_of
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
from training.ranker.boosting import BoostedTrees, TreeRows, fit_trees
from training.ranker.weights import Choices, learn_weights
from training.ranker.windows import (
    Example,
    Window,
    draw_examples,
    draw_visit_examples,
    place_windows,
)
from training.reading.purchases import Purchases

CHUNK: Final = 64  # examples a worker takes at a time
MIN_HITS: Final = 500  # purchases of candidates, for trees to learn anything
MIN_CANDIDATES: Final = 40  # new and bought before, of an example, that are learned from
VALIDATION_SHARE: Final = 0.1  # of the customers, on whom it is checked when to stop
MAX_PRICE_RATIO: Final = 10.0  # to the usual price, above which a purchase weighs no more


class LeakError(Exception):
    """A model knows what came after the beginning of a window."""


@dataclass(frozen=True, eq=False)
class RankerRows:
    """Hold r candidates of examples."""

    values: NDArray[np.float32]  # (r, columns)
    bought: NDArray[np.bool_]  # (r,) before
    hit: NDArray[np.bool_]  # (r,) bought within the horizon
    weight: NDArray[np.float32]  # (r,) how many rows it stands for
    user: NDArray[np.int32]  # (r,) -1 for visits
    example: NDArray[np.int32]  # (r,) its number among those of these rows

    @classmethod
    def concatenate(cls, parts: Sequence[RankerRows]) -> RankerRows:
        """Join the rows of one part or more, in their order; examples are numbered on."""
        ends = np.cumsum([part.example.max(initial=-1) + 1 for part in parts])
        return cls(
            values=np.concatenate([part.values for part in parts]),
            bought=np.concatenate([part.bought for part in parts]),
            hit=np.concatenate([part.hit for part in parts]),
            weight=np.concatenate([part.weight for part in parts]),
            user=np.concatenate([part.user for part in parts]),
            example=np.concatenate(
                [part.example + before for part, before in zip(parts, [0, *ends], strict=False)]
            ).astype(np.int32),
        )

    @property
    def customers(self) -> NDArray[np.int64]:
        """Return a number of each row's customer: (r,). Each visit is one of its own, below 0."""
        return np.where(self.user >= 0, self.user, -1 - self.example.astype(np.int64))


@dataclass(frozen=True, eq=False)
class RankerTraining:
    """Hold what was learned and from how much.

    Where it is nothing, `note` says why the blend serves alone.
    """

    lesson: LearnedRanker
    windows: tuple[Window, ...] = ()
    examples: int = 0
    rows: int = 0
    importance: dict[str, float] | None = None  # feature -> share of the gain of all splits
    note: str | None = None

    @classmethod
    def nothing(cls, reason: str) -> RankerTraining:
        """Return the result of a training that could not learn for this reason."""
        return cls(LearnedRanker.none(), note=f"The blend ranks alone: {reason}.")


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """Hold what the windows of a history yield to learn from."""

    slates: RankerRows
    baskets: BasketRows


def train_ranker(
    purchases: Purchases, settings: ModelSettings, reporter: Reporter, *, processes: int
) -> RankerTraining:
    """Learn from the windows of a history; nothing that came after a window is known in it."""
    # Days on which nothing but visits was reported teach nothing.
    first = int(purchases.time[purchases.kind == PURCHASE].min())
    windows = place_windows(first, purchases.shop_time + 1, settings.ranker)
    examples = [draw_examples(purchases, window, settings.seed) for window in windows]
    if not any(examples):
        too_short = "the history is too short for windows to learn from"
        return RankerTraining.nothing(
            too_short if settings.ranker.windows else "no windows are set"
        )
    examples = _sample(examples, settings)
    visits = settings.ranker.visits // len(windows)
    for window, of_window in zip(windows, examples, strict=True):
        of_window += draw_visit_examples(purchases, window, visits, settings.seed)
    rows = _collect_rows(
        purchases, list(zip(windows, examples, strict=True)), settings, reporter, processes
    )
    hits, customers = int(rows.slates.hit.sum()), len(np.unique(rows.slates.customers))
    if not hits:
        return RankerTraining.nothing("no candidate was bought")
    note = None
    with reporter.step("Blend"):
        blend = learn_blend(rows.slates, settings)
    if hits < MIN_HITS or customers < MIN_CUSTOMERS:
        note = f"No trees were learned: {hits} hits of {customers} customers are too few."
        trees = BoostedTrees(Trees.none(), {})
    else:
        with reporter.step("Trees") as advance:
            trees = _learn_trees(rows.slates, blend, settings, advance)
    # Few purchases teach trees what holds for these customers alone
    trust = hits / (hits + settings.ranker.trees_prior)
    with reporter.step("Basket ranker") as advance:
        baskets = basket_examples.train_basket_ranker(
            rows.baskets, settings.bundles, seed=settings.seed, on_progress=advance
        )
    return RankerTraining(
        replace(blend, trees=trees.trees.scaled(trust), baskets=baskets.trees),
        tuple(windows),
        examples=sum(map(len, examples)),
        rows=len(rows.slates.hit),
        importance=trees.importance,
        note=note,
    )


def _collect_rows(
    purchases: Purchases,
    examples: Sequence[tuple[Window, Sequence[Example]]],
    settings: ModelSettings,
    reporter: Reporter,
    processes: int,
) -> TrainingRows:
    """Fit a model before each window, and keep what it proposes for the window's examples."""
    slates: list[RankerRows] = []
    baskets: list[BasketRows] = []
    for number, (window, of_window) in enumerate(examples, start=1):
        name = f"Window {number} of {len(examples)}"
        with fit_before(purchases, window, settings, reporter, name=name) as directory:
            with reporter.step(f"{name}: slates") as advance:
                work = partial(build_ranker_rows, window, settings)
                slates += _work_on(directory, work, of_window, processes, advance)
            if number == 1:  # the newest orders tell enough about what belongs together
                hidden = draw_basket_examples(
                    purchases, window, settings.bundles.questions, settings.seed
                )
                with reporter.step(f"{name}: baskets") as advance:
                    basket_work = partial(build_window_basket_rows, window)
                    baskets += _work_on(directory, basket_work, hidden, processes, advance)
    return TrainingRows(RankerRows.concatenate(slates), BasketRows.concatenate(baskets))


@contextmanager
def fit_before(
    purchases: Purchases, window: Window, settings: ModelSettings, reporter: Reporter, *, name: str
) -> Iterator[Path]:
    """Write an artifact of what was known before the window, and remove it at the end."""
    past = hide_current_catalogue(select_lines(purchases, purchases.time < window.until))
    with temporary_directory() as folder:
        model = fit(past, settings, reporter, name=name)
        yield write_twin(folder / "twin", model, past, settings)


def _work_on(
    directory: Path,
    work: RecommenderWork[Input, Output],
    examples: Sequence[Input],
    processes: int,
    advance: Advance,
) -> list[Output]:
    parts = []
    for part in map_with_recommender(directory, work, examples, chunk=CHUNK, processes=processes):
        parts.append(part)
        advance(min(len(parts) * CHUNK, len(examples)), len(examples))
    return parts


def check_no_leak(window: Window, recommender: Recommender) -> None:
    """Raise LeakError where a model knows what came after the beginning of a window."""
    newest = recommender.manifest.data_as_of
    if newest >= window.until:
        raise LeakError(
            f"the fit knows lines until {newest}, and its window begins at {window.until}"
        )


def build_window_basket_rows(
    window: Window, recommender: Recommender, examples: Sequence[BasketExample]
) -> BasketRows:
    """Return the candidates of baskets in which a product is missing. Raises LeakError."""
    check_no_leak(window, recommender)
    return basket_examples.build_basket_rows(recommender, examples)


def build_ranker_rows(
    window: Window, settings: ModelSettings, recommender: Recommender, examples: Sequence[Example]
) -> RankerRows:
    """Return the candidates of some examples: all hits, and a seeded share of the rest.

    Raises LeakError.
    """
    check_no_leak(window, recommender)
    return RankerRows.concatenate(
        [_rows_of_example(settings, recommender, example) for example in examples]
    )


def _rows_of_example(
    settings: ModelSettings, recommender: Recommender, example: Example
) -> RankerRows:
    request = SlateRequest(
        as_of=example.as_of,
        repeat=Repeat.INCLUDE,
        recent=example.recent,
        basket=example.basket,
    )
    request = recommender.at_home(example.user, request)
    context = recommender.build_context(example.user, request)
    ranked = recommender.rank(context, recommender.find_removed(context, request))
    hit = np.isin(ranked.items, list(example.targets))
    share = _shares_to_learn(ranked.bought, settings.ranker)
    seed = [settings.seed, example.user + 1, example.as_of, *example.recent, *example.basket]
    kept = hit | (np.random.default_rng(seed).random(len(hit)) < share)
    value = _value_purchases(recommender, ranked.items, settings.ranker)
    weight = np.where(hit, value, 1 / share)[kept]
    return RankerRows(
        ranked.rows[kept],
        ranked.bought[kept],
        hit[kept],
        weight.astype(np.float32),
        np.full(len(weight), example.user, np.int32),
        np.zeros(len(weight), np.int32),
    )


def _shares_to_learn(bought: NDArray[np.bool_], settings: RankerSettings) -> NDArray[np.float64]:
    """Return the share of candidates like each that is learned from: all of few, (c,)."""
    shares = np.empty(len(bought))
    for kind, share in ((~bought, settings.new_share), (bought, settings.bought_share)):
        count = max(int(np.count_nonzero(kind)), 1)
        shares[kind] = min(max(share, MIN_CANDIDATES / count), 1)
    return shares


def _value_purchases(
    recommender: Recommender, items: NDArray[np.int64], settings: RankerSettings
) -> NDArray[np.float32]:
    """How much a purchase of each item weighs."""
    if settings.objective == "purchases":
        return np.ones(len(items), np.float32)
    price = np.exp(np.nan_to_num(recommender.model.traits.log_price[items]))
    return np.clip(price, 1 / MAX_PRICE_RATIO, MAX_PRICE_RATIO).astype(np.float32)


def _sample(examples: list[list[Example]], settings: ModelSettings) -> list[list[Example]]:
    """At most as many examples as the settings allow, by lot, in their order."""
    total = sum(map(len, examples))
    limit = settings.ranker.customers
    if total <= limit:
        return examples
    kept = np.zeros(total, np.bool_)
    kept[np.random.default_rng(settings.seed).choice(total, limit, replace=False)] = True
    ends = np.cumsum([len(of_window) for of_window in examples])[:-1]
    masks = np.split(kept, ends)
    return [
        list(itertools.compress(of_window, mask.tolist()))
        for of_window, mask in zip(examples, masks, strict=True)
    ]


def learn_blend(rows: RankerRows, settings: ModelSettings) -> LearnedRanker:
    """Learn the weights of the blend, and the lines that make log odds of it."""
    kind = kind_of(rows.values, rows.bought)
    choices = Choices(rows.values[:, : len(BLENDED)], kind, rows.hit, rows.weight, rows.example)
    prior = weights_of(settings.blend)
    weights = learn_weights(choices, prior, settings.ranker.weights_prior).astype(np.float32)
    unlined = LearnedRanker(
        np.ones(3, np.float32), np.zeros(3, np.float32), Trees.none(), weights=weights
    )
    scores = Ranker(settings.blend, unlined).start(rows.values, rows.bought)
    lines: list[tuple[float, float]] = []
    for number in range(len(KINDS)):
        part = kind == number
        line = fit_logistic(scores[part], rows.hit[part], rows.weight[part])
        # Visits that taught nothing are ranked by the line of new products
        lines.append(line if part.any() or not lines else lines[NEW])
    slope, level = np.array(lines, np.float32).T
    return replace(unlined, slope=slope, level=level)


def _learn_trees(
    rows: RankerRows, blend: LearnedRanker, settings: ModelSettings, advance: Advance
) -> BoostedTrees:
    """Learn trees that add to the log odds of the blend what it misses."""
    ranker = Ranker(settings.blend, blend)
    customers = np.unique(rows.customers)
    held_back = np.random.default_rng(settings.seed).choice(
        customers, ceil(VALIDATION_SHARE * len(customers)), replace=False
    )
    return fit_trees(
        TreeRows(
            rows.values,
            rows.hit,
            rows.weight,
            start=ranker.start(rows.values, rows.bought),
            held_back=np.isin(rows.customers, held_back),
        ),
        settings.ranker.trees,
        names=ranker.columns,
        seed=settings.seed,
        on_progress=advance,
    )


def fit_logistic(
    scores: NDArray[np.float32], hit: NDArray[np.bool_], weight: NDArray[np.float32]
) -> tuple[float, float]:
    """Return slope and level that turn scores into log odds; slope 1 where all or none are hits.

    They are the likeliest had there been two rows more, a width above the mean score and below it,
    each half a hit: so a shop in which the scores tell every hit does not make them certain.
    """
    if len(scores) == 0:
        return 1.0, 0.0
    middle, width = scores.mean(dtype=np.float64), scores.std(dtype=np.float64) or 1.0
    if hit.all() or not hit.any():
        odds = (weight @ hit + 0.5) / (weight @ ~hit + 0.5)
        return 1.0, float(np.log(odds) - middle)
    centred = np.append((scores - middle) / width, [-1, 1])
    inputs = np.stack([centred, np.ones(len(scores) + 2)], axis=1)
    hits, share = np.append(hit, [0.5, 0.5]), np.append(weight, [1, 1])
    share = share / share.sum(dtype=np.float64)

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        # Σ weight · (ln(1 + e^odds) - hit · odds), and its gradient
        odds = inputs @ parameters
        value = float(share @ (np.logaddexp(0, odds) - hits * odds))
        return value, inputs.T @ (share * (expit(odds) - hits))

    slope, level = minimize(loss, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-10}).x
    return float(slope / width), float(level - slope * middle / width)
