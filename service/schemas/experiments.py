"""Experiments and the holdout, as they are sent, stored and shown."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from models.data.segments import SEGMENTS, SegmentName
from models.experiments.assignment import BUCKETS
from models.experiments.experiment import MAIN_LAYER, AssignedBy
from models.experiments.guardrails import GuardedFigure
from models.rules.filters import Repeat
from models.rules.shop_rules import Moment, format_moment
from service.patterns import PLACEMENT
from service.schemas.base import AnswerModel, Warnings, examples
from service.schemas.pages import Next
from service.schemas.parameters import WHOLE_NUMBER, ColumnValues, Id, Name
from service.schemas.rules import RuleBody

MAX_VARIANTS: Final = 10
MAX_RULES: Final = 20  # of one variant
MAX_OFFERS: Final = 10  # likewise
MAX_HOLDOUT: Final = 0.9
GUARDRAIL_EXAMPLE: Final[dict[str, Any]] = {"metric": "revenue", "harm": 0.05}
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

    offers: Annotated[
        list[Id],
        Field(
            max_length=MAX_OFFERS,
            description="Ids of offers of the shop that stand in this variant alone: of those that "
            "are `in_experiments_only`.",
            examples=[["thanks"]],
        ),
    ] = []  # pydantic copies it

    def document(self) -> dict[str, Any]:
        """Return the variant as JSON values, without what is not set."""
        return self.model_dump(mode="json", exclude_defaults=True)


class GuardrailBody(BaseModel):
    """A figure that no variant may harm by more than a bound."""

    model_config = STRICT | ConfigDict(
        json_schema_extra=examples(GUARDRAIL_EXAMPLE, {"metric": "refusals", "harm": 0.5})
    )
    metric: Annotated[
        GuardedFigure,
        Field(
            strict=False,
            description="The figure, as results call it. `refusals`: the share of customers who "
            "dismissed a product or refused to be personalised.",
            examples=["revenue"],
        ),
    ]
    harm: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            allow_inf_nan=False,
            description="How much less than the control's is too much, of `refusals` how much "
            "more, as a share of it.",
            examples=[0.05],
        ),
    ]


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

    segments: Annotated[
        list[SegmentName],
        Field(
            max_length=len(SEGMENTS),
            description="Segments of the customers who take part. By default everyone. It takes "
            "their consent to training, and that of the channel.",
            examples=[["at_risk"]],
        ),
    ] = []  # pydantic copies it
    customers: ColumnValues = {}  # pydantic copies it
    guardrails: Annotated[
        list[GuardrailBody],
        Field(
            max_length=len(GuardedFigure),
            description="Figures that no variant may harm. One that does is stopped for good.",
            examples=[[GUARDRAIL_EXAMPLE]],
        ),
    ] = []  # pydantic copies it

    @model_validator(mode="after")
    def _check_spans(self) -> Self:
        if self.starts is not None and self.ends <= self.starts:
            raise ValueError("`ends` should be a moment after `starts`")
        if self.layer_to <= self.layer_from:
            raise ValueError("`layer_to` should be above `layer_from`")
        for name in ("segments", "customers"):
            if getattr(self, name) and self.by is AssignedBy.SESSION:
                raise ValueError(
                    f"`{name}` are of customers; leave them out or set `by` to customer"
                )
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
            "segments": sorted(set(self.segments)),
            "customers": self.customers,
            "starts": format_moment(self.starts if self.starts is not None else starts),
            "ends": format_moment(self.ends),
            "variants": [variant.document() for variant in self.variants],
            "guardrails": [guardrail.model_dump(mode="json") for guardrail in self.guardrails],
        }
        return {name: value for name, value in values.items() if value not in ([], {})}


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
                "warnings": [],
            }
        )
    )
    experiment: dict[str, Any] = Field(
        description="The experiment with its id. `stopped` tells when it was stopped, "
        "`stopped_variants` which variants crossed a guardrail, when, and how far."
    )
    state: ExperimentState = Field(description="Where it stands.")
    assignment: Assignment = Field(description="Keys of its assignment.")
    warnings: Warnings


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
