"""Experiments: whether assignment is chance, and whether the intervals keep what they say.

python -m benchmarks.experiments assignment
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.stats import chi2, chi2_contingency

from models.data.events import DAY
from models.experiments.assignment import BUCKETS, bucket_of, derive_key, part_of
from training.insights.statistics.always_valid import half_width
from training.insights.statistics.compare import ERRORS_AT_POWER, MIN_CUSTOMERS, TWO_SIDED

SECRET: Final = b"benchmark"
DAYS: Final = 60  # of an experiment, looked at daily
STARTS: Final = ("2010-06-01", "2010-09-01", "2011-02-01", "2011-05-01", "2011-08-01")
ENTRY_DAYS: Final = 10.0  # mean time from the start to a customer's first slate
CAPPED_SHARE: Final = 0.01
EXPERIMENTS_AT_ONCE: Final = 250
Floats = NDArray[np.float64]

SHARES: Final = ((5_000, 5_000), (200, 4_800, 5_000), (9_000, 1_000), (2_500,) * 4)


def assign(experiment: int, customers: int) -> NDArray[np.int8]:
    """Return the part of each customer in one experiment: (customers,)."""
    key = derive_key(SECRET, f"variants {experiment}")
    shares = SHARES[experiment % len(SHARES)]
    part_of_bucket = np.array([part_of(bucket, shares) for bucket in range(BUCKETS)], np.int8)
    buckets = (bucket_of(key, str(number)) for number in range(customers))
    return part_of_bucket[np.fromiter(buckets, np.int32, customers)]


def measure_assignment(experiments: int, customers: int) -> dict[str, Any]:
    """Return the least p of all shares and of all pairs, and whether a second process agrees."""
    parts = [assign(experiment, customers) for experiment in range(experiments)]
    shares = [_chance_of_shares(part, number) for number, part in enumerate(parts)]
    pairs = [_chance_of_pair(*pair) for pair in combinations(parts, 2)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        elsewhere = pool.starmap(assign, [(number, customers) for number in range(experiments)])
    return {
        "customers": customers,
        "experiments": experiments,
        "least p of shares, times experiments": min(shares) * len(shares),
        "least p of pairs, times pairs": min(pairs) * len(pairs),
        "same in another process": np.array_equal(parts, elsewhere),
    }


def _chance_of_shares(part: NDArray[np.int8], experiment: int) -> float:
    shares = SHARES[experiment % len(SHARES)]
    expected = np.array(shares) / BUCKETS * len(part)
    counted = np.bincount(part, minlength=len(shares))
    return float(chi2.sf(((counted - expected) ** 2 / expected).sum(), len(shares) - 1))


def _chance_of_pair(first: NDArray[np.int8], second: NDArray[np.int8]) -> float:
    width = int(second.max()) + 1
    table = np.bincount(first.astype(np.int64) * width + second).reshape(-1, width)
    return float(chi2_contingency(table).pvalue)


@dataclass(frozen=True, eq=False)
class Histories:
    """Hold n customers around the start of an experiment, and when each sees the first slate."""

    spent: Floats  # (n, DAYS) since their first slate, up to each day; capped
    before: Floats  # (n,) in as many days before the start, capped
    earlier: Floats  # (n,) in as many days before that, capped
    entered: Floats  # (n, DAYS) 1 from the day of their first slate on

    def with_effect(self, effect: float) -> Floats:
        """Return what they would spend where every order were larger by a share: (n, DAYS)."""
        return self.spent * (1 + effect)


def read_histories(path: Path, seed: int = 1) -> Histories:
    """Return customers who bought within a year before the start of one of five windows."""
    columns = ["customer_id", "invoice_date", "quantity", "unit_price"]
    table = pq.read_table(path, columns=columns).drop_null()
    time = table["invoice_date"].to_numpy().astype("datetime64[s]").astype(np.int64)
    money = table["quantity"].to_numpy() * table["unit_price"].to_numpy()
    _, customer = np.unique(table["customer_id"].to_numpy(), return_inverse=True)
    sold, random = money > 0, np.random.default_rng(seed)
    parts = []
    for start in STARTS:
        day = (time - np.datetime64(start, "s").astype(np.int64)) // DAY
        parts.append(_cut(customer[sold], day[sold], money[sold], random))
    joined = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
    return Histories(*joined)


def _cut(
    customer: NDArray[np.int64],
    day: NDArray[np.int64],
    money: Floats,
    random: np.random.Generator,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the arrays of Histories around one start. `day`: since the start."""
    customers = int(customer.max()) + 1
    daily = np.zeros((customers, 3 * DAYS))
    inside = (day >= -2 * DAYS) & (day < DAYS)
    np.add.at(daily, (customer[inside], day[inside] + 2 * DAYS), money[inside])
    active = np.zeros(customers, np.bool_)
    active[customer[(day >= -365) & (day < 0)]] = True
    daily = daily[active]
    entry = np.minimum(random.exponential(ENTRY_DAYS, len(daily)).astype(int), DAYS - 1)
    entered = (np.arange(DAYS) >= entry[:, None]).astype(np.float64)
    spent = (daily[:, 2 * DAYS :] * entered).cumsum(axis=1)
    before, earlier = daily[:, DAYS : 2 * DAYS].sum(axis=1), daily[:, :DAYS].sum(axis=1)
    cap = np.quantile(before[before > 0], 1 - CAPPED_SHARE)
    return np.minimum(spent, cap), np.minimum(before, cap), np.minimum(earlier, cap), entered


@dataclass(frozen=True, eq=False)
class Moments:
    """Hold the moments of one variant of e experiments at each look: (e, DAYS) each."""

    count: Floats
    mean: Floats
    mean_before: Floats
    variance: Floats
    variance_before: Floats
    covariance: Floats

    @classmethod
    def of(cls, weights: Floats, spent: Floats, histories: Histories) -> Moments:
        """Return the moments where experiment e has a customer `weights[e, customer]` times."""
        entered, before = histories.entered, histories.before[:, None]
        count = np.maximum(weights @ entered, 2)
        mean, mean_before = weights @ spent / count, weights @ (entered * before) / count
        freedom = count / (count - 1)
        return cls(
            count,
            mean,
            mean_before,
            (weights @ spent**2 / count - mean**2) * freedom,
            (weights @ (entered * before**2) / count - mean_before**2) * freedom,
            (weights @ (spent * before) / count - mean * mean_before) * freedom,
        )


@dataclass(frozen=True, eq=False)
class Looks:
    """Hold differences of two variants with their standard errors, at each look: (e, DAYS)."""

    difference: Floats
    error: Floats
    customers: Floats


def estimate(control: Moments, treatment: Moments, *, reduced: bool = True) -> Looks:
    """Return the difference of the means, reduced by what was before as tea-tasting does."""
    n, m = control.count, treatment.count
    total = n + m
    between = n * m / total  # of the two means, in the sums over both variants
    apart = treatment.mean_before - control.mean_before
    covariance = (n - 1) * control.covariance + (m - 1) * treatment.covariance
    covariance = covariance + between * apart * (treatment.mean - control.mean)
    variance = (n - 1) * control.variance_before + (m - 1) * treatment.variance_before
    variance = variance + between * apart**2
    slope = covariance / np.maximum(variance, 1e-12) if reduced else np.zeros_like(total)

    def error_of(one: Moments) -> Floats:
        left = one.variance + slope**2 * one.variance_before - 2 * slope * one.covariance
        return np.maximum(left, 0) / one.count

    difference = treatment.mean - control.mean - slope * apart
    return Looks(difference, np.sqrt(error_of(control) + error_of(treatment)), total)


def simulate(
    histories: Histories, effect: float, experiments: int, customers: int, seed: int
) -> Iterator[tuple[Looks, Looks]]:
    """Yield the looks at experiments of so many customers: reduced by what was before, and not."""
    random, treated = np.random.default_rng(seed), histories.with_effect(effect)
    rate = customers / 2 / len(histories.before)
    for start in range(0, experiments, EXPERIMENTS_AT_ONCE):
        size = (min(EXPERIMENTS_AT_ONCE, experiments - start), len(histories.before))
        control = Moments.of(random.poisson(rate, size).astype(float), histories.spent, histories)
        treatment = Moments.of(random.poisson(rate, size).astype(float), treated, histories)
        yield estimate(control, treatment), estimate(control, treatment, reduced=False)


def plan_error(histories: Histories, customers: int) -> float:
    """Return the error of the sum that is expected at the planned end, from the past alone."""
    slope, variance = np.cov(histories.before, histories.earlier), np.var(histories.before, ddof=1)
    left = variance - slope[0, 1] ** 2 / slope[1, 1]
    return float(np.sqrt(left * 4 / customers) * customers)


@dataclass(frozen=True)
class Kept:
    """Hold what the two intervals did, as shares of all simulated experiments."""

    fixed_wrong: float  # the fixed interval at the end does not hold the true effect
    fixed_found: float  # it does not hold 0
    always_wrong: float  # the always valid one does not hold it at one look at least
    always_found: float  # it does not hold 0 at one look at least
    width: float  # mean at the planned end, of the fixed one's
    variance_left: float  # of the differences at the end, of those that are not reduced
    unexplained: float  # 1 less the square of the correlation with what was before


def measure_intervals(
    histories: Histories, effect: float, experiments: int, customers: int, seed: int = 1
) -> Kept:
    """Return what the two intervals keep in experiments of so many customers."""
    planned = plan_error(histories, customers)
    truth = _true_effects(histories, effect)
    rows, plain_differences, differences = [], [], []
    for looks, plain in simulate(histories, effect, experiments, customers, seed):
        half = half_width(looks.error, looks.customers, planned)
        half = np.where(looks.customers >= 2 * MIN_CUSTOMERS, half, np.inf)
        fixed, missed = TWO_SIDED * looks.error[:, -1], np.abs(looks.difference - truth)
        row = (
            missed[:, -1] > fixed,
            np.abs(looks.difference[:, -1]) > fixed,
            (missed > half).any(axis=1),
            (np.abs(looks.difference) > half).any(axis=1),
            half[:, -1] / fixed,
        )
        rows.append(np.array(row, np.float64))
        differences.append(looks.difference[:, -1])
        plain_differences.append(plain.difference[:, -1])
    shares = np.concatenate(rows, axis=1).mean(axis=1).tolist()
    variance = np.var(np.concatenate(differences)) / np.var(np.concatenate(plain_differences))
    correlation = np.corrcoef(histories.spent[:, -1], histories.before)[0, 1]
    names = ("fixed_wrong", "fixed_found", "always_wrong", "always_found", "width")
    kept = dict(zip(names, shares, strict=True))
    return Kept(**kept, variance_left=float(variance), unexplained=float(1 - correlation**2))


def _true_effects(histories: Histories, effect: float) -> Floats:
    """Return the true difference of the customers who have entered by each day: (DAYS,)."""
    gained = histories.with_effect(effect) - histories.spent
    result: Floats = gained.sum(axis=0) / np.maximum(histories.entered.sum(axis=0), 1)
    return result


def find_effect(histories: Histories, customers: int) -> float:
    """Return the relative effect that the fixed interval finds at the end in 80 % of all cases."""
    spent, before = histories.spent[:, -1], histories.before
    slope = np.cov(spent, before)
    left = slope[0, 0] - slope[0, 1] ** 2 / slope[1, 1]
    return float(ERRORS_AT_POWER * np.sqrt(left * 4 / customers) / spent.mean())


def report_intervals(path: Path, customers: int, null: int, real: int) -> dict[str, Any]:
    """Return what the intervals do without an effect and with one."""
    histories = read_histories(path)
    effect = find_effect(histories, customers)
    return {
        "histories": len(histories.before),
        "customers": customers,
        "effect": effect,
        "A/A": vars(measure_intervals(histories, 0.0, null, customers, seed=1)),
        "A/B": vars(measure_intervals(histories, effect, real, customers, seed=2)),
    }


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments")
    commands = parser.add_subparsers(dest="command", required=True)
    assignment = commands.add_parser("assignment", help="shares and independence of experiments")
    assignment.add_argument("--customers", type=int, default=1_000_000)
    assignment.add_argument("--experiments", type=int, default=20)
    intervals = commands.add_parser("intervals", help="what the two intervals keep")
    intervals.add_argument("--data", type=Path, required=True, help="online_retail_ii.parquet")
    intervals.add_argument("--customers", type=int, default=100_000)
    intervals.add_argument("--null", type=int, default=10_000, help="experiments without an effect")
    intervals.add_argument("--real", type=int, default=2_000, help="experiments with one")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = build_parser().parse_args(arguments)
    if options.command == "assignment":
        found = measure_assignment(options.experiments, options.customers)
    else:
        found = report_intervals(options.data, options.customers, options.null, options.real)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
