"""Keep the trials of a search in a file as they come, and propose what to try next.

Optuna is loaded here alone.
"""

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
    # Loaded where it is used: it takes a quarter of a second, and loads Redis' client where that is
    # installed.
    import optuna
    from optuna.distributions import BaseDistribution

Recall = dict[str, NDArray[np.float64]]  # task -> (customers of the task,)
Values = dict[str, float]  # dotted name of a setting -> value


@dataclass(frozen=True)
class Range:
    """A range in which a setting is searched, ends included; whole numbers where the ends are."""

    name: str  # below [model] in a TOML file
    low: float
    high: float
    log: bool = True


STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
RANDOM_TRIALS: Final = 5  # before the sampler learns from them
# What moved a trial's value by more than a hundredth on either of two shops. Wider ranges waste
# trials.
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
    """Hold the settings of a trial and what they gave."""

    values: Values
    recall: Recall
    value: float  # what is maximised
    seconds: float


@contextmanager
def _interrupts_after() -> Iterator[None]:
    """Hold Ctrl-C back until the end: Optuna cannot bear one while it writes."""
    received: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in STOP_SIGNALS
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])


class Study:
    """Every trial that came to its end, in order, those of earlier calls too; the first has the
    base settings.

    Raises InputError for a file that is no study, is damaged, or was made with another `identity`.
    """

    @_interrupts_after()
    def __init__(
        self, path: Path, identity: Mapping[str, str], base: ModelSettings, seed: int
    ) -> None:
        self.base: Values = {each.name: attrgetter(each.name)(base) for each in RANGES}
        self.seed = seed
        with _reading(path):
            self._study = _open(path)
            attributes = self._study.user_attrs
            self.trials = [self._trial(trial) for trial in _complete(self._study)]
        differing = [
            name for name, value in identity.items() if attributes.get(name, value) != value
        ]
        if differing:
            names = " and other ".join(differing)
            raise InputError(
                f"--study {path}: was made with other {names}; remove it or name another"
            )
        for name in sorted(identity.keys() - attributes.keys()):
            self._study.set_user_attr(name, identity[name])

    @_interrupts_after()
    def ask(self) -> tuple[optuna.Trial, Values]:
        """Propose the next settings.

        A trial whose result never comes stays unfinished in the file, and is proposed again.
        """
        from optuna.samplers import TPESampler

        # Seeded by what is done, so that a search that was interrupted goes on as if it had not
        # been.
        seed = int(np.random.SeedSequence([self.seed, len(self.trials)]).generate_state(1)[0])
        self._study.sampler = TPESampler(
            n_startup_trials=RANDOM_TRIALS, seed=seed, constant_liar=False
        )
        if not self.trials:
            self._study.enqueue_trial(self.base)
        distributions = {each.name: _distribution(each, self.base[each.name]) for each in RANGES}
        trial = self._study.ask(distributions)
        return trial, self._values(trial.params)

    @_interrupts_after()
    def tell(self, proposal: optuna.Trial, trial: Trial) -> None:
        """Keep what the proposed settings gave."""
        recall = {task: values.tolist() for task, values in trial.recall.items()}
        proposal.set_user_attr("recall", recall)
        proposal.set_user_attr("seconds", trial.seconds)
        self._study.tell(proposal, trial.value)
        self.trials.append(trial)

    def _trial(self, trial: optuna.trial.FrozenTrial) -> Trial:
        recorded = trial.user_attrs
        recall = {task: np.array(values, np.float64) for task, values in recorded["recall"].items()}
        value, seconds = float(trial.values[0]), float(recorded["seconds"])
        return Trial(self._values(trial.params), recall, value, seconds)

    def _values(self, params: Mapping[str, float]) -> Values:
        """Values with the three digits that a person would write; the base settings as they are."""
        values: Values = {}
        for name, value in params.items():
            exact = isinstance(value, int) or value == self.base[name]
            values[name] = value if exact else float(f"{value:.3g}")
        return values


def apply_values(settings: Any, values: Mapping[str, float]) -> Any:
    """Return the settings with other values, by their dotted names."""
    for name, value in values.items():
        first, _, rest = name.partition(".")
        part = apply_values(getattr(settings, first), {rest: value}) if rest else value
        settings = replace(settings, **{first: part})
    return settings


def _distribution(limits: Range, base: float) -> BaseDistribution:
    """The range, made wide enough for the base settings."""
    from optuna.distributions import FloatDistribution, IntDistribution

    low, high = min(limits.low, base), max(limits.high, base)
    log = limits.log and low > 0
    if isinstance(base, int):
        return IntDistribution(int(low), int(high), log)
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
    """Raise InputError for a file that cannot be read as a study."""
    try:
        yield
    except OSError as error:
        raise InputError(f"--study {path}: {error.strerror or error}") from error
    except (ValueError, LookupError, TypeError, AssertionError) as error:
        raise InputError(
            f"--study {path}: no study, or a damaged one ({error}); remove it or name another"
        ) from error
