"""Comparison of an experiment's variants: two intervals, both named in every answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

import pyarrow as pa
import tea_tasting as tt
from scipy.stats import norm
from tea_tasting.aggr import Aggregates

from training.insights.statistics.always_valid import LEVEL, half_width
from training.insights.statistics.metrics import (
    BEFORE,
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


@dataclass(frozen=True)
class PlannedEnd:
    """Hold what is expected at the planned end, by what customers did before the start."""

    customers: int  # of all variants
    shares: Mapping[str, float]  # of each variant, the control first


def compare_variants(customers: pa.Table, plan: PlannedEnd) -> dict[str, Any]:
    """Return what an experiment says by now, as JSON values.

    `customers`: a row for each customer that was assigned: `variant`, and the columns of
    `prepare_customers`.
    """
    customers = prepare_customers(customers)
    groups = aggregate(customers)
    names = list(plan.shares)
    counts = {name: groups[name].count() if name in groups else 0 for name in names}
    comparisons = []
    for name in names[1:]:
        if min(counts[names[0]], counts[name]) >= MIN_CUSTOMERS:
            pair = _Pair(names[0], name, groups[names[0]], groups[name], plan)
            told = [metric for metric in METRICS if metric.varies([pair.control, pair.treatment])]
            comparisons += [pair.compare(metric) for metric in told]
    return {
        "level": LEVEL,
        "variants": [
            {"name": name, "share": plan.shares[name], "customers": counts[name]} for name in names
        ],
        "sample_ratio": _check_sample_ratio(groups, plan),
        "min_customers": MIN_CUSTOMERS,
        "comparisons": comparisons,
    }


@dataclass(frozen=True, eq=False)
class _Pair:
    """The control and one other variant."""

    control_name: str
    name: str
    control: Aggregates
    treatment: Aggregates
    plan: PlannedEnd

    def compare(self, metric: ExperimentMetric) -> dict[str, Any]:
        test = metric.test([self.control, self.treatment], confidence_level=LEVEL)
        found = test.analyze_aggregates(self.control, self.treatment)
        error = (found.effect_size_ci_upper - found.effect_size_ci_lower) / 2 / TWO_SIDED
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
            "always_valid": self._find_always_valid(metric, found.effect_size, error),
            "variance_reduced": self._find_variance_reduced(metric),
        }

    def _find_always_valid(
        self, metric: ExperimentMetric, difference: float, error: float
    ) -> dict[str, float] | None:
        """Return the interval that holds at every look; None where nothing was before the start."""
        planned = self._find_planned_error(metric)
        if not planned > 0 or not error > 0:
            return None
        customers = self.control.count() + self.treatment.count()
        half = float(half_width(error, customers, planned))
        return {"low": difference - half, "high": difference + half}

    def _find_planned_error(self, metric: ExperimentMetric) -> float:
        """Return the error of the sum over the customers of both variants at the planned end."""
        first, second = (
            self.plan.customers * self.plan.shares[name] for name in (self.control_name, self.name)
        )
        past, ratio = self.control + self.treatment, second / first
        if not metric.varies([past], BEFORE):
            return 0.0
        found = metric.find_detectable(past, first + second, ratio, POWER)
        return float(found.effect_size) / ERRORS_AT_POWER * (first + second)

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


def _finite(value: float) -> float | None:
    """Return a figure as JSON can hold it: None for what is undefined, such as of no control."""
    return float(value) if isfinite(value) else None
