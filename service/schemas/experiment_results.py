"""Results of experiments and of the holdout, as they are told."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ConfigDict, Field

from models.data.segments import Segment
from models.experiments.experiment import AssignedBy
from service.schemas.base import AnswerModel, examples
from service.schemas.insights import SEGMENT_FIELD

INTERVAL_EXAMPLE: Final[dict[str, Any]] = {
    "low": 0.11,
    "high": 0.94,
    "relative_low": 0.01,
    "relative_high": 0.09,
}
LOOK_EXAMPLE: Final[dict[str, Any]] = {
    "metric": "revenue",
    "variant": "nothing twice",
    "harm": 0.05,
    "relative": -0.01,
    "relative_low": -0.12,
    "relative_high": 0.1,
}
GUARDED_EXAMPLE: Final[dict[str, Any]] = {**LOOK_EXAMPLE, "is_crossed": False}
STOP_EXAMPLE: Final[dict[str, Any]] = {
    **LOOK_EXAMPLE,
    "relative": -0.2,
    "relative_low": -0.31,
    "relative_high": -0.07,
    "found": "2026-12-14T03:00:00Z",
}
COMPARED_EXAMPLE: Final[dict[str, Any]] = {
    "metric": "revenue",
    "variant": "nothing twice",
    "control": "as now",
    "control_mean": 10.2,
    "variant_mean": 10.72,
    "difference": 0.52,
    "relative": 0.051,
    "fixed": INTERVAL_EXAMPLE,
    "always_valid": {"low": -0.08, "high": 1.12, "relative_low": -0.01, "relative_high": 0.11},
    "variance_reduced": 0.41,
}
COUNTED_EXAMPLE: Final[dict[str, Any]] = {"name": "as now", "share": 0.5, "customers": 20114}
RATIO_EXAMPLE: Final[dict[str, Any]] = {"chance": 0.62, "holds": True}
EXPOSED_EXAMPLE: Final[dict[str, Any]] = {
    "variants": [COUNTED_EXAMPLE],
    "sample_ratio": RATIO_EXAMPLE,
    "comparisons": [COMPARED_EXAMPLE],
}
MOVED_EXAMPLE: Final[dict[str, Any]] = {
    "variant": "ten percent",
    "segment": "at_risk",
    "bought": 0.2,
    "bought_without": 0.14,
    "anyway": 0.7,
    "anyway_low": 0.58,
    "anyway_high": 0.86,
}
RESULTS_EXAMPLE: Final[dict[str, Any]] = {
    "id": "repeats-at-home",
    "segment": None,
    "by": "customer",
    "computed": "2026-12-20T03:00:00Z",
    "starts": "2026-12-01T00:00:00Z",
    "ends": "2027-02-01T00:00:00Z",
    "until": "2026-12-20T03:00:00Z",
    "is_over": False,
    "problem": None,
    "level": 0.95,
    "variants": [COUNTED_EXAMPLE],
    "sample_ratio": RATIO_EXAMPLE,
    "min_customers": 100,
    "comparisons": [COMPARED_EXAMPLE],
    "guardrails": [GUARDED_EXAMPLE],
    "stops": [STOP_EXAMPLE],
    "moved": [MOVED_EXAMPLE],
    "exposed": EXPOSED_EXAMPLE,
}


class FixedInterval(AnswerModel):
    """An interval that holds at the planned end, looked at once."""

    model_config = ConfigDict(json_schema_extra=examples(INTERVAL_EXAMPLE))
    low: float | None = Field(description="Lower end of the difference.")
    high: float | None = Field(description="Upper end of the difference.")
    relative_low: float | None = Field(description="Lower end, as a share of the control.")
    relative_high: float | None = Field(description="Upper end, as a share of the control.")


class AlwaysValidInterval(AnswerModel):
    """An interval that holds at every look, however often."""

    model_config = ConfigDict(json_schema_extra=examples(INTERVAL_EXAMPLE))
    low: float = Field(description="Lower end of the difference.")
    high: float = Field(description="Upper end of the difference.")
    relative_low: float | None = Field(
        default=None, description="Lower end, as a share of the control."
    )
    relative_high: float | None = Field(
        default=None, description="Upper end, as a share of the control."
    )


class ComparedFigure(AnswerModel):
    """A figure of one variant against the control."""

    model_config = ConfigDict(json_schema_extra=examples(COMPARED_EXAMPLE))
    metric: str = Field(description="The figure: conversion, orders, revenue and so on.")
    variant: str = Field(description="Name of the variant.")
    control: str = Field(description="Name of the variant it is compared with.")
    control_mean: float | None = Field(description="The figure of the control.")
    variant_mean: float | None = Field(description="The figure of the variant.")
    difference: float | None = Field(description="Its difference to the control.")
    relative: float | None = Field(description="The difference as a share of the control.")
    fixed: FixedInterval = Field(description="Holds at the planned end, looked at once.")
    always_valid: AlwaysValidInterval | None = Field(
        description="Holds at every look. Null where nothing was sold before the start."
    )
    variance_reduced: float | None = Field(
        description="Share of the variance that is gone by what customers did before."
    )


class GuardrailLook(AnswerModel):
    """A figure of one variant against the control, by an interval that holds at every look."""

    metric: str = Field(description="The figure.")
    variant: str = Field(description="Name of the variant.")
    harm: float = Field(description="The harm that is too much, as a share of the control.")
    relative: float | None = Field(description="The difference as a share of the control.")
    relative_low: float | None = Field(description="Lower end of it, at every look.")
    relative_high: float | None = Field(description="Upper end of it, at every look.")


class GuardedVariant(GuardrailLook):
    """What a guardrail says of one variant."""

    model_config = ConfigDict(json_schema_extra=examples(GUARDED_EXAMPLE))
    is_crossed: bool | None = Field(
        description="Whether all of the interval lies beyond the harm. Null where too few did it."
    )


class StoppedVariant(GuardrailLook):
    """A variant that crossed a guardrail, at this look or an earlier one."""

    model_config = ConfigDict(json_schema_extra=examples(STOP_EXAMPLE))
    found: str = Field(description="When it was found. The experiment tells when it was stopped.")


class CountedVariant(AnswerModel):
    """A variant with its customers."""

    model_config = ConfigDict(json_schema_extra=examples(COUNTED_EXAMPLE))
    name: str = Field(description="Name of the variant.")
    share: float = Field(description="Share that it should have.")
    customers: int = Field(description="Customers, or sessions, that are compared.")


class SampleRatio(AnswerModel):
    """A check of whether as many customers are in each variant as there should be."""

    model_config = ConfigDict(json_schema_extra=examples(RATIO_EXAMPLE))
    chance: float = Field(description="Chance of such numbers where nothing is broken.")
    holds: bool = Field(description="Whether the figures can be trusted.")


class MovedBuyers(AnswerModel):
    """Buyers of a variant with an offer: whom it moved, and who would have bought anyway."""

    model_config = ConfigDict(json_schema_extra=examples(MOVED_EXAMPLE))
    variant: str = Field(description="Name of the variant.")
    segment: Segment | None = Field(
        description="Segment of the customers when the experiment began; null: all of them."
    )
    bought: float | None = Field(description="Share of the customers who bought in the variant.")
    bought_without: float | None = Field(description="Share of those who bought in the control.")
    anyway: float | None = Field(
        description="Share of the variant's buyers who would have bought without the offer; the "
        "others were moved by it. Null where nobody bought without it."
    )
    anyway_low: float | None = Field(description="Lower end of it, at every look.")
    anyway_high: float | None = Field(description="Upper end of it, at every look.")


class ExposedResults(AnswerModel):
    """The same among those alone who got or saw a slate of the experiment.

    Who does may depend on the variant, which is no effect on what they buy: see the sample ratio.
    """

    model_config = ConfigDict(json_schema_extra=examples(EXPOSED_EXAMPLE))
    variants: list[CountedVariant] = Field(description="The variants, the control first.")
    sample_ratio: SampleRatio = Field(description="Check of their numbers.")
    comparisons: list[ComparedFigure] = Field(description="Every variant against the control.")


class ExperimentResults(AnswerModel):
    """What an experiment, or the holdout, says by now."""

    model_config = ConfigDict(json_schema_extra=examples(RESULTS_EXAMPLE))
    id: str = Field(description="Id of the experiment; `holdout` for the holdout.")
    computed: str = Field(description="When it was computed.")
    segment: Segment | None = SEGMENT_FIELD
    by: AssignedBy | None = Field(description="What is compared: customers, or sessions.")
    starts: str | None = Field(description="When it began.")
    ends: str | None = Field(description="Its planned end.")
    until: str | None = Field(description="What was bought until then counts.")
    is_over: bool | None = Field(description="Whether the planned end is reached.")
    problem: str | None = Field(description="Why nothing is compared, or null.")
    level: float | None = Field(description="Level of the intervals.")
    variants: list[CountedVariant] = Field(description="The variants, the control first.")
    sample_ratio: SampleRatio | None = Field(description="Check of their numbers.")
    min_customers: int | None = Field(description="Customers that a variant needs.")
    comparisons: list[ComparedFigure] = Field(description="Every variant against the control.")
    guardrails: list[GuardedVariant] = Field(description="What its guardrails say now.")
    stops: list[StoppedVariant] = Field(
        description="Variants that did harm: their customers get what everyone gets."
    )
    moved: list[MovedBuyers] = Field(
        description="Of variants with an offer: whom it moved, of all and by segment."
    )
    exposed: ExposedResults | None = Field(
        description="Among those who were exposed; null by session, or where nobody was."
    )
