"""Trials are kept, gone on with, and never mixed with those of something else."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from models.settings import ModelSettings
from training.config import Config
from training.errors import InputError
from training.tuning.study import RANGES, Study, Trial, Values, apply_values

BASE = ModelSettings()
IDENTITY = {"purchases": "of 2025", "base settings": "ours"}


def study(path: Path, base: ModelSettings = BASE, seed: int = 0) -> Study:
    return Study(path, IDENTITY, base, seed)


def search(path: Path, trials: int, seed: int = 0) -> list[Values]:
    """Trials whose value is higher the less regularized the factors."""
    found = study(path, seed=seed)
    while len(found.trials) < trials:
        asked, values = found.ask()
        value = 1 / values["factors.regularization"]
        found.tell(asked, Trial(values, {"all": np.array([value])}, value, 2.5))
    return [trial.values for trial in found.trials]


def refusal(path: Path, identity: dict[str, str] = IDENTITY) -> str:
    with pytest.raises(InputError) as refused:
        Study(path, identity, BASE, 0)
    return str(refused.value)


def test_every_range_names_a_setting_of_its_kind_and_holds_the_default(tmp_path: Path) -> None:
    for given, value in study(tmp_path / "study").base.items():
        (found,) = [one for one in RANGES if one.name == given]
        assert found.low < value < found.high
        assert type(found.low) is type(found.high) is type(value)


@pytest.mark.parametrize("name", [given.name for given in RANGES])
def test_a_setting_can_stand_alone_in_a_file(name: str) -> None:
    content: Any = 99
    for part in ("model", *name.split("."))[::-1]:
        content = {part: content}
    assert Config.model_validate(content).model == apply_values(BASE, {name: 99})


def test_the_first_trial_has_the_base_settings_even_beyond_the_ranges(tmp_path: Path) -> None:
    factors = replace(BASE.factors, factors=7, regularization=1234.5678, alpha=0.0)
    _, values = study(tmp_path / "study", replace(BASE, factors=factors)).ask()
    assert apply_values(BASE, values) == replace(BASE, factors=factors)


@contextmanager
def ctrl_c_at(line: int) -> Iterator[None]:
    """Pressed when this many lines of what writes the file have been run."""
    left, before = count(line, -1), sys.gettrace()

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.endswith("optuna/storages/journal/_file.py"):
            return None
        if event == "line" and next(left) == 0:
            signal.raise_signal(signal.SIGINT)
        return trace

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def test_a_trial_is_written_whole_whenever_ctrl_c_is_pressed(tmp_path: Path) -> None:
    found = study(tmp_path / "study")
    for line in range(0, 60, 3):
        asked, values = found.ask()
        with pytest.raises(KeyboardInterrupt), ctrl_c_at(line):
            found.tell(asked, Trial(values, {"all": np.array([1.0])}, 1.0, 2.5))
        assert [path.name for path in tmp_path.iterdir()] == ["study"]
    assert len(found.trials) == len(study(tmp_path / "study").trials) == 20


def test_what_is_asked_has_three_digits(tmp_path: Path) -> None:
    for values in search(tmp_path / "study", 12)[1:]:
        assert all(value == float(f"{value:.3g}") for value in values.values())
        assert isinstance(values["factors.factors"], int)


def test_trials_are_read_back_as_they_were_told(tmp_path: Path) -> None:
    path = tmp_path / "study"
    told = search(path, 3)
    read = study(path)
    assert [trial.values for trial in read.trials] == told
    assert [(trial.seconds, trial.value) for trial in read.trials] == [
        (2.5, float(trial.recall["all"].mean())) for trial in read.trials
    ]


def test_a_search_that_was_interrupted_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = search(tmp_path / "whole", 14)
    parts = tmp_path / "parts"
    for trials in (0, 1, 5, 13):
        assert search(parts, trials) == whole[:trials]
        study(parts).ask()  # and never heard of again
    assert search(parts, 14) == whole


def test_another_seed_searches_elsewhere_from_the_same_start(tmp_path: Path) -> None:
    one, other = (search(tmp_path / str(seed), 3, seed) for seed in (1, 2))
    assert one[0] == other[0]
    assert one[1] != other[1]
    assert one[2] != other[2]


def test_a_search_learns_from_its_trials(tmp_path: Path) -> None:
    found = [values["factors.regularization"] for values in search(tmp_path / "study", 40)]
    assert np.mean(found[-10:]) < 0.6 * np.mean(found[:10])


def test_a_study_of_something_else_is_refused_by_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "study"
    search(path, 1)
    said = refusal(path, IDENTITY | {"purchases": "of 2026"})
    assert said == f"--study {path}: was made with other purchases; remove it or name another"
    assert "other purchases and other base settings;" in refusal(
        path, dict.fromkeys(IDENTITY, "theirs")
    )


@pytest.mark.parametrize(
    "content", ["customer_id,product_id\n", "a note", "[1]\n", '{"op_code":99}\n', "\x00\n"]
)
def test_a_file_that_is_no_study_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "study"
    path.write_text(content)
    assert refusal(path).startswith(f"--study {path}: no study, or a damaged one (")
    assert path.read_text() == content


def test_a_damaged_study_is_refused_by_line(tmp_path: Path) -> None:
    path = tmp_path / "study"
    search(path, 2)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(whole[:-5])  # as a full disk leaves it
    assert f"(line {len(lines)})" in refusal(path)
    path.write_bytes(lines[0] + b"#" + b"".join(lines[1:]))
    assert "(line 2)" in refusal(path)
    path.write_bytes(b"".join(line for line in lines if b"recall" not in line))
    assert "('recall')" in refusal(path)


def test_a_study_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"--study {tmp_path}: Is a directory"
    assert refusal(tmp_path / "nowhere" / "study").endswith(": No such file or directory")
