"""What a unit's figures are, counted by hand, and an interval that keeps what it promises."""

import numpy as np
import pytest
from scipy.stats import binomtest

from models.bundles.figures import UnitCounts, find_wilson_interval

# Of 1,000 orders 100 hold bread; 40 of these hold butter, and 60 of the others.
COUNTS = UnitCounts(whole=40, given=100, rest=100, total=1000)


def test_confidence_and_lift_are_those_of_the_whole_unit() -> None:
    assert COUNTS.confidence == pytest.approx(40 / 100)
    assert COUNTS.lift == pytest.approx((40 / 1000) / (100 / 1000 * 100 / 1000))
    assert UnitCounts(0, 100, 0, 1000).lift is None


def test_a_gain_is_the_price_times_who_lacks_it_times_the_tie_beyond_the_base_rate() -> None:
    base_rate = 60 / 900
    gain = COUNTS.gain(3.0)
    assert gain.value == pytest.approx(3.0 * (1 - 0.4) * (0.4 - base_rate))
    assert gain.low < gain.value < gain.high


def test_who_would_have_bought_both_anyway_saves_as_well() -> None:
    base_rate = 60 / 900
    gain = COUNTS.gain(3.0, saving=0.5)
    assert gain.value == pytest.approx(2.5 * 0.6 * (0.4 - base_rate) - 0.4 * 0.5)
    assert COUNTS.gain(3.0, saving=2.0).value < 0


def test_products_that_avoid_each_other_gain_nothing_and_lose_the_saving() -> None:
    apart = UnitCounts(whole=1, given=100, rest=400, total=1000)
    assert apart.gain(3.0).value == 0
    assert apart.gain(3.0, saving=0.5).value == pytest.approx(-0.01 * 0.5)


def test_a_price_that_is_given_away_whole_is_no_division_by_zero() -> None:
    assert COUNTS.gain(3.0, saving=3.0).value == pytest.approx(-0.4 * 3.0)


def test_more_orders_make_the_interval_narrower() -> None:
    widths = []
    for times in (1, 10, 100):
        gain = UnitCounts(4 * times, 10 * times, 10 * times, 100 * times).gain(3.0)
        widths.append(gain.high - gain.low)
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("counts", [(0, 7), (3, 7), (7, 7), (40, 1000)])
def test_an_interval_of_a_share_is_the_one_of_the_textbook(counts: tuple[int, int]) -> None:
    bounds = binomtest(*counts).proportion_ci(0.95, method="wilson")
    assert find_wilson_interval(*counts) == pytest.approx((bounds.low, bounds.high), abs=1e-6)


def test_of_nothing_tried_anything_may_be_true() -> None:
    assert find_wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("saving", [0.0, 0.4])
@pytest.mark.parametrize("shares", [(0.3, 0.1), (0.8, 0.3), (0.05, 0.01)])
def test_19_of_20_intervals_hold_the_truth(shares: tuple[float, float], saving: float) -> None:
    random = np.random.default_rng(3)
    p, q, price = *shares, 2.0
    truth = (1 - p) * (p - q) * (price - saving) - p * saving
    held = []
    for _ in range(400):
        whole, elsewhere = int(random.binomial(200, p)), int(random.binomial(800, q))
        gain = UnitCounts(whole, 200, whole + elsewhere, 1000).gain(price, saving)
        held.append(gain.low <= truth <= gain.high)
    assert 0.92 <= np.mean(held) <= 0.995
