"""Intervals that hold at every look, and what they cost against one look at the end."""

import numpy as np
import pytest

from training.insights.statistics.always_valid import boundary, half_width
from training.insights.statistics.compare import TWO_SIDED

LOOKS = np.arange(1, 61) / 60


def paths(count: int, drift: float = 0.0) -> np.ndarray:
    """Brownian motions at 60 looks, with a drift in standard errors at the end."""
    random = np.random.default_rng(7)
    steps = random.standard_normal((count, len(LOOKS))) / np.sqrt(len(LOOKS))
    return steps.cumsum(axis=1) + drift * LOOKS


def test_chance_alone_crosses_the_boundary_in_at_most_five_of_a_hundred_ever() -> None:
    crossed = (np.abs(paths(20_000)) > boundary(LOOKS)).any(axis=1).mean()
    assert crossed < 0.03
    random = np.random.default_rng(8)  # far beyond the planned end, in looks ever further apart
    far = np.geomspace(0.01, 1e6, 800)
    steps = random.standard_normal((5_000, len(far))) * np.sqrt(np.diff(far, prepend=0))
    assert (np.abs(steps.cumsum(axis=1)) > boundary(far)).any(axis=1).mean() < 0.05


def test_three_of_five_differences_are_found_that_one_look_finds_in_four() -> None:
    found = (np.abs(paths(20_000, drift=2.8016)) > boundary(LOOKS)).any(axis=1).mean()
    assert found > 0.58


def test_the_boundary_is_where_the_mixture_is_twenty() -> None:
    random = np.random.default_rng(9)
    means = np.where(random.random(400_000) < 0.5, 2.7, -2.7)
    drifts = means + 0.8 * random.standard_normal(len(means))
    for variance in (0.2, 1.0):
        s = float(boundary(variance))
        ratio = np.exp(drifts * s - drifts**2 * variance / 2).mean()
        assert ratio == pytest.approx(20, rel=0.02)


def test_at_the_planned_end_it_is_less_than_half_as_wide_again() -> None:
    error, customers = 0.02, 5_000
    planned = error * customers
    half = half_width([error, error / 2], [customers, 4 * customers], planned)
    assert half[0] / error / TWO_SIDED == pytest.approx(1.43, abs=0.01)
    assert half[1] < half[0]


def test_where_nothing_varies_yet_nothing_is_known() -> None:
    assert half_width(0.0, 100, 1.0) == np.inf
