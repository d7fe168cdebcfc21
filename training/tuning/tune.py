"""Search the settings that suit a shop, on days before those that figures are reported for."""

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
from training.evaluation.split import MIN_CUSTOMERS, Split, days_kept_back, find_cut, split_history
from training.fitting.counts import LINE_ARRAYS, select_lines
from training.pipeline import TOO_LITTLE, measure_twin
from training.progress import Reporter
from training.reading.purchases import Purchases
from training.reading.timestamps import format_date
from training.tuning.study import RANGES, Recall, Study, Trial, Values, apply_values

# task -> (customers of the split,), whether they are customers of the task
TaskCustomers = dict[str, NDArray[np.bool_]]
DEFAULT_TRIALS: Final = 50  # where neither trials nor minutes are given


@dataclass(frozen=True)
class TuningPlan:
    """Hold the options of a search.

    Trials are those of the study, so that the same command again does what is left.
    """

    output: Path
    study: Path
    config: Path | None = None  # with the base settings
    trials: int | None = None
    minutes: float | None = None
    seed: int = 0

    @property
    def limit(self) -> float:
        """Return after how many trials the search ends."""
        return self.trials or (DEFAULT_TRIALS if self.minutes is None else math.inf)

    def check(self) -> None:
        """Raise InputError now for what would end a long search without a result."""
        if self.trials is not None and self.trials < 1:
            raise InputError(f"--trials {self.trials}: expected at least 1")
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise InputError(f"--minutes {self.minutes:g}: expected more than 0")
        if self.seed < 0:
            raise InputError(f"--seed {self.seed}: expected at least 0")
        files = {path.resolve() for path in (self.output, self.study, self.config) if path}
        if len(files) < (3 if self.config else 2):
            raise InputError(
                f"--output {self.output}: expected another file than --study and --config"
            )
        if self.output.is_dir() or not self.output.parent.is_dir():
            raise InputError(f"--output {self.output}: expected a file in a folder that exists")
        with _unwritable_output(self.output):
            check_writable(self.output)


@dataclass(frozen=True, eq=False)
class TuningResult:
    """Hold what a search found: its first trial, which has the base settings, and its best."""

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
        """Return the settings in which the best trial differs from the base."""
        base = self.base.values
        return {name: value for name, value in self.best.values.items() if value != base[name]}

    @property
    def verdict(self) -> str:
        """Return in one sentence what the best settings gain."""
        if not self.changes:
            return f"Best of {self.trials} trials: the base settings; nothing better was found."
        gain, low, high = self.gain.value, self.gain.low, self.gain.high
        text = f"{gain:+.1%} Recall@{self.k} (95 %: {low:+.1%} to {high:+.1%})"
        chance = ""
        if low <= 0:
            chance = "; this is within chance, the base settings may serve as well"
        return f"Best of {self.trials} trials: {text} against the base settings{chance}."


@dataclass(frozen=True, eq=False)
class Search:
    """Hold what every trial of a search needs."""

    study: Study
    history: Split  # of what precedes the days that figures are reported for
    config: Config
    reporter: Reporter
    limit: float  # trials
    ends: float  # on the reporter's clock

    @property
    def customers(self) -> TaskCustomers:
        """Return for each task which customers of the split it is about."""
        targets = dict(zip(TASKS, (self.history.targets, self.history.discoveries), strict=True))
        return {task: np.array([bool(items) for items in each]) for task, each in targets.items()}

    @property
    def mean_seconds(self) -> float:
        """Return how long a trial takes."""
        trials = self.study.trials
        return sum(trial.seconds for trial in trials) / len(trials)

    @property
    def goes_on(self) -> bool:
        """Return whether there is a trial to be made, and time for it; the first is always made."""
        seconds_left = self.ends - self.reporter.clock()
        if not self.study.trials:
            return True
        return len(self.study.trials) < self.limit and self.mean_seconds <= seconds_left


def tune(
    purchases: Purchases, config: Config, plan: TuningPlan, reporter: Reporter, *, started: float
) -> TuningResult:
    """Search until the plan's trials are done or its minutes since `started` are over; write the
    best settings.

    The last test days are left out before anything is looked at. Ctrl-C ends the search and keeps
    what is done.
    """
    base_file: dict[str, Any] = {}
    if plan.config:
        base_file = tomllib.loads(plan.config.read_text("utf-8"))
    # Bundles are not part of a trial's value.
    evaluation = config.evaluation.model_copy(update={"max_orders": 1})
    config = config.model_copy(update={"evaluation": evaluation})
    seen = before_last_window(purchases, config.evaluation.test_days)
    history = split_history(seen, config.evaluation)
    if history is None:
        raise InputError(
            f"Nothing can be tuned: {TOO_LITTLE}, twice {config.evaluation.test_days} days"
        )
    study = Study(plan.study, identify_study(seen, config), config.model, plan.seed)
    ends = math.inf if plan.minutes is None else started + 60 * plan.minutes
    search = Search(study, history, config, reporter, plan.limit, ends)
    stopped = False
    try:
        while search.goes_on:
            _run_trial(search)
            _print_progress(search)
    except KeyboardInterrupt:
        if not study.trials:
            raise
        stopped = True
    result = _summarize(search, seen, stopped=stopped)
    settings_text = render_settings_file(base_file, result)
    with _unwritable_output(plan.output), atomic_write(plan.output, durable=False) as stream:
        stream.write(settings_text.encode())
    return result


def before_last_window(purchases: Purchases, test_days: int) -> Purchases:
    """Return what precedes the days that figures are reported for."""
    seen = select_lines(purchases, purchases.time < find_cut(purchases, test_days))
    if not (seen.kind == PURCHASE).any():
        days = days_kept_back(purchases, test_days)
        raise InputError(
            f"Nothing can be tuned: no purchase is older than the last days ({days}) kept back"
        )
    return seen


def identify_study(seen: Purchases, config: Config) -> dict[str, str]:
    """Return what the trials of one study have in common, by name."""
    arrays = [getattr(seen, name) for name in LINE_ARRAYS]
    arrays += [seen.product_ids.blob, seen.catalogue.category]
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return {
        "purchases": digest.hexdigest(),
        "base settings": repr(config.model),
        "evaluation settings": repr(config.evaluation),
        "ranges": repr(RANGES),
    }


def value_of_customers(
    recall: Recall, base: Recall, customers: TaskCustomers
) -> NDArray[np.float64]:
    """Return what each customer of the split adds to the value of a trial: 1 on average for the
    base settings.

    value = 1/tasks · Σ_task Recall / Recall of the base, so that every task weighs the same.
    """
    # A task counts with enough customers, and a Recall that a better one can be divided by.
    tasks = [
        task
        for task, base_recall in base.items()
        if len(base_recall) >= MIN_CUSTOMERS and base_recall.any()
    ]
    if not tasks:
        raise InputError("Nothing can be tuned: the base settings find nothing of what was bought")
    values = np.zeros(len(customers[tasks[0]]))
    for task in tasks:
        # The mean over a task's customers as one over those of the split.
        share = len(values) / len(recall[task]) / len(tasks)
        values[customers[task]] += share * recall[task] / base[task].mean()
    return values


def _best_index(trials: list[Trial]) -> int:
    """The first trial of the highest value."""
    return int(np.argmax([trial.value for trial in trials]))


def _run_trial(search: Search) -> None:
    study, reporter = search.study, search.reporter
    proposal, values = study.ask()
    name, started = f"Trial {len(study.trials) + 1}", reporter.clock()
    settings = apply_values(search.config.model, values)
    config = search.config.model_copy(update={"model": settings})
    with reporter.step(name):
        steps = Reporter(io.StringIO())  # they would bury what the trials found
        evaluation = measure_twin(search.history, config, steps, name=name).evaluation
    recall: Recall = {
        task: methods[SERVED][:, 0] for task, methods in evaluation.values.items() if task in TASKS
    }
    base = study.trials[0].recall if study.trials else recall
    value = float(value_of_customers(recall, base, search.customers).mean())
    study.tell(proposal, Trial(values, recall, value, reporter.clock() - started))


def _print_progress(search: Search) -> None:
    trials = search.study.trials
    best = _best_index(trials)
    seconds_of_trials = (search.limit - len(trials)) * search.mean_seconds
    left = max(min(seconds_of_trials, search.ends - search.reporter.clock()), 0)
    search.reporter.say(
        f"  {trials[-1].value:.4f} times the base settings' Recall, "
        f"best so far {trials[best].value:.4f} (trial {best + 1}), about {left / 60:.1f} min left"
    )


def _summarize(search: Search, seen: Purchases, *, stopped: bool) -> TuningResult:
    trials, seed = search.study.trials, search.config.evaluation.seed
    base, best = trials[0], trials[_best_index(trials)]
    base_values = value_of_customers(base.recall, base.recall, search.customers)
    best_values = value_of_customers(best.recall, base.recall, search.customers)
    differences = {
        task: metrics.mean(best.recall[task] - recall, seed) for task, recall in base.recall.items()
    }
    return TuningResult(
        base=base,
        best=best,
        trials=len(trials),
        gain=metrics.mean(best_values - base_values, seed),
        differences=differences,
        k=search.config.evaluation.k,
        window=(int(seen.time.min()), search.history.cut, int(seen.time.max())),
        stopped=stopped,
    )


def render_settings_file(base_file: dict[str, Any], result: TuningResult) -> str:
    """Return TOML for `train --config`: the base file with the better settings in it."""
    for name, value in result.changes.items():
        *sections, key = "model", *name.split(".")
        section = base_file
        for inner in sections:
            section = section.setdefault(inner, {})
        section[key] = value
    first, cut, last = map(format_date, result.window)
    heading = (
        "Written by regulars tune.",
        f"Learned from purchases of {first} to {cut}, measured on those until {last}; "
        "later ones were not looked at.",
        result.verdict,
    )
    comments = "".join(f"# {line}\n" for line in heading)
    return f"{comments}\n{tomli_w.dumps(base_file)}"


@contextmanager
def _unwritable_output(path: Path) -> Iterator[None]:
    """Raise InputError instead of OSError."""
    try:
        yield
    except OSError as error:
        raise InputError(f"--output {path}: {error.strerror or error}") from error


def tuned_as_json(result: TuningResult) -> dict[str, Any]:
    """Return what was found and what it is worth, ready for JSON."""
    return {
        "trials": result.trials,
        "stopped": result.stopped,
        "changes": result.changes,
        "verdict": result.verdict,
        "gain": result.gain,
        "differences": result.differences,
        "k": result.k,
    }


def print_tuned(console: Console, result: TuningResult, plan: TuningPlan) -> None:
    """Print what was found, what it is worth, and where it is kept."""
    base, best = result.base, result.best
    table = Table("", "base", "best", "difference, 95 %", title="What was found")
    for name, value in result.changes.items():
        table.add_row(name, f"{base.values[name]:g}", f"{value:g}")
    for task, gap in result.differences.items():
        table.add_row(
            f"Recall@{result.k}, {task}",
            f"{base.recall[task].mean():.4f}",
            f"{best.recall[task].mean():.4f}",
            f"{gap.value:+.4f}, {gap.low:+.4f} to {gap.high:+.4f}",
        )
    console.print(table)
    trials = "Stopped; the trials" if result.stopped else "The trials"
    more = " with a higher --trials." if result.trials >= plan.limit else "."
    for line in (
        result.verdict,
        f"Written to {plan.output}, for train --config; "
        "what it is worth on the last days, evaluate --config tells.",
        f"{trials} are kept in {plan.study}: the same command goes on{more}",
    ):
        console.print(line, soft_wrap=True)
