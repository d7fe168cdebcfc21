"""The gate: what is worse than the active version beyond chance is not published, and says by how much."""

import numpy as np
import pytest

from training.evaluation.evaluate import Evaluation
from training.evaluation.gate import GateComparison, compare
from training.evaluation.methods import (
    BASELINES,
    OWN_PURCHASES,
    POPULARITY,
    RECENT_POPULARITY,
    SERVED,
)
from training.evaluation.metrics import Mean


def evaluation(task: str = "all", **recalls: list[float]) -> Evaluation:
    """Recall of 40 customers by method; baselines that are not named are at 0."""
    names = {
        "served": SERVED,
        "popularity": POPULARITY,
        "recent": RECENT_POPULARITY,
        "own": OWN_PURCHASES,
    }
    values = {names[name]: np.array([recall, recall]).T for name, recall in recalls.items()}
    values = {name: np.zeros((len(recalls["served"]), 2)) for name in BASELINES} | values
    return Evaluation(0, 0, 10, {task: values}, {}, {}, {}, {}, {}, {}, {}, {}, (), {})


def refusals(candidate: Evaluation, active: Evaluation | None = None) -> list[str]:
    return [str(found) for found in compare(candidate, active, seed=0) if found.worse]


def test_a_version_as_good_as_all_others_passes() -> None:
    half = [0.0, 1.0] * 20
    equal = evaluation(served=half, popularity=half, recent=half, own=half)
    assert refusals(equal, equal) == []
    assert {found.difference for found in compare(equal, equal, seed=0)} == {Mean(0, 0, 0)}


def test_a_version_worse_than_what_simply_sells_is_told_by_how_much_and_not_refused() -> None:
    lost = compare(evaluation(served=[0.25] * 40, popularity=[0.5] * 40), None, seed=0)
    assert [found.refuses for found in lost if found.worse] == [False]
    (refusal,) = refusals(evaluation(served=[0.25] * 40, popularity=[0.5] * 40))
    assert (
        refusal
        == "all: Recall 0.2500 below popularity (interval of the difference -0.2500 to -0.2500)"
    )


def test_a_version_better_than_every_baseline_but_worse_than_the_active_one_is_refused() -> None:
    better = evaluation(served=[0.75] * 40)
    (refusal,) = refusals(evaluation(served=[0.5] * 40), better)
    lost = compare(evaluation(served=[0.5] * 40), better, seed=0)
    assert [found.against for found in lost if found.refuses] == ["the active version's settings"]
    assert "Recall 0.2500 below the active version's settings" in refusal


def test_a_difference_that_may_be_chance_passes() -> None:
    # One of 40 customers more is found by popularity: resampled, often none.
    close = evaluation(served=[0.0] + [1.0] * 39, popularity=[1.0] * 40)
    assert refusals(close) == []
    assert compare(close, None, seed=0)[0].difference.value == pytest.approx(-1 / 40)


def test_customers_are_compared_with_themselves_and_not_with_others() -> None:
    # Everyone loses a little: certain, though customers differ by far more than that.
    recalls = np.linspace(0, 0.9, 40)
    (refusal,) = refusals(evaluation(served=recalls.tolist(), popularity=(recalls + 0.01).tolist()))
    assert "Recall 0.0100 below popularity" in refusal


def test_every_task_is_compared_with_three_baselines_and_the_active_version() -> None:
    good = evaluation("discovery", served=[1.0] * 40)
    assert [(found.task, found.against) for found in compare(good, good, seed=0)] == [
        ("discovery", "popularity"),
        ("discovery", "popularity, 28 days"),
        ("discovery", "own purchases, decayed"),
        ("discovery", "the active version's settings"),
    ]


@pytest.mark.parametrize(("customers", "found"), [(19, 0), (20, 1)])
def test_a_handful_of_customers_cannot_refuse_a_version(customers: int, found: int) -> None:
    assert (
        len(refusals(evaluation(served=[0.0] * customers, popularity=[1.0] * customers))) == found
    )


@pytest.mark.parametrize(("high", "worse"), [(-0.001, True), (0.0, False), (0.1, False)])
def test_worse_means_that_the_whole_interval_is_below_zero(high: float, worse: bool) -> None:
    assert GateComparison("all", "popularity", Mean(-0.1, -0.2, high)).worse is worse
