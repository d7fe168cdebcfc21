"""Experiments and the holdout, as they are sent, stored and shown."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from models.experiments.assignment import BUCKETS
from models.experiments.experiment import MAIN_LAYER, AssignedBy
from models.rules.filters import Repeat
from models.rules.shop_rules import Moment, format_moment
from service.patterns import PLACEMENT
from service.schemas.base import AnswerModel, examples
from service.schemas.pages import Next
from service.schemas.parameters import WHOLE_NUMBER, Id, Name
from service.schemas.rules import RuleBody

MAX_VARIANTS: Final = 10
MAX_RULES: Final = 20  # of one variant
MAX_HOLDOUT: Final = 0.9
EXPERIMENT_BODY: Final[dict[str, Any]] = {
    "placements": ["home"],
    "ends": "2999-02-01T00:00:00+00:00",
    "variants": [
        {"name": "as now", "share": 0.5},
        {"name": "nothing twice", "share": 0.5, "repeat": "exclude"},
    ],
}
STORED_EXPERIMENT: Final[dict[str, Any]] = {
    "id": "repeats-at-home",
    "by": "customer",
    "layer": MAIN_LAYER,
    "layer_from": 0.0,
    "layer_to": 1.0,
    "starts": "2999-01-01T00:00:00+00:00",
    **EXPERIMENT_BODY,
}
HOLDOUT_EXAMPLE: Final[dict[str, Any]] = {"share": 0.02, "since": "2026-12-01T00:00:00+00:00"}
ASSIGNMENT_EXAMPLE: Final[dict[str, Any]] = {
    "layer_key": "9f86d081884c7d65…",
    "variants_key": "60303ae22b998861…",
}


def _check_share(share: float) -> float:
    if abs(share * BUCKETS - round(share * BUCKETS)) > 1e-6:
        raise ValueError(f"should be a multiple of {1 / BUCKETS:g}")
    return round(share, 4)


def _is_whole(variants: tuple[VariantBody, ...]) -> tuple[VariantBody, ...]:
    names = [variant.name for variant in variants]
    if len(set(names)) < len(names):
        raise ValueError("should each have a name of their own")
    total = sum(variant.share for variant in variants)
    if abs(total - 1) > 1e-6:
        raise ValueError(f"have shares that sum to {total:g}; they should sum to 1")
    return variants


Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), AfterValidator(_check_share)]
Limit = Annotated[int | None, Field(ge=1, le=10), WHOLE_NUMBER]
STRICT: Final = ConfigDict(frozen=True, extra="forbid", strict=True)


class VarietyBody(BaseModel):
    """Limits on how many of ten products may be alike, while there is something else."""

    model_config = STRICT | ConfigDict(json_schema_extra=examples({"category": 3}))
    category: Annotated[Limit, Field(description="Of one category.", examples=[3])] = None
    brand: Annotated[Limit, Field(description="Of one brand.", examples=[5])] = None


class VariantBody(BaseModel):
    """One part of an experiment. What is left out stays as it is for everyone."""

    model_config = STRICT | ConfigDict(
        json_schema_extra=examples(EXPERIMENT_BODY["variants"][1], {"name": "off", "share": 0.5})
    )
    name: Annotated[Name, Field(description="Name of the variant.", examples=["as now"])]
    share: Annotated[
        Share,
        Field(description="Share of the experiment, a multiple of .0001.", examples=[0.5]),
    ]
    shown: Annotated[
        bool,
        Field(
            description="Whether anything is shown. Without it slates are empty, and given "
            "products stand in the order of sales.",
            examples=[True],
        ),
    ] = True
    repeat: Annotated[
        Repeat | None,
        Field(
            strict=False,
            description="What to do with products bought before, whatever a call asks for.",
            examples=["exclude"],
        ),
    ] = None
    model_version: Annotated[
        Name | None,
        Field(
            description="Version of the registry that answers. It is kept until the end.",
            examples=["20261121T200000Z-1f0c9a52d7be"],
        ),
    ] = None
    variety: Annotated[
        VarietyBody | None,
        Field(description="Limits on products that are alike.", examples=[{"category": 3}]),
    ] = None
    rules: Annotated[
        list[RuleBody],
        Field(
            max_length=MAX_RULES,
            description="Rules that hold in this variant alone, without ids and times.",
            examples=[[{"kind": "boost", "which": {"brand": "National"}, "strength": 3}]],
        ),
    ] = []  # pydantic copies it
    without_rules: Annotated[
        list[Id],
        Field(
            max_length=MAX_RULES,
            description="Ids of rules of the shop that do not hold in this variant.",
            examples=[["no-milk"]],
        ),
    ] = []  # pydantic copies it

    def document(self) -> dict[str, Any]:
        """Return the variant as JSON values, without what is not set."""
        return self.model_dump(mode="json", exclude_defaults=True)


class ExperimentBody(BaseModel):
    """An experiment: whose slates differ by chance, where, until when, and how."""

    model_config = STRICT | ConfigDict(json_schema_extra=examples(EXPERIMENT_BODY))
    variants: Annotated[
        tuple[VariantBody, ...],
        Field(
            strict=False,
            min_length=2,
            max_length=MAX_VARIANTS,
            description="The parts. Their shares sum to 1; the others are compared with the first.",
            examples=[EXPERIMENT_BODY["variants"]],
        ),
        AfterValidator(_is_whole),
    ]
    ends: Annotated[
        Moment,
        Field(
            description="Planned end, with its zone: the moment of the fixed interval.",
            examples=["2999-02-01T00:00:00+00:00"],
        ),
    ]
    starts: Annotated[
        Moment | None,
        Field(
            description="When it begins, with its zone. By default at once.",
            examples=["2999-01-01T00:00:00+00:00"],
        ),
    ] = None
    by: Annotated[
        AssignedBy,
        Field(
            strict=False,
            description="What is assigned: `customer`, where a call names one; or `session`.",
            examples=["customer"],
        ),
    ] = AssignedBy.CUSTOMER
    layer: Annotated[
        Name,
        Field(
            description="Experiments of one layer share nobody. Those of different layers never "
            "change the same placement at the same time.",
            examples=[MAIN_LAYER],
        ),
    ] = MAIN_LAYER
    layer_from: Annotated[
        Share,
        Field(description="Where its part of the layer begins, 0 to 1.", examples=[0.0]),
    ] = 0.0
    layer_to: Annotated[
        Share,
        Field(description="Where its part of the layer ends, 0 to 1.", examples=[1.0]),
    ] = 1.0
    placements: Annotated[
        list[Annotated[str, Field(pattern=PLACEMENT)]],
        Field(
            max_length=100,
            description="Placements whose slates it changes. By default all.",
            examples=[["home"]],
        ),
    ] = []  # pydantic copies it

    @model_validator(mode="after")
    def _check_spans(self) -> Self:
        if self.starts is not None and self.ends <= self.starts:
            raise ValueError("`ends` should be a moment after `starts`")
        if self.layer_to <= self.layer_from:
            raise ValueError("`layer_to` should be above `layer_from`")
        return self

    def document(self, experiment_id: str, starts: int) -> dict[str, Any]:
        """Return the experiment as it is stored. `starts`: where it names no begin."""
        values: dict[str, Any] = {
            "id": experiment_id,
            "by": self.by.value,
            "layer": self.layer,
            "layer_from": self.layer_from,
            "layer_to": self.layer_to,
            "placements": sorted(set(self.placements)),
            "starts": format_moment(self.starts if self.starts is not None else starts),
            "ends": format_moment(self.ends),
            "variants": [variant.document() for variant in self.variants],
        }
        return {name: value for name, value in values.items() if value != []}


class ExperimentState(StrEnum):
    """A phase of an experiment."""

    PLANNED = "planned"  # it has not begun
    RUNNING = "running"
    ENDED = "ended"  # as it was planned
    STOPPED = "stopped"  # before its planned end


class Assignment(AnswerModel):
    """Keys with which a client finds who is in which part: see the page on experiments."""

    model_config = ConfigDict(json_schema_extra=examples(ASSIGNMENT_EXAMPLE))
    layer_key: str = Field(description="Key of the layer, hexadecimal.")
    variants_key: str = Field(description="Key of the variants, hexadecimal.")


class ExperimentDocument(AnswerModel):
    """An experiment, its state, and the keys of its assignment."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                "experiment": STORED_EXPERIMENT,
                "state": "planned",
                "assignment": ASSIGNMENT_EXAMPLE,
            }
        )
    )
    experiment: dict[str, Any] = Field(
        description="The experiment with its id. `stopped` tells when it was stopped."
    )
    state: ExperimentState = Field(description="Where it stands.")
    assignment: Assignment = Field(description="Keys of its assignment.")


class StoredExperiment(AnswerModel):
    """An experiment that was deleted."""

    model_config = ConfigDict(json_schema_extra=examples({"experiment": STORED_EXPERIMENT}))
    experiment: dict[str, Any] = Field(description="The experiment with its id.")


class ExperimentsAnswer(AnswerModel):
    """Experiments of the shop."""

    model_config = ConfigDict(
        json_schema_extra=examples({"experiments": [STORED_EXPERIMENT], "next": None})
    )
    experiments: list[dict[str, Any]] = Field(description="The experiments, ordered by id.")
    next: Next


class HoldoutBody(BaseModel):
    """A share of all customers who are never personalised."""

    model_config = STRICT | ConfigDict(json_schema_extra=examples({"share": 0.02}))
    share: Annotated[
        float,
        Field(
            ge=0,
            le=MAX_HOLDOUT,
            allow_inf_nan=False,
            description="Share of the customers, a multiple of .0001; 0 ends the holdout. "
            ".02 is recommended.",
            examples=[0.02],
        ),
        AfterValidator(_check_share),
    ]


class HoldoutDocument(AnswerModel):
    """The holdout, and the key that tells who is in it."""

    model_config = ConfigDict(
        json_schema_extra=examples({"holdout": HOLDOUT_EXAMPLE, "key": "2cf24dba5fb0a30e…"})
    )
    holdout: dict[str, Any] = Field(
        description="Its share, and since when there is one: null where there is none."
    )
    key: str = Field(description="Key of the holdout, hexadecimal: see the page on experiments.")


INTERVAL_EXAMPLE: Final[dict[str, Any]] = {"low": 0.11, "high": 0.94}
FIXED_EXAMPLE: Final[dict[str, Any]] = {
    **INTERVAL_EXAMPLE,
    "relative_low": 0.01,
    "relative_high": 0.09,
}
COMPARED_EXAMPLE: Final[dict[str, Any]] = {
    "metric": "revenue",
    "variant": "nothing twice",
    "control": "as now",
    "control_mean": 10.2,
    "variant_mean": 10.72,
    "difference": 0.52,
    "relative": 0.051,
    "fixed": FIXED_EXAMPLE,
    "always_valid": {"low": -0.08, "high": 1.12},
    "variance_reduced": 0.41,
}
COUNTED_EXAMPLE: Final[dict[str, Any]] = {"name": "as now", "share": 0.5, "customers": 20114}
RATIO_EXAMPLE: Final[dict[str, Any]] = {"chance": 0.62, "holds": True}
RESULTS_EXAMPLE: Final[dict[str, Any]] = {
    "id": "repeats-at-home",
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
}


class FixedInterval(AnswerModel):
    """An interval that holds at the planned end, looked at once."""

    model_config = ConfigDict(json_schema_extra=examples(FIXED_EXAMPLE))
    low: float | None = Field(description="Lower end of the difference.")
    high: float | None = Field(description="Upper end of the difference.")
    relative_low: float | None = Field(description="Lower end, as a share of the control.")
    relative_high: float | None = Field(description="Upper end, as a share of the control.")


class AlwaysValidInterval(AnswerModel):
    """An interval that holds at every look, however often."""

    model_config = ConfigDict(json_schema_extra=examples(INTERVAL_EXAMPLE))
    low: float = Field(description="Lower end of the difference.")
    high: float = Field(description="Upper end of the difference.")


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


class CountedVariant(AnswerModel):
    """A variant with its customers."""

    model_config = ConfigDict(json_schema_extra=examples(COUNTED_EXAMPLE))
    name: str = Field(description="Name of the variant.")
    share: float = Field(description="Share that it should have.")
    customers: int = Field(description="Customers who are compared.")


class SampleRatio(AnswerModel):
    """A check of whether as many customers are in each variant as there should be."""

    model_config = ConfigDict(json_schema_extra=examples(RATIO_EXAMPLE))
    chance: float = Field(description="Chance of such numbers where nothing is broken.")
    holds: bool = Field(description="Whether the figures can be trusted.")


class ExperimentResults(AnswerModel):
    """What an experiment, or the holdout, says by now."""

    model_config = ConfigDict(json_schema_extra=examples(RESULTS_EXAMPLE))
    id: str = Field(description="Id of the experiment; `holdout` for the holdout.")
    computed: str = Field(description="When it was computed.")
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
