"""The trials of a search, kept in a file as they come, and what to try next. Optuna is loaded here alone."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from models.settings import ModelSettings
from training.errors import InputError

if TYPE_CHECKING:
    # Loaded where it is used: it takes a quarter of a second, and loads Redis' client where that is installed.
    import optuna
    from optuna.distributions import BaseDistribution

Recall = dict[str, NDArray[np.float64]]  # task -> (customers of the task,)
Values = dict[str, float]  # dotted name of a setting -> value


@dataclass(frozen=True)
class Range:
    """Where a setting is looked for, both ends included; whole numbers where the ends are."""

    name: str  # below [model] in a TOML file
    low: float
    high: float
    log: bool = True


STOPS: Final = (signal.SIGINT, signal.SIGTERM)
RANDOM_TRIALS: Final = 5  # before the sampler learns from them
# What moved a trial's value by more than a hundredth on either of two shops. Wider ranges waste trials.
RANGES: Final = (
    Range("history.long_half_life_days", 90.0, 720.0),
    Range("history.taste_half_life_days", 10.0, 120.0),
    Range("history.recent_half_life_days", 7.0, 60.0),
    Range("factors.factors", 64, 256),
    Range("factors.regularization", 10.0, 120.0),
    Range("factors.alpha", 2.0, 20.0),
    Range("factors.half_life_days", 20.0, 360.0),
    Range("neighbours.half_life_days", 60.0, 720.0),
    Range("neighbours.neighbour_norm", 0.2, 0.8, log=False),
    Range("popular.half_life_days", 3.0, 45.0),
)


@dataclass(frozen=True, eq=False)
class Trial:
    values: Values
    recall: Recall
    value: float  # what is maximised
    seconds: float


@contextmanager
def _interrupts_after() -> Iterator[None]:
    """Ctrl-C counts when this is over: Optuna fails or leaves its lock behind where one comes while it writes."""
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: came.append(number)) for number in STOPS
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


class Study:
    """Every trial that came to its end, in order, those of earlier calls too; the first has the base settings.

    InputError for a file that is no study, is damaged, or was made with another `identity`.
    """

    @_interrupts_after()
    def __init__(
        self, path: Path, identity: Mapping[str, str], base: ModelSettings, seed: int
    ) -> None:
        self.base: Values = {given.name: attrgetter(given.name)(base) for given in RANGES}
        self.seed = seed
        with _reading(path):
            self._study = _open(path)
            known = self._study.user_attrs
            self.trials = [self._trial(trial) for trial in _complete(self._study)]
        if differing := [
            name for name, value in identity.items() if known.get(name, value) != value
        ]:
            problem = (
                f"was made with other {' and other '.join(differing)}; remove it or name another"
            )
            raise InputError(f"--study {path}: {problem}")
        for name in sorted(identity.keys() - known.keys()):
            self._study.set_user_attr(name, identity[name])

    @_interrupts_after()
    def ask(self) -> tuple[optuna.Trial, Values]:
        """The next settings. A trial that is never told of stays unfinished in the file, and is asked for again."""
        from optuna.samplers import TPESampler

        # Seeded by what is done, so that a search that was interrupted goes on as if it had not been.
        seed = int(np.random.SeedSequence([self.seed, len(self.trials)]).generate_state(1)[0])
        self._study.sampler = TPESampler(
            n_startup_trials=RANDOM_TRIALS, seed=seed, constant_liar=False
        )
        if not self.trials:
            self._study.enqueue_trial(self.base)
        trial = self._study.ask(
            {given.name: _distribution(given, self.base[given.name]) for given in RANGES}
        )
        return trial, self._values(trial.params)

    @_interrupts_after()
    def tell(self, asked: optuna.Trial, trial: Trial) -> None:
        asked.set_user_attr(
            "recall", {task: found.tolist() for task, found in trial.recall.items()}
        )
        asked.set_user_attr("seconds", trial.seconds)
        self._study.tell(asked, trial.value)
        self.trials.append(trial)

    def _trial(self, trial: optuna.trial.FrozenTrial) -> Trial:
        recall = {
            task: np.array(found, np.float64) for task, found in trial.user_attrs["recall"].items()
        }
        return Trial(
            self._values(trial.params),
            recall,
            float(trial.values[0]),
            float(trial.user_attrs["seconds"]),
        )

    def _values(self, params: Mapping[str, float]) -> Values:
        """With the three digits that a person would write; the base settings as they are."""
        return {
            name: value
            if isinstance(value, int) or value == self.base[name]
            else float(f"{value:.3g}")
            for name, value in params.items()
        }


def apply_values(settings: Any, values: Mapping[str, float]) -> Any:
    """The settings with other values, by their dotted names."""
    for name, value in values.items():
        first, _, rest = name.partition(".")
        settings = replace(
            settings,
            **{first: apply_values(getattr(settings, first), {rest: value}) if rest else value},
        )
    return settings


def _distribution(given: Range, base: float) -> BaseDistribution:
    """The range, made wide enough for the base settings."""
    from optuna.distributions import FloatDistribution, IntDistribution

    low, high = min(given.low, base), max(given.high, base)
    log = given.log and low > 0
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log)
    return FloatDistribution(low, high, log)


def _open(path: Path) -> optuna.Study:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    if path.exists():  # looked at before Optuna adds lines to what may be another file altogether
        for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
            if not _is_entry(line):
                raise ValueError(f"line {number}")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = JournalStorage(JournalFileBackend(str(path)))
    return optuna.create_study(
        storage=storage, study_name="tune", direction="maximize", load_if_exists=True
    )


def _is_entry(line: bytes) -> bool:
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return line.endswith(b"\n") and isinstance(entry, dict) and "op_code" in entry


def _complete(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"--study {path}: {error.strerror or error}") from error
    except (ValueError, LookupError, TypeError, AssertionError) as error:
        raise InputError(
            f"--study {path}: no study, or a damaged one ({error}); remove it or name another"
        ) from error
