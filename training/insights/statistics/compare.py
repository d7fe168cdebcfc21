"""Comparison of an experiment's variants: two intervals, both named in every answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, isfinite, log, sqrt
from typing import Any, Final

import pyarrow as pa
import tea_tasting as tt
from scipy.stats import norm
from tea_tasting.aggr import Aggregates

from models.experiments.guardrails import Guardrail
from training.insights.statistics.always_valid import LEVEL, half_width
from training.insights.statistics.metrics import (
    BEFORE,
    EARLIER,
    METRICS,
    VARIANT,
    ExperimentMetric,
    aggregate,
    prepare_customers,
)

MIN_CUSTOMERS: Final = 100  # of a variant; means of fewer are not nearly normal
SAMPLE_RATIO_ALARM: Final = 0.001  # chance of such numbers, below which something is broken
TWO_SIDED: Final = float(norm.ppf((1 + LEVEL) / 2))
POWER: Final = 0.8
ERRORS_AT_POWER: Final = TWO_SIDED + float(norm.ppf(POWER))  # of the least difference found
METRIC_OF: Final = {metric.name: metric for metric in METRICS}
MOST_ERRORS: Final = 600.0  # of which exp() is a number still


@dataclass(frozen=True, eq=False)
class Past:
    """Hold what was known of customers before the start, under names that end in `suffix`."""

    customers: Aggregates
    suffix: str = BEFORE
    before: str | None = EARLIER  # what they did before that, None where it is not known


@dataclass(frozen=True)
class PlannedEnd:
    """Hold what is expected at the planned end, by what customers did before the start."""

    customers: int  # of all variants
    shares: Mapping[str, float]  # of each variant, the control first
    past: Past | None = None  # where it is not that of the compared customers themselves


def compare_variants(
    customers: pa.Table,
    plan: PlannedEnd,
    guardrails: Sequence[Guardrail] = (),
    compared: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return what an experiment says by now, as JSON values.

    `customers`: a row for each customer that was assigned: `variant`, and the columns of
    `prepare_customers`. `compared`: those that are compared with the control, by default all.
    """
    customers = prepare_customers(customers)
    groups = aggregate(customers)
    names = list(plan.shares)
    counts = {name: groups[name].count() if name in groups else 0 for name in names}
    # All guardrails of an experiment together stop one variant without harm in one of twenty (after
    # Bonferroni; every look at each of them is in its interval).
    guarded_level = 1 - (1 - LEVEL) / max(len(guardrails) * (len(names) - 1), 1)
    comparisons, looks = [], []
    for name in names[1:] if compared is None else compared:
        if min(counts[names[0]], counts[name]) >= MIN_CUSTOMERS:
            pair = VariantPair(names[0], name, groups[names[0]], groups[name], plan)
            told = [metric for metric in METRICS if metric.varies([pair.control, pair.treatment])]
            comparisons += [pair.compare(metric) for metric in told]
            looks += [pair.judge(guardrail, guarded_level) for guardrail in guardrails]
    return {
        "level": LEVEL,
        "variants": [
            {"name": name, "share": plan.shares[name], "customers": counts[name]} for name in names
        ],
        "sample_ratio": _check_sample_ratio(groups, plan),
        "min_customers": MIN_CUSTOMERS,
        "comparisons": comparisons,
        "guardrails": looks,
    }


@dataclass(frozen=True, eq=False)
class VariantPair:
    """The control and one other variant."""

    control_name: str
    name: str
    control: Aggregates
    treatment: Aggregates
    plan: PlannedEnd

    def compare(self, metric: ExperimentMetric) -> dict[str, Any]:
        found = self._test(metric)
        return {
            "metric": metric.name,
            "variant": self.name,
            "control": self.control_name,
            "control_mean": _finite(found.control),
            "variant_mean": _finite(found.treatment),
            "difference": _finite(found.effect_size),
            "relative": _finite(found.rel_effect_size),
            "fixed": {
                "low": _finite(found.effect_size_ci_lower),
                "high": _finite(found.effect_size_ci_upper),
                "relative_low": _finite(found.rel_effect_size_ci_lower),
                "relative_high": _finite(found.rel_effect_size_ci_upper),
            },
            "always_valid": self._find_always_valid(metric, found, LEVEL),
            "variance_reduced": self._find_variance_reduced(metric),
        }

    def judge(self, guardrail: Guardrail, level: float) -> dict[str, Any]:
        """Return what a guardrail says by now; `is_crossed` is None where it cannot be told."""
        metric = METRIC_OF[guardrail.figure]
        look: dict[str, Any] = {
            "metric": metric.name,
            "variant": self.name,
            "harm": guardrail.harm,
            "relative": None,
            "relative_low": None,
            "relative_high": None,
            "is_crossed": None,
        }
        if not metric.varies([self.control, self.treatment]):
            return look
        found = self._test(metric)
        interval = self._find_always_valid(metric, found, level) or {}
        low, high = interval.get("relative_low"), interval.get("relative_high")
        crossed = low is not None and high is not None and guardrail.is_crossed(low, high)
        told = {"relative": _finite(found.rel_effect_size), "relative_low": low}
        return {**look, **told, "relative_high": high, "is_crossed": crossed}

    def _test(self, metric: ExperimentMetric) -> Any:
        test = metric.test([self.control, self.treatment], confidence_level=LEVEL)
        return test.analyze_aggregates(self.control, self.treatment)

    def _find_always_valid(
        self, metric: ExperimentMetric, found: Any, level: float
    ) -> dict[str, float | None] | None:
        """Return the interval that holds at every look; None where nothing was before the start."""
        planned = self._find_planned_error(metric)
        error = _error_of(found)
        if not planned > 0 or not error > 0:
            return None
        customers = self.control.count() + self.treatment.count()
        half = float(half_width(error, customers, planned, level))
        return {
            "low": found.effect_size - half,
            "high": found.effect_size + half,
            **_widen_relative(found, half / error),
        }

    def _find_planned_error(self, metric: ExperimentMetric) -> float:
        """Return the error of the sum over the customers of both variants at the planned end."""
        first, second = (
            self.plan.customers * self.plan.shares[name] for name in (self.control_name, self.name)
        )
        past = self.plan.past or Past(self.control + self.treatment)
        if not metric.varies([past.customers], past.suffix):
            share = metric.assumed_share or 0.0
            return sqrt(share * (1 - share) * (1 / first + 1 / second)) * (first + second)
        test = metric.test([past.customers], past.suffix, past.before)
        pair = [_as_many(past.customers, count) for count in (first, second)]
        found = test.analyze_aggregates(*pair)
        return _error_of(found) * (first + second)

    def _find_variance_reduced(self, metric: ExperimentMetric) -> float | None:
        """Return the share of the variance that is gone by what customers did before."""
        widths = []
        for reduced in (False, True):
            groups = [self.control, self.treatment]
            test = metric.test(groups, before=BEFORE if reduced else None)
            found = test.analyze_aggregates(self.control, self.treatment)
            widths.append(found.effect_size_ci_upper - found.effect_size_ci_lower)
        return _finite(1 - (widths[1] / widths[0]) ** 2) if widths[0] > 0 else None


def _check_sample_ratio(groups: Mapping[str, Aggregates], plan: PlannedEnd) -> dict[str, Any]:
    """Return whether the numbers of customers are what chance makes of the shares.

    Where they are not, customers are lost or counted on one side, and no figure can be trusted.
    """
    control, *others = (name for name in plan.shares if name in groups and plan.shares[name])
    chances = []
    for name in others:
        test = tt.SampleRatio(plan.shares[name] / plan.shares[control])
        chances.append(test.analyze(groups, control, name, VARIANT).pvalue)
    least = min(1.0, min(chances, default=1.0) * len(chances))  # after Bonferroni
    return {"chance": least, "holds": least >= SAMPLE_RATIO_ALARM}


def _error_of(found: Any) -> float:
    """Return the standard error of a difference."""
    return float(found.effect_size_ci_upper - found.effect_size_ci_lower) / 2 / TWO_SIDED


def _as_many(customers: Aggregates, count: float) -> Aggregates:
    """Return what would be known of so many customers like these."""
    moments = (customers.mean_, customers.var_, customers.cov_)
    return Aggregates(max(round(count), 2), *moments)


def _widen_relative(found: Any, errors: float) -> dict[str, float | None]:
    """Return the interval of the relative difference that reaches so many errors to both sides.

    The errors are those of the logarithm of the ratio (the delta method), as in the fixed one.
    """
    ratio, high = 1 + found.rel_effect_size, 1 + found.rel_effect_size_ci_upper
    if not (isfinite(ratio) and isfinite(high) and 0 < ratio < high):
        return {"relative_low": None, "relative_high": None}
    half = min(errors * log(high / ratio) / TWO_SIDED, MOST_ERRORS)
    return {"relative_low": ratio * exp(-half) - 1, "relative_high": ratio * exp(half) - 1}


def _finite(value: float) -> float | None:
    """Return a figure as JSON can hold it: None for what is undefined, such as of no control."""
    return float(value) if isfinite(value) else None
