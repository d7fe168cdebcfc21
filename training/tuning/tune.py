"""A search for the settings that suit one shop, on days before those that its reported figures are measured on."""

from __future__ import annotations

import hashlib
import io
import math
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tomli_w
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from models.artifact.atomic import atomic_write, check_writable
from models.data.events import PURCHASE
from training.config import Config
from training.errors import InputError
from training.evaluation import metrics
from training.evaluation.evaluate_customers import TASKS
from training.evaluation.methods import SERVED
from training.evaluation.metrics import Mean
from training.evaluation.split import MIN_CUSTOMERS, Split, find_cut, split_history
from training.fitting.counts import LINE_ARRAYS, select_lines
from training.pipeline import TOO_LITTLE, evaluate_settings
from training.progress import Reporter
from training.reading.purchases import Purchases
from training.reading.timestamps import format_date
from training.tuning.study import RANGES, Recall, Study, Trial, Values, apply_values

TaskCustomers = dict[
    str, NDArray[np.bool_]
]  # task -> (customers of the split,), whether it asks about them
DEFAULT_TRIALS: Final = 50  # where neither trials nor minutes are given


@dataclass(frozen=True)
class TuningPlan:
    """What a search is told. Trials are those of the study, so that the same command again does what is left."""

    output: Path
    study: Path
    config: Path | None = None  # with the base settings
    trials: int | None = None
    minutes: float | None = None
    seed: int = 0

    @property
    def limit(self) -> float:
        return self.trials or (DEFAULT_TRIALS if self.minutes is None else math.inf)

    def check(self) -> None:
        """Raises InputError now for what would end a long search without a result."""
        if self.trials is not None and self.trials < 1:
            raise InputError(f"--trials {self.trials}: expected at least 1")
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise InputError(f"--minutes {self.minutes:g}: expected more than 0")
        if self.seed < 0:
            raise InputError(f"--seed {self.seed}: expected at least 0")
        places = {path.resolve() for path in (self.output, self.study, self.config) if path}
        if len(places) < (3 if self.config else 2):
            raise InputError(
                f"--output {self.output}: expected another file than --study and --config"
            )
        if self.output.is_dir() or not self.output.parent.is_dir():
            raise InputError(f"--output {self.output}: expected a file in a folder that exists")
        with _unwritable_output(self.output):
            check_writable(self.output)


@dataclass(frozen=True, eq=False)
class TuningResult:
    base: Trial
    best: Trial
    trials: int
    gain: Mean  # of the best trial's value over that of the base, which is 1
    differences: dict[str, Mean]  # task -> Recall of the best trial less that of the base
    k: int
    window: tuple[int, int, int]  # first purchase, cut, last purchase that was looked at
    stopped: bool  # by Ctrl-C

    @property
    def changes(self) -> Values:
        return {
            name: value
            for name, value in self.best.values.items()
            if value != self.base.values[name]
        }

    @property
    def verdict(self) -> str:
        if not self.changes:
            return f"Best of {self.trials} trials: the base settings; nothing better was found."
        gain = f"{self.gain.value:+.1%} Recall@{self.k} (95 %: {self.gain.low:+.1%} to {self.gain.high:+.1%})"
        chance = (
            "; this is within chance, the base settings may serve as well"
            if self.gain.low <= 0
            else ""
        )
        return f"Best of {self.trials} trials: {gain} against the base settings{chance}."


def tune(
    purchases: Purchases, config: Config, plan: TuningPlan, reporter: Reporter, *, started: float
) -> TuningResult:
    """Search until the plan's trials are done or its minutes since `started` are over; write the best settings.

    The last test days are left out before anything is looked at. Ctrl-C ends the search and keeps what is done.
    """
    told: dict[str, Any] = tomllib.loads(plan.config.read_text("utf-8")) if plan.config else {}
    # Bundles are not part of a trial's value.
    config = config.model_copy(
        update={"evaluation": config.evaluation.model_copy(update={"max_orders": 1})}
    )
    seen = before_last_window(purchases, config.evaluation.test_days)
    parts = split_history(seen, config.evaluation)
    if parts is None:
        raise InputError(
            f"Nothing can be tuned: {TOO_LITTLE}, twice {config.evaluation.test_days} days"
        )
    study = Study(plan.study, identify_study(seen, config), config.model, plan.seed)
    ends = math.inf if plan.minutes is None else started + 60 * plan.minutes
    stopped = False
    try:
        while _goes_on(study.trials, plan.limit, ends - reporter.clock()):
            _try(study, parts, config, reporter)
            _tell(study.trials, plan.limit, ends, reporter)
    except KeyboardInterrupt:
        if not study.trials:
            raise
        stopped = True
    tuned = _tuned(study.trials, parts, config, seen, stopped)
    settings_text = render_settings_file(told, tuned)
    with _unwritable_output(plan.output), atomic_write(plan.output, durable=False) as stream:
        stream.write(settings_text.encode())
    return tuned


def before_last_window(purchases: Purchases, test_days: int) -> Purchases:
    """What precedes the days that figures are reported for."""
    seen = select_lines(purchases, purchases.time < find_cut(purchases, test_days))
    if not (seen.kind == PURCHASE).any():
        raise InputError(
            f"Nothing can be tuned: no purchase is older than the last {test_days} days"
        )
    return seen


def identify_study(seen: Purchases, config: Config) -> dict[str, str]:
    """What the trials of one study have in common."""
    digest = hashlib.sha256()
    for array in (
        *(getattr(seen, name) for name in LINE_ARRAYS),
        seen.product_ids.blob,
        seen.catalogue.category,
    ):
        digest.update(np.ascontiguousarray(array).data)
    return {
        "purchases": digest.hexdigest(),
        "base settings": repr(config.model),
        "evaluation settings": repr(config.evaluation),
        "ranges": repr(RANGES),
    }


def value_of_customers(recall: Recall, base: Recall, askers: TaskCustomers) -> NDArray[np.float64]:
    """What each customer of the split adds to the value of a trial, which is their mean: 1 for the base settings.

    value = 1/tasks · Σ_task Recall / Recall of the base, so that every task weighs the same.
    """
    # A task counts with enough customers, and a Recall that a better one can be divided by.
    tasks = [
        task for task, of_base in base.items() if len(of_base) >= MIN_CUSTOMERS and of_base.any()
    ]
    if not tasks:
        raise InputError("Nothing can be tuned: the base settings find nothing of what was bought")
    values = np.zeros(len(askers[tasks[0]]))
    for task in tasks:
        # The mean over a task's customers as one over those of the split.
        share = len(values) / len(recall[task]) / len(tasks)
        values[askers[task]] += share * recall[task] / base[task].mean()
    return values


def _askers(parts: Split) -> TaskCustomers:
    wanted = zip(TASKS, (parts.targets, parts.discoveries), strict=True)
    return {task: np.array([bool(items) for items in each]) for task, each in wanted}


def _goes_on(trials: list[Trial], limit: float, seconds_left: float) -> bool:
    return not trials or (len(trials) < limit and _mean_seconds(trials) <= seconds_left)


def _mean_seconds(trials: list[Trial]) -> float:
    return sum(trial.seconds for trial in trials) / len(trials)


def _best(trials: list[Trial]) -> int:
    """The first of the highest value."""
    return int(np.argmax([trial.value for trial in trials]))


def _try(study: Study, parts: Split, config: Config, reporter: Reporter) -> None:
    asked, values = study.ask()
    name, started = f"Trial {len(study.trials) + 1}", reporter.clock()
    with reporter.step(name):
        steps = Reporter(io.StringIO())  # they would bury what the trials found
        evaluation = evaluate_settings(
            parts, config, apply_values(config.model, values), steps, name=name
        )
    recall = {task: methods[SERVED][:, 0] for task, methods in evaluation.values.items()}
    base = study.trials[0].recall if study.trials else recall
    value = float(value_of_customers(recall, base, _askers(parts)).mean())
    study.tell(asked, Trial(values, recall, value, reporter.clock() - started))


def _tell(trials: list[Trial], limit: float, ends: float, reporter: Reporter) -> None:
    best = _best(trials)
    left = max(min((limit - len(trials)) * _mean_seconds(trials), ends - reporter.clock()), 0)
    reporter.console.print(
        f"  {trials[-1].value:.4f} times the base settings' Recall, best so far {trials[best].value:.4f} "
        f"(trial {best + 1}), about {left / 60:.1f} min left"
    )


def _tuned(
    trials: list[Trial], parts: Split, config: Config, seen: Purchases, stopped: bool
) -> TuningResult:
    base, best, seed = trials[0], trials[_best(trials)], config.evaluation.seed
    of_base, of_best = (
        value_of_customers(trial.recall, base.recall, _askers(parts)) for trial in (base, best)
    )
    return TuningResult(
        base,
        best,
        len(trials),
        metrics.mean(of_best - of_base, seed),
        {
            task: metrics.mean(best.recall[task] - recall, seed)
            for task, recall in base.recall.items()
        },
        config.evaluation.k,
        (int(seen.time.min()), parts.cut, int(seen.time.max())),
        stopped,
    )


def render_settings_file(told: dict[str, Any], tuned: TuningResult) -> str:
    """TOML for `train --config`: what the base file told, and above it what is better."""
    for name, value in tuned.changes.items():
        *sections, key = "model", *name.split(".")
        section = told
        for inner in sections:
            section = section.setdefault(inner, {})
        section[key] = value
    first, cut, last = map(format_date, tuned.window)
    heading = (
        "Written by python -m training tune.",
        f"Learned from purchases of {first} to {cut}, measured on those until {last}; later ones were not looked at.",
        tuned.verdict,
    )
    return "".join(f"# {line}\n" for line in heading) + "\n" + tomli_w.dumps(told)


@contextmanager
def _unwritable_output(path: Path) -> Iterator[None]:
    """Raise InputError instead of OSError."""
    try:
        yield
    except OSError as error:
        raise InputError(f"--output {path}: {error.strerror or error}") from error


def print_tuned(console: Console, tuned: TuningResult, plan: TuningPlan) -> None:
    table = Table("", "base", "best", "difference, 95 %", title="What was found")
    for name, value in tuned.changes.items():
        table.add_row(name, f"{tuned.base.values[name]:g}", f"{value:g}")
    for task, gap in tuned.differences.items():
        means = [f"{trial.recall[task].mean():.4f}" for trial in (tuned.base, tuned.best)]
        table.add_row(
            f"Recall@{tuned.k}, {task}",
            *means,
            f"{gap.value:+.4f}, {gap.low:+.4f} to {gap.high:+.4f}",
        )
    console.print(table)
    for line in (
        tuned.verdict,
        f"Written to {plan.output}, for train --config; what it is worth on the last days, evaluate --config tells.",
        f"{'Stopped; the' if tuned.stopped else 'The'} trials are kept in {plan.study}: the same command goes on"
        + (" with a higher --trials." if tuned.trials >= plan.limit else "."),
    ):
        console.print(line, markup=False, soft_wrap=True)
