"""Insights: what recommendations earned, as the command `insights` has computed it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field

from models.data.segments import Segment
from service.schemas.base import AnswerModel, ParameterModel, examples


class InsightFormat(StrEnum):
    """A form of an answer."""

    JSON = "json"
    CSV = "csv"


class Dimension(StrEnum):
    """A thing by which orders are told apart."""

    PLACEMENT = "placement"
    CAMPAIGN = "campaign"
    STRATEGY = "strategy"
    SOURCE = "source"
    REASON = "reason"
    PRODUCT = "product"
    EXPERIMENT = "experiment"
    VARIANT = "variant"


class InsightOptions(ParameterModel):
    """Options of figures."""

    format: Annotated[
        InsightFormat,
        Field(
            description="`json`, or `csv` for a spreadsheet: the rows alone, with a header.",
            examples=["csv"],
        ),
    ] = InsightFormat.JSON


class SegmentOptions(InsightOptions):
    """Options of figures that can be those of a segment."""

    segment: Annotated[
        Segment | None,
        Field(
            description="Only of the customers in this segment: new, promising, connected, "
            "at_risk or lapsed. 404 where fewer than five of them are in it.",
            examples=["at_risk"],
        ),
    ] = None


class AttributionOptions(SegmentOptions):
    """Options of an attribution."""

    by: Annotated[
        Dimension | None,
        Field(
            description="Only by this: placement, campaign, strategy, source, reason, product, "
            "experiment or variant.",
            examples=["placement"],
        ),
    ] = None


SEGMENT_FIELD: Final[Any] = Field(
    description="The segment of customers that was asked for; null for everybody."
)
PERIOD: Final[dict[str, Any]] = {
    "computed": "2026-11-22T03:00:00Z",
    "from": "2026-10-25T03:00:00Z",
    "until": "2026-11-22T03:00:00Z",
    "days": 28,
    "click_days": 7,
    "view_days": 1,
    "upper_bound": True,
    "note": "Attribution is an upper bound of what recommendations earned: …",
}
ATTRIBUTED: Final[dict[str, Any]] = {
    "by": "placement",
    "value": "home",
    "currency": "USD",
    "orders": 120,
    "clicked_orders": 80,
    "units": 260.0,
    "revenue": 1840.5,
    "clicked_revenue": 1210.0,
    "margin": 640.2,
    "deliveries": 50_000,
    "clicks": 2_100,
}
SALES: Final[dict[str, Any]] = {
    "currency": "USD",
    "customers": 900,
    "orders": 1_500,
    "units": 4_200.0,
    "revenue": 28_000.0,
    "margin": 9_100.0,
    "units_without_price": 0.0,
    "units_without_margin": 310.0,
    "attributed_orders": 310,
    "attributed_units": 702.0,
    "attributed_revenue": 5_120.0,
    "attributed_margin": 1_900.0,
    "attributed_clicked_orders": 190,
    "attributed_clicked_revenue": 3_050.0,
}
REACH: Final[dict[str, Any]] = {
    "deliveries": 50_000,
    "mails": 1_200,
    "seen": 9_000,
    "clicks": 2_400,
}


class InsightPeriod(AnswerModel):
    """The period of figures, and what they mean."""

    computed: datetime = Field(description="When the figures were computed.")
    start: datetime = Field(alias="from", description="First moment of the purchases that count.")
    until: datetime = Field(description="Last moment of the purchases that count.")
    days: int = Field(description="Days in between.")
    click_days: int = Field(description="Days after a click in which a purchase follows from it.")
    view_days: int = Field(
        description="Days after the sight of a product in which a purchase follows from it."
    )
    upper_bound: bool = Field(
        description="Always true: some of these purchases would have been made anyway."
    )
    note: str = Field(description="The same in a sentence.")


class AttributedSales(AnswerModel):
    """Sales that followed from slates of one kind."""

    model_config = ConfigDict(json_schema_extra=examples(ATTRIBUTED))
    by: Dimension = Field(description="By what the row is told apart.")
    value: str | None = Field(
        description="Which one; of a variant its experiment, a slash and its name. Null where it "
        "is not known, or where there is none."
    )
    currency: str | None = Field(description="Currency of the orders; null where it is not known.")
    orders: int = Field(description="Number of orders with such a product.")
    clicked_orders: int = Field(description="Those that followed a click.")
    units: float = Field(description="Pieces that were kept.")
    revenue: float | None = Field(description="What they cost the customers, where it is known.")
    clicked_revenue: float | None = Field(description="That of orders that followed a click.")
    margin: float | None = Field(description="Revenue without their costs, where they are known.")
    deliveries: int | None = Field(
        description="Slates that were delivered; null by source, reason and product."
    )
    clicks: int | None = Field(
        description="Clicks that were reported; null by source, reason and product."
    )


class ShopSales(AnswerModel):
    """Sales of the whole shop in one currency, and what is attributed of them."""

    model_config = ConfigDict(json_schema_extra=examples(SALES))
    currency: str | None = Field(description="The currency; null where it is not known.")
    customers: int = Field(description="Customers, and visits, that may be measured and bought.")
    orders: int = Field(description="Orders of everybody.")
    units: float = Field(description="Pieces that were kept.")
    revenue: float | None = Field(description="What they cost the customers.")
    margin: float | None = Field(description="Revenue without their costs, where they are known.")
    units_without_price: float | None = Field(description="Pieces whose price is not known.")
    units_without_margin: float | None = Field(description="Pieces whose margin is not known.")
    attributed_orders: int | None = Field(
        description="Orders with an attributed product. Of a segment null, like the other "
        "attributed figures, where they would be of too few customers."
    )
    attributed_units: float | None = Field(description="Pieces that are attributed.")
    attributed_revenue: float | None = Field(description="Revenue that is attributed.")
    attributed_margin: float | None = Field(description="Margin that is attributed.")
    attributed_clicked_orders: int | None = Field(description="Orders that followed a click.")
    attributed_clicked_revenue: float | None = Field(
        description="Revenue of products whose purchase followed a click."
    )


class Reach(AnswerModel):
    """What reached customers."""

    model_config = ConfigDict(json_schema_extra=examples(REACH))
    deliveries: int = Field(description="Slates that the service has recorded as delivered.")
    mails: int = Field(description="Mails of campaigns that were fetched.")
    seen: int = Field(description="Slates that a page has reported as seen.")
    clicks: int = Field(description="Clicks that were reported.")


class OverviewAnswer(InsightPeriod):
    """Sales of the shop, and what is attributed of them."""

    model_config = ConfigDict(
        json_schema_extra=examples({**PERIOD, "segment": None, "reach": REACH, "overview": [SALES]})
    )
    segment: Segment | None = SEGMENT_FIELD
    reach: Reach = Field(description="How much reached customers in the period.")
    overview: list[ShopSales] = Field(description="Sales of the shop, by currency.")


class AttributionAnswer(InsightPeriod):
    """Sales that followed from slates."""

    model_config = ConfigDict(
        json_schema_extra=examples({**PERIOD, "segment": None, "attribution": [ATTRIBUTED]})
    )
    segment: Segment | None = SEGMENT_FIELD
    attribution: list[AttributedSales] = Field(
        description="By each dimension the 1,000 values with the most orders."
    )
