"""The search for better settings: what it looks at, keeps, writes and says."""

import signal
import subprocess
import sys
import tomllib
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.artifact.registry import Registry
from models.data.events import DAY
from models.settings import RankerSettings
from tests.support.corner_shop import SETTINGS, rows, run, settings, unmeasured, write
from tests.support.shop import SMALL, open_shop
from tests.support.training_shop import small_shop_purchases
from training.config import Config, EvaluationConfig, read_config
from training.errors import InputError
from training.evaluation.metrics import Mean
from training.fitting.counts import select_lines
from training.progress import Reporter
from training.reading.purchases import Purchases
from training.tuning.study import Study, Trial, apply_values
from training.tuning.tune import (
    TuningPlan,
    TuningResult,
    print_tuned,
    render_settings_file,
    tune,
    value_of_customers,
)

pytestmark = pytest.mark.slow

Said = pytest.CaptureFixture[str]
BLEND = replace(
    SMALL, ranker=RankerSettings(windows=0)
)  # nothing here is about how good the ranker is
CONFIG = Config(model=BLEND, processes=1, evaluation=EvaluationConfig(k=3))


@pytest.fixture(scope="module")
def purchases() -> Purchases:
    return small_shop_purchases()


class Clock:
    """A second passes whenever somebody looks."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def plan(folder: Path, **told: Any) -> TuningPlan:
    return TuningPlan(folder / "best.toml", folder / "study", **told)


def searched(
    purchases: Purchases, plan: TuningPlan, config: Config = CONFIG, stream: StringIO | None = None
) -> TuningResult:
    plan.check()
    return tune(purchases, config, plan, Reporter(stream or StringIO(), Clock()), started=0)


def trials(plan: TuningPlan) -> list[Trial]:
    """Those that the study keeps."""
    return Study(plan.study, {}, BLEND, 0).trials


def found(plan: TuningPlan) -> list[tuple[dict[str, float], float]]:
    return [(trial.values, trial.value) for trial in trials(plan)]


def test_the_best_of_the_trials_is_written_and_none_is_worse_than_the_base(
    tmp_path: Path, purchases: Purchases
) -> None:
    tuned = searched(purchases, plan(tmp_path, trials=3))
    values = [trial.value for trial in trials(plan(tmp_path))]
    assert len(values) == tuned.trials == 3
    assert values[0] == pytest.approx(1)
    assert tuned.base.value == values[0] <= max(values) == tuned.best.value
    assert tuned.gain.value == pytest.approx(tuned.best.value - 1)
    assert read_config(tmp_path / "best.toml").model == apply_values(Config().model, tuned.changes)


def test_the_days_that_are_reported_change_nothing(tmp_path: Path, purchases: Purchases) -> None:
    shuffled = purchases.item.copy()
    last = purchases.time >= purchases.time.max() - CONFIG.evaluation.test_days * DAY
    shuffled[last] = np.random.default_rng(0).permutation(shuffled[last])
    kept = ~last | (purchases.time == purchases.time.max()) | (purchases.user % 2 == 0)
    other = select_lines(replace(purchases, item=shuffled), kept)
    assert 0 < len(other) < len(purchases)
    one, two = (plan(tmp_path / name, trials=2) for name in ("one", "two"))
    taught = CONFIG.model_copy(update={"model": replace(SMALL, ranker=RankerSettings(windows=1))})
    for shop, where in ((purchases, one), (other, two)):
        where.output.parent.mkdir()
        searched(shop, where, taught)
    assert found(one) == found(two)


def test_the_days_before_them_do(tmp_path: Path, purchases: Purchases) -> None:
    cut = purchases.time.max() - CONFIG.evaluation.test_days * DAY
    asked = (purchases.time < cut) & (purchases.time >= cut - CONFIG.evaluation.test_days * DAY)
    other = select_lines(purchases, ~asked | (purchases.user % 2 == 0))
    searched(purchases, plan(tmp_path, trials=1))
    with pytest.raises(
        InputError, match=r"study: was made with other purchases; remove it or name another"
    ):
        searched(other, plan(tmp_path, trials=1))


def test_the_same_command_again_does_what_is_left(tmp_path: Path, purchases: Purchases) -> None:
    one, two = (plan(tmp_path / name, trials=3) for name in ("one", "two"))
    for where in (one, two):
        where.output.parent.mkdir()
    searched(purchases, one)
    stream = StringIO()
    searched(purchases, replace(two, trials=2))
    searched(purchases, two, stream=stream)
    told = [
        line.partition(":")[0]
        for line in stream.getvalue().splitlines()
        if line.startswith("Trial")
    ]
    assert told == ["Trial 3"]
    assert found(one) == found(two)
    assert one.output.read_text() == two.output.read_text()
    assert searched(purchases, two).trials == 3


def test_a_study_of_other_base_settings_is_refused(tmp_path: Path, purchases: Purchases) -> None:
    searched(purchases, plan(tmp_path, trials=1))
    other = CONFIG.model_copy(update={"model": replace(BLEND, seed=1)})
    with pytest.raises(InputError, match="was made with other base settings"):
        searched(purchases, plan(tmp_path, trials=1), other)


def test_minutes_end_before_a_trial_that_would_not_fit(
    tmp_path: Path, purchases: Purchases
) -> None:
    clock = Clock()
    reporter, minutes = Reporter(StringIO(), clock), 0.3
    tuned = tune(purchases, CONFIG, plan(tmp_path, minutes=minutes), reporter, started=0)
    seconds = [trial.seconds for trial in trials(plan(tmp_path))]
    assert tuned.trials == len(seconds) > 1
    assert clock.now <= 60 * minutes < clock.now + sum(seconds) / len(seconds)


def test_the_base_settings_are_tried_however_few_the_minutes(
    tmp_path: Path, purchases: Purchases
) -> None:
    for _ in range(2):
        tuned = searched(purchases, plan(tmp_path, minutes=1e-9))
        assert tuned.trials == 1
        assert tuned.changes == {}
        assert tuned.verdict == "Best of 1 trials: the base settings; nothing better was found."
    assert tomllib.loads((tmp_path / "best.toml").read_text()) == {}


def test_each_trial_is_told_with_the_best_so_far_and_the_time_left(
    tmp_path: Path, purchases: Purchases
) -> None:
    stream = StringIO()
    tuned = searched(purchases, plan(tmp_path, trials=3), stream=stream)
    told = stream.getvalue().splitlines()
    assert [line.partition(":")[0] for line in told[::2]] == ["Trial 1", "Trial 2", "Trial 3"]
    assert (
        told[1]
        .strip()
        .startswith("1.0000 times the base settings' Recall, best so far 1.0000 (trial 1), about ")
    )
    assert f"best so far {tuned.best.value:.4f}" in told[5]
    assert told[5].endswith("about 0.0 min left")


def test_the_time_left_is_that_of_the_trials_or_of_the_minutes_whichever_ends_first(
    tmp_path: Path, purchases: Purchases
) -> None:
    stream = StringIO()
    searched(purchases, plan(tmp_path, trials=2, minutes=60), stream=stream)
    told = stream.getvalue().splitlines()
    assert told[3].endswith("about 0.0 min left")


def test_a_customer_of_both_tasks_weighs_in_both_and_every_task_the_same() -> None:
    askers = {
        "all": np.ones(40, np.bool_),
        "discovery": np.arange(40) < 20,
        "rare": np.arange(40) < 2,
    }
    base = {"all": np.full(40, 0.5), "discovery": np.full(20, 0.1), "rare": np.full(2, 1.0)}
    assert value_of_customers(base, base, askers).tolist() == pytest.approx([1.5] * 20 + [0.5] * 20)
    better = base | {"all": np.full(40, 0.6), "rare": np.zeros(2)}
    assert value_of_customers(better, base, askers).mean() == pytest.approx((0.6 / 0.5 + 1) / 2)
    nothing = {task: np.zeros(len(found)) for task, found in base.items()}
    assert value_of_customers(nothing, base, askers).mean() == 0
    with pytest.raises(InputError, match="the base settings find nothing of what was bought"):
        value_of_customers(base, nothing, askers)


def tuned(gain: Mean, values: dict[str, float]) -> TuningResult:
    base = Trial(dict.fromkeys(values, 0.0), {"all": np.array([0.5])}, 1.0, 1.0)
    best = Trial(values, {"all": np.array([0.6])}, 1 + gain.value, 1.0)
    return TuningResult(
        base, best, 7, gain, {"all": gain}, 10, (0, 50 * DAY, 78 * DAY), stopped=False
    )


def test_a_gain_within_chance_is_called_so() -> None:
    sure, unsure = (tuned(Mean(0.02, low, 0.03), {"factors.alpha": 2.0}) for low in (0.01, -0.01))
    assert (
        sure.verdict
        == "Best of 7 trials: +2.0% Recall@10 (95 %: +1.0% to +3.0%) against the base settings."
    )
    assert unsure.verdict.endswith("; this is within chance, the base settings may serve as well.")


@pytest.mark.parametrize(
    "base",
    [
        "",
        "model.factors.factors = 9\nprocesses = 1\n",
        "model = {factors = {alpha = 1.0}}\n[columns]\ncustomer_id = 'household'\n",
        "[model.factors]\nalpha = 1\n[registry]\nkeep = 2\n[model.popular]\nhalf_life_days = 3.0\n",
        "[model]\nseed = 3\nhistory.kind_weights = {view = 0.1, cart = 0.5}\n",
    ],
)
def test_everything_of_the_base_file_stays_but_what_is_better(tmp_path: Path, base: str) -> None:
    changes = {"factors.alpha": 2.5, "popular.half_life_days": 7.0}
    path = tmp_path / "base.toml"
    path.write_text(base)
    before = read_config(path)
    path.write_text(
        render_settings_file(tomllib.loads(base), tuned(Mean(0.02, 0.01, 0.03), changes))
    )
    assert read_config(path) == before.model_copy(
        update={"model": apply_values(before.model, changes)}
    )
    heading = path.read_text().splitlines()[:3]
    assert heading[1].startswith(
        "# Learned from purchases of 1970-01-01 to 1970-02-20, measured on those until 1970-03"
    )
    assert heading[2].startswith("# Best of 7 trials: +2.0%")


def arguments(folder: Path, *more: str | Path) -> list[str]:
    """`tune` on the corner shop."""
    files = [
        "--purchases",
        write(folder, rows()),
        "--config",
        settings(folder),
        "--output",
        folder / "best.toml",
    ]
    return [str(argument) for argument in ("tune", *files, *more)]


def test_training_takes_what_was_found_and_it_says_where_it_came_from(
    tmp_path: Path, capsys: Said
) -> None:
    assert run(*arguments(tmp_path, "--trials", "3", "--until", "2025-08-01")) == 0
    told, progress = capsys.readouterr()
    assert "Trial 1: " in progress
    assert told.index("What was read") < told.index("What was found")
    assert progress.count("\n  1.0000 times the base settings' Recall") >= 1
    assert f"Written to {tmp_path / 'best.toml'}, for train --config" in told
    assert (
        f"The trials are kept in {tmp_path / 'best.toml.study'}: the same command goes on with a higher"
        in told
    )
    config = read_config(tmp_path / "best.toml")
    assert (config.processes, config.evaluation.k, config.model.factors.iterations) == (1, 2, 2)
    history = ("--purchases", tmp_path / "orders.csv", "--registry", tmp_path / "registry")
    assert run("train", *history, "--config", tmp_path / "best.toml") == 0
    assert open_shop(Registry(tmp_path / "registry")).settings == config.model


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(
    tmp_path: Path, capsys: Said
) -> None:
    command = arguments(tmp_path, "--minutes", "60")
    with subprocess.Popen(
        [sys.executable, "-m", "training", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=unmeasured(),
    ) as tuning:
        assert tuning.stdout is not None
        assert any("best so far" in line for line in tuning.stdout)
        tuning.send_signal(signal.SIGINT)
        told, _ = tuning.communicate()
    assert tuning.returncode == 130
    assert "Traceback" not in told
    assert (
        f"Stopped; the trials are kept in {tmp_path / 'best.toml.study'}: the same command goes on.\n"
        in told
    )
    done = int(told.rpartition("Best of ")[2].split()[0])
    read_config(tmp_path / "best.toml")
    assert run(*arguments(tmp_path, "--trials", str(done + 1))) == 0
    told = capsys.readouterr().err
    assert f"Trial {done + 1}: " in told
    assert f"Trial {done}: " not in told


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--minutes", "0"], "--minutes 0: expected more than 0"),
        (["--minutes", "nan"], "--minutes nan: expected more than 0"),
        (["--trials", "0"], "--trials 0: expected at least 1"),
        (["--seed", "-1"], "--seed -1: expected at least 0"),
        (
            ["--output", "nowhere/best.toml"],
            "--output nowhere/best.toml: expected a file in a folder that exists",
        ),
        (["--output", "."], "--output .: expected a file in a folder that exists"),
        (["--output", "/proc/best.toml"], "--output /proc/best.toml: "),
        (
            ["--output", "shop.toml"],
            "--output shop.toml: expected another file than --study and --config",
        ),
        (
            ["--study", "best.toml"],
            "--output best.toml: expected another file than --study and --config",
        ),
        (
            ["--study", "shop.toml"],
            "--output best.toml: expected another file than --study and --config",
        ),
        (
            ["--study", "orders.csv"],
            "--study orders.csv: no study, or a damaged one (line 1); remove it or name anoth",
        ),
        (
            ["--until", "2025-05-02"],
            "Nothing can be tuned: no purchase is older than the last",
        ),
        (
            ["--until", "2025-05-05"],
            "Nothing can be tuned: the history is too short or has too few returning cust",
        ),
    ],
)
def test_what_cannot_be_tuned_is_refused_in_one_sentence(
    tmp_path: Path, capsys: Said, options: list[str], said: str
) -> None:
    write(tmp_path, rows())
    settings(tmp_path, SETTINGS)
    given = dict(zip(options[::2], options[1::2], strict=True))
    files = {"--purchases": "orders.csv", "--config": "shop.toml", "--output": "best.toml"} | given
    files = {
        name: value
        if name in ("--until", "--minutes", "--trials", "--seed")
        else str(Path(tmp_path, value))
        for name, value in files.items()
    }
    assert run("tune", *(part for entry in files.items() for part in entry)) == 2
    *_, last = (
        capsys.readouterr().err.replace(f"{tmp_path}/", "").replace(str(tmp_path), ".").splitlines()
    )
    assert last.startswith(f"Error: {said}")
    assert not (tmp_path / "best.toml").exists()


def test_the_summary_sets_base_and_best_side_by_side(tmp_path: Path) -> None:
    reporter = Reporter(StringIO())
    with reporter.console.capture() as said:
        print_tuned(
            reporter.console,
            tuned(Mean(0.02, 0.01, 0.03), {"factors.alpha": 2.5}),
            plan(tmp_path, trials=7),
        )
    cells = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in said.get().splitlines()
        if "│" in line
    ]
    assert cells == [
        ["factors.alpha", "0", "2.5", ""],
        ["Recall@10, all", "0.5000", "0.6000", "+0.0200, +0.0100 to +0.0300"],
    ]
