"""What customers are worth, as the command `insights` has computed it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

from pydantic import ConfigDict, Field

from models.data.segments import Segment
from service.schemas.base import AnswerModel, examples
from service.schemas.insights import SEGMENT_FIELD

PERIOD: Final[dict[str, Any]] = {
    "computed": "2026-11-22T03:00:00Z",
    "as_of": "2026-11-21T23:55:00Z",
    "from": "2024-11-02T00:00:00Z",
    "currency": "EUR",
    "customers": 5_200,
    "shop_interval_days": 31.5,
}
SEGMENT: Final[dict[str, Any]] = {
    "segment": "connected",
    "customers": 1_900,
    "share": 0.3654,
    "orders": 25_000,
    "revenue": 1_200_000.0,
    "revenue_share": 0.74,
    "order_value": 48.0,
    "recency_days": 22.0,
    "returns": 0.9287,
    "expected_orders": 7.31,
    "expected_value": 390.5,
}
REPEATS: Final[dict[str, Any]] = {
    "customers": 5_200,
    "orders": 36_000,
    "repeat_rate": 0.7235,
    "repeat_within": [{"days": 30, "share": 0.2285}, {"days": 365, "share": 0.7492}],
    "days_to_second_order": 100.0,
    "order_value": 46.6,
    "order_value_quartiles": [15.9, 30.3, 47.4],
    "first_order_value": 40.7,
    "later_order_value": 47.8,
}
COHORT: Final[dict[str, Any]] = {
    "cohort": "2026-06",
    "months_since": 3,
    "customers": 180,
    "active": 61,
    "retention": 0.3389,
    "orders": 84,
    "revenue": 3_900.0,
    "complete": True,
}
METHOD: Final[dict[str, Any]] = {
    "quarter": "2026-08-22T00:00:00Z",
    "method": "learned",
    "customers": 5_000,
    "rmse": 1.3595,
    "deviance": 1.2,
    "total": 1.0436,
    "best_tenth": 1.0998,
}
IMPROVEMENT: Final[dict[str, Any]] = {
    "method": "last_quarter_shrunk",
    "rmse": 0.2173,
    "deviance": 0.197,
}
RETURNED: Final[dict[str, Any]] = {
    "quarter": "2026-08-22T00:00:00Z",
    "expected": 0.41,
    "share": 0.4355,
}
PARAMETER: Final[dict[str, Any]] = {"name": "alpha", "value": 49.34, "relative_error": 0.031}
FITTED: Final[dict[str, Any]] = {"name": "BG/NBD", "parameters": [PARAMETER]}
TENTH: Final[dict[str, Any]] = {
    "tenth": 1,
    "customers": 520,
    "returns": 0.9547,
    "expected_orders": 8_556.9,
    "expected_value": 652_000.0,
    "revenue": 1_020_000.0,
}
OF_CUSTOMER: Final[dict[str, Any]] = {
    "customer_id": "2034",
    "computed": PERIOD["computed"],
    "as_of": PERIOD["as_of"],
    "currency": "EUR",
    "segment": "connected",
    "orders": 14,
    "first_order": "2025-03-02",
    "last_order": "2026-11-14",
    "recency_days": 7,
    "interval_days": 45.2,
    "revenue": 640.5,
    "returns": 0.9423,
    "expected_orders": 8.1,
    "expected_value": 371.0,
}
RETURNS: Final = "Probability of an order in the next 12 months; null where it is not known."
NEXT_ORDERS: Final = "Expected orders in the next 12 months; null where they are not known."
NEXT_VALUE: Final = "What they are worth; null where it is not known."


class WorthPeriod(AnswerModel):
    """When the figures were computed, and of what."""

    computed: datetime = Field(description="When the figures were computed.")
    as_of: datetime = Field(description="What counts as now: the newest moment that sales confirm.")
    start: datetime = Field(alias="from", description="The first day with an order.")
    currency: str | None = Field(
        description="Currency of all money; null where it is not known, or there are several."
    )
    customers: int = Field(
        description="Customers who ordered and allow training. Nobody else is in any figure."
    )
    shop_interval_days: float = Field(
        description="Usual days between orders, over customers who ordered on two days."
    )


class SegmentFigures(AnswerModel):
    """The customers of one segment together."""

    model_config = ConfigDict(json_schema_extra=examples(SEGMENT))
    segment: Segment = Field(description="new, promising, connected, at_risk or lapsed.")
    customers: int = Field(description="Customers in it.")
    share: float = Field(description="Their share of all customers.")
    orders: int = Field(description="Orders they ever made.")
    revenue: float = Field(description="What they ever paid, without what came back.")
    revenue_share: float = Field(description="Its share of all customers' revenue.")
    order_value: float | None = Field(description="Revenue of an order; null without orders.")
    recency_days: float | None = Field(
        description="Median days since their last orders; null without customers."
    )
    returns: float | None = Field(description=f"On average. {RETURNS}")
    expected_orders: float | None = Field(description=f"On average. {NEXT_ORDERS}")
    expected_value: float | None = Field(description=f"On average. {NEXT_VALUE}")


class SegmentsAnswer(WorthPeriod):
    """Customers by segment."""

    model_config = ConfigDict(json_schema_extra=examples({**PERIOD, "segments": [SEGMENT]}))
    segments: list[SegmentFigures] = Field(description="Every segment, empty ones too.")


class RepeatWithin(AnswerModel):
    """How many came back within some days."""

    model_config = ConfigDict(json_schema_extra=examples(REPEATS["repeat_within"][0]))
    days: int = Field(description="Days since the first order.")
    share: float = Field(description="Share of the customers with a second order by then.")


class RepeatFigures(AnswerModel):
    """Whether customers come back, and what an order is worth."""

    model_config = ConfigDict(json_schema_extra=examples(REPEATS))
    customers: int = Field(description="Customers who ordered.")
    orders: int = Field(description="Their orders.")
    repeat_rate: float = Field(description="Share of the customers with two orders or more.")
    repeat_within: list[RepeatWithin] = Field(
        description="How soon, without holding it against those who are not known for so long."
    )
    days_to_second_order: float | None = Field(
        description="By when half have ordered again; null where half never did."
    )
    order_value: float | None = Field(description="Mean of an order, where prices are known.")
    order_value_quartiles: list[float] | None = Field(
        description="What a quarter, half and three quarters of the orders are below."
    )
    first_order_value: float | None = Field(description="Mean of first orders.")
    later_order_value: float | None = Field(description="Mean of later orders.")


class CohortMonth(AnswerModel):
    """What the customers of one first month did in one month since."""

    model_config = ConfigDict(json_schema_extra=examples(COHORT))
    cohort: str = Field(description="Month of the first order, in UTC.")
    months_since: int = Field(description="Months since then; 0 is that month itself.")
    customers: int = Field(description="Customers of the cohort.")
    active: int = Field(description="Those who ordered in the month.")
    retention: float = Field(description="Their share.")
    orders: int = Field(description="Orders in the month.")
    revenue: float = Field(description="What these orders cost.")
    complete: bool = Field(description="Whether the month is over.")


class CohortsAnswer(WorthPeriod):
    """Whether customers come back."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {**PERIOD, "segment": None, "repeats": REPEATS, "cohorts": [COHORT]}
        )
    )
    segment: Segment | None = SEGMENT_FIELD
    repeats: RepeatFigures | None = Field(description="Of all customers; null where none ordered.")
    cohorts: list[CohortMonth] = Field(
        description="Cohorts of the last 36 months, each month by month."
    )


class MethodFigures(AnswerModel):
    """How wrong a method was on a quarter that it had not seen."""

    model_config = ConfigDict(json_schema_extra=examples(METHOD))
    quarter: datetime = Field(description="First day of the quarter of 91 days.")
    method: str = Field(
        description="learned, purchase_process, last_quarter_shrunk, as_last_quarter or mean."
    )
    customers: int = Field(description="Customers who had ordered before.")
    rmse: float = Field(description="Root of the mean squared error of their orders.")
    deviance: float = Field(description="Mean Poisson deviance of their orders.")
    total: float | None = Field(description="Foretold orders for one that was made.")
    best_tenth: float | None = Field(
        description="The same of the tenth from whom most was foretold."
    )


class MethodImprovement(AnswerModel):
    """By what share the method that serves is less wrong than another, over all quarters."""

    model_config = ConfigDict(json_schema_extra=examples(IMPROVEMENT))
    method: str = Field(description="The other method.")
    rmse: float = Field(description="Share by which the RMSE is smaller; below 0: larger.")
    deviance: float = Field(description="The same of the deviance.")


class ReturnedShare(AnswerModel):
    """How the probability of an order held in a quarter that was not seen."""

    model_config = ConfigDict(json_schema_extra=examples(RETURNED))
    quarter: datetime = Field(description="First day of the quarter.")
    expected: float = Field(description="Share of the customers who were expected to order.")
    share: float = Field(description="Share of those who did.")


class ModelParameter(AnswerModel):
    """A parameter that customers have in common."""

    model_config = ConfigDict(json_schema_extra=examples(PARAMETER))
    name: str = Field(description="Its name in the papers.")
    value: float = Field(description="Its value, in days or money where it has a unit.")
    relative_error: float | None = Field(
        description="Its standard error as a share of it; null where the data do not tell it."
    )


class FittedModel(AnswerModel):
    """A model that was fitted to the shop's customers."""

    model_config = ConfigDict(json_schema_extra=examples(FITTED))
    name: str = Field(description="BG/NBD, MBG/NBD or Gamma-Gamma.")
    parameters: list[ModelParameter] = Field(description="Its parameters.")


class TenthFigures(AnswerModel):
    """A tenth of the customers, by what they are expected to bring."""

    model_config = ConfigDict(json_schema_extra=examples(TENTH))
    tenth: int = Field(description="1 are those who are expected to bring most.")
    customers: int = Field(description="Customers in it.")
    returns: float = Field(description=f"On average. {RETURNS}")
    expected_orders: float = Field(description="Expected orders of all in the next 12 months.")
    expected_value: float | None = Field(description=NEXT_VALUE)
    revenue: float = Field(description="What they ever paid.")


class ValueAnswer(WorthPeriod):
    """What customers will bring in the next 12 months, and how well that is known."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                **PERIOD,
                "segment": None,
                "problem": None,
                "served": "learned",
                "days": 365,
                "expected_orders": 20_237.2,
                "expected_value": 1_019_500.0,
                "season": 0.49,
                "year": 0.93,
                "comparison": [METHOD],
                "improvements": [IMPROVEMENT],
                "returned": [RETURNED],
                "purchase_process": FITTED,
                "spending": {**FITTED, "name": "Gamma-Gamma"},
                "tenths": [TENTH],
            }
        )
    )
    segment: Segment | None = SEGMENT_FIELD
    problem: str | None = Field(description="Why nothing is foretold; null where it is.")
    served: str | None = Field(description="The method that was least wrong, and serves.")
    days: int | None = Field(description="Days that are looked ahead.")
    expected_orders: float | None = Field(description="Expected orders of all customers in them.")
    expected_value: float | None = Field(description=NEXT_VALUE)
    season: float | None = Field(
        description="Orders of the same quarter a year ago, for one that was to be expected then; "
        "1 where it is not known."
    )
    year: float | None = Field(description="The same of the whole year.")
    comparison: list[MethodFigures] = Field(description="Every method on every held-out quarter.")
    improvements: list[MethodImprovement] = Field(
        description="By how much the served one is better than each other."
    )
    returned: list[ReturnedShare] = Field(description="How probabilities held in these quarters.")
    purchase_process: FittedModel | None = Field(description="When customers order.")
    spending: FittedModel | None = Field(
        description="What they spend on an order; null where too few prices are known."
    )
    tenths: list[TenthFigures] = Field(description="The customers in ten parts, the best first.")


class CustomerWorth(AnswerModel):
    """What is computed of one customer."""

    model_config = ConfigDict(json_schema_extra=examples(OF_CUSTOMER))
    customer_id: str = Field(description="Id of the customer.")
    computed: datetime = Field(description="When the figures were computed.")
    as_of: datetime = Field(description="What counts as now: the newest moment that sales confirm.")
    currency: str | None = Field(description="Currency of all money; null where it is not known.")
    segment: Segment = Field(description="new, promising, connected, at_risk or lapsed.")
    orders: int = Field(description="Their orders (frequency).")
    first_order: date = Field(description="Day of the first one, in UTC.")
    last_order: date = Field(description="Day of the last one, in UTC.")
    recency_days: int = Field(description="Days since the last one.")
    interval_days: float = Field(description="Usual days between their orders.")
    revenue: float = Field(description="What they ever paid, without what came back (value).")
    returns: float | None = Field(description=RETURNS)
    expected_orders: float | None = Field(description=NEXT_ORDERS)
    expected_value: float | None = Field(description=NEXT_VALUE)
