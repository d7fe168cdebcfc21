"""Train the ranker on what customers bought after earlier moments, from what was known then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.artifact.scratch import temporary_directory
from models.data.events import PURCHASE
from models.model import LearnedRanker, no_daring
from models.ranking.ranker import Ranker
from models.recommender import Recommender
from models.settings import ModelSettings
from training.evaluation.split import hide_current_catalogue
from training.fitting.counts import select_lines
from training.fitting.fit import fit
from training.parallel import Input, Output, RecommenderWork, map_with_recommender
from training.progress import Advance, Reporter
from training.publishing import write_twin
from training.ranker import basket_examples
from training.ranker.basket_examples import BasketExample, BasketRows, draw_basket_examples
from training.ranker.boosting import BoostedTrees
from training.ranker.choice import (
    LEARNED,
    Choice,
    MethodTrial,
    choose_methods,
    count_held_back,
)
from training.ranker.daring import learn_daring
from training.ranker.learning import RankerLearning, learn_ranker
from training.ranker.rows import RankerRows, build_ranker_rows, check_no_leak
from training.ranker.variety import choose_limit, draw_limit_examples, measure_limits
from training.ranker.weights import AUDIENCES
from training.ranker.windows import Example, Window, draw_all_examples
from training.reading.purchases import Purchases

CHUNK: Final = 64  # examples a worker takes at a time


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
    trials: tuple[MethodTrial, ...] = ()  # what was held against each other, and what serves
    methods: Mapping[str, LearnedRanker] = field(default_factory=dict)  # what could serve

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what a reader of the report should know."""
        notes = [self.note] if self.note else []
        serving = [trial for trial in self.trials if trial.serves]
        notes += [str(trial) for trial in serving if trial.method != LEARNED]
        return (*notes, *self.limit_notes)

    @property
    def limit_notes(self) -> tuple[str, ...]:
        """Return where a slate has room for more of a category than the settings say."""
        limits = self.lesson.category_limits.tolist()
        notes = []
        for audience, limit in zip(AUDIENCES, limits, strict=True):
            if limit:
                notes.append(
                    f"Of ten products for {audience.name} at most {limit} are of one category: a "
                    "stricter limit would have cost too much in the newest weeks."
                )
        return tuple(notes)

    @classmethod
    def nothing(cls, reason: str) -> RankerTraining:
        """Return the result of a training that could not learn for this reason."""
        return cls(LearnedRanker.none(), note=f"The blend ranks alone: {reason}.")


@dataclass(frozen=True, eq=False)
class WindowRows:
    """Hold what a window yields to learn from."""

    slates: RankerRows
    baskets: BasketRows


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """Hold what the windows of a history yield to learn from."""

    slates: list[RankerRows]  # by window, newest first
    baskets: BasketRows
    fits: list[Path]  # of the newest windows, before each


def train_ranker(
    purchases: Purchases, settings: ModelSettings, reporter: Reporter, *, processes: int
) -> RankerTraining:
    """Learn from the windows of a history; nothing that came after a window is known in it."""
    # Days on which nothing but visits was reported teach nothing.
    first = int(purchases.time[purchases.kind == PURCHASE].min())
    drawn = draw_all_examples(
        purchases, first, purchases.shop_time + 1, settings.ranker, settings.seed
    )
    if not drawn:
        too_short = "the history is too short for windows to learn from"
        return RankerTraining.nothing(
            too_short if settings.ranker.windows else "no windows are set"
        )
    with ExitStack() as stack:
        rows = _collect_rows(purchases, drawn, settings, reporter, processes, stack)
        everything = RankerRows.concatenate(rows.slates)
        if not everything.hit.any():
            return RankerTraining.nothing("no candidate was bought")
        learn = partial(learn_ranker, everything, settings, processes=processes)
        learned = reporter.keep("Ranker", RankerLearning, learn)
        of_windows = list(zip([window for window, _ in drawn], rows.slates, strict=True))
        choose = partial(choose_methods, of_windows, learned, settings, processes=processes)
        choice = reporter.keep("Choice", Choice, choose)
        daring = _choose_daring(rows.slates, choice, settings)
        rehearsal = replace(choice.rehearsal or choice.ranker, daring=daring)
        limit = partial(_choose_limits, drawn, rows.fits, rehearsal, settings, processes)
        limits = reporter.keep("Variety", NDArray[np.int32], limit)
    baskets = reporter.keep(
        "Basket ranker",
        BoostedTrees,
        lambda advance: basket_examples.train_basket_ranker(
            rows.baskets, settings.bundles, seed=settings.seed, on_progress=advance
        ),
    )
    return RankerTraining(
        replace(choice.ranker, baskets=baskets.trees, category_limits=limits, daring=daring),
        tuple(window for window, _ in drawn),
        examples=sum(len(examples) for _, examples in drawn),
        rows=len(everything.hit),
        importance=learned.importance,
        note=learned.note,
        trials=choice.trials,
        methods=choice.methods,
    )


def _choose_daring(
    slates: Sequence[RankerRows], choice: Choice, settings: ModelSettings
) -> NDArray[np.float32]:
    """Return how daring slates may be, by weeks that nothing was learned from: (3,)."""
    if choice.rehearsal is None:
        return no_daring()
    newest = RankerRows.concatenate(slates[: count_held_back(slates)])
    return learn_daring(newest, Ranker(settings.blend, choice.rehearsal))


def _collect_rows(
    purchases: Purchases,
    examples: Sequence[tuple[Window, Sequence[Example]]],
    settings: ModelSettings,
    reporter: Reporter,
    processes: int,
    stack: ExitStack,
) -> TrainingRows:
    """Fit a model before each window, and keep what it proposes for the window's examples.

    The fits of the newest windows stay until the stack is left.
    """
    fits: list[Path] = []
    rows: list[WindowRows] = []
    for number, (window, of_window) in enumerate(examples, start=1):
        name = f"Window {number} of {len(examples)}"
        collector = WindowCollector(name, window, purchases, settings, reporter, processes)
        fitted = collector.fit()
        if number <= count_held_back(examples):
            fits.append(stack.enter_context(fitted))
            fitted = nullcontext(fits[-1])
        hidden: Sequence[BasketExample] = ()
        if number == 1:  # the newest orders tell enough about what belongs together
            hidden = draw_basket_examples(
                purchases, window, settings.bundles.questions, settings.seed
            )
        collect = partial(collector.collect, fitted, of_window, hidden)
        rows.append(reporter.kept.keep(name, WindowRows, collect))
    baskets = BasketRows.concatenate([part.baskets for part in rows])
    return TrainingRows([part.slates for part in rows], baskets, fits)


@dataclass(frozen=True, eq=False)
class WindowCollector:
    """Fit what was known before a window, and collect what it proposes for examples."""

    name: str
    window: Window
    purchases: Purchases
    settings: ModelSettings
    reporter: Reporter
    processes: int

    def fit(self) -> AbstractContextManager[Path]:
        """Write an artifact where the context begins, and remove it at its end."""
        return fit_before(self.purchases, self.window, self.settings, self.reporter, name=self.name)

    def collect(
        self,
        fitted: AbstractContextManager[Path],
        examples: Sequence[Example],
        hidden: Sequence[BasketExample],
    ) -> WindowRows:
        """Return the candidates of examples, and of baskets."""
        baskets: list[BasketRows] = []
        with fitted as directory:
            with self.reporter.step(f"{self.name}: slates") as advance:
                work = partial(build_ranker_rows, self.window, self.settings)
                slates = _work_on(directory, work, examples, self.processes, advance)
            if hidden:
                with self.reporter.step(f"{self.name}: baskets") as advance:
                    basket_work = partial(build_window_basket_rows, self.window)
                    baskets = _work_on(directory, basket_work, hidden, self.processes, advance)
        return WindowRows(RankerRows.concatenate(slates), BasketRows.concatenate(baskets))


def _choose_limits(
    examples: Sequence[tuple[Window, Sequence[Example]]],
    fits: Sequence[Path],
    rehearsal: LearnedRanker,
    settings: ModelSettings,
    processes: int,
    advance: Advance,
) -> NDArray[np.int32]:
    """Return the limits of a category for customers and visits, 0 where the settings' one holds.

    What would have been served is measured on the newest windows, whose fits are given.
    """
    users: list[int] = []
    recalls: list[NDArray[np.float64]] = []
    for directory, (window, of_window) in zip(fits, examples, strict=False):
        drawn = draw_limit_examples(of_window, settings.seed)
        work = partial(measure_limits, window, rehearsal)
        recalls += _work_on(directory, work, drawn, processes, advance)
        users += [example.user for example in drawn]
    values, is_visit = np.concatenate(recalls), np.array(users) < 0
    limits = []
    for ours in (~is_visit, is_visit):
        limit = choose_limit(values[ours], settings.diversity)
        limits.append(limit if limit != settings.diversity.category else 0)
    return np.array(limits, np.int32)


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


def build_window_basket_rows(
    window: Window, recommender: Recommender, examples: Sequence[BasketExample]
) -> BasketRows:
    """Return the candidates of baskets in which a product is missing. Raises LeakError."""
    check_no_leak(window, recommender)
    return basket_examples.build_basket_rows(recommender, examples)
