"""Insights about customers: segments, cohorts, what they will bring, as last computed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from models.artifact.insights import WORTH
from models.data.customers import TRAIN
from service.answering.customer_figures import describe_figure, find_figure
from service.answering.customer_view import view_customer
from service.errors import PROBLEMS, NotFound, problem_schema
from service.routes.insights import NOT_COMPUTED, choose_segment, read_figures
from service.routes.looks import note_look
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder
from service.routes.responses import uncached_json
from service.routes.route_classes import CustomerId, QueryRoute
from service.routes.spreadsheets import AS_CSV, write_csv
from service.schemas.insights import InsightFormat, InsightOptions, SegmentOptions
from service.schemas.worth import (
    CohortMonth,
    CohortsAnswer,
    CustomerWorth,
    SegmentFigures,
    SegmentsAnswer,
    TenthFigures,
    ValueAnswer,
    WorthPeriod,
)

PERIOD_FIELDS: Final = tuple(
    field.alias or name for name, field in WorthPeriod.model_fields.items()
)
VALUE_FIELDS: Final = tuple(
    name for name in ValueAnswer.model_fields if name not in WorthPeriod.model_fields
)
LISTS: Final = ("comparison", "improvements", "returned", "tenths")
# The same for whoever is unknown, was erased or does not allow it: nobody learns which.
NO_FIGURES: Final = "There are no figures of this customer."


async def insights_segments(
    request: Request, options: Annotated[InsightOptions, Query()]
) -> Response:
    """Return the customers by segment: new, promising, connected, at risk, lapsed.

    They go by each customer's own rhythm. Nobody who does not allow training is in one.
    """
    facts = await read_figures(request, WORTH)
    if options.format is InsightFormat.CSV:
        return write_csv(facts["segments"], SegmentFigures.model_fields)
    return uncached_json({**_period(facts), "segments": facts["segments"]})


async def insights_cohorts(
    request: Request, options: Annotated[SegmentOptions, Query()]
) -> Response:
    """Return whether customers come back: repeat purchases, and cohorts by first month.

    Of a segment: of the customers who are in it now.
    """
    facts = await read_figures(request, WORTH)
    found = choose_segment(facts, facts.get("by_segment", {}), options.segment)
    if options.format is InsightFormat.CSV:
        return write_csv(found["cohorts"], CohortMonth.model_fields)
    told = {"repeats": found["repeats"], "cohorts": found["cohorts"]}
    return uncached_json({**_period(facts), "segment": options.segment, **told})


async def insights_value(request: Request, options: Annotated[SegmentOptions, Query()]) -> Response:
    """Return what customers will bring in the next 12 months, and how well that is known.

    The method that was least wrong on quarters that it had not seen tells it. As CSV: the tenths.
    Of a segment are the expected orders, their value and the tenths; the rest is of everybody.
    """
    facts = await read_figures(request, WORTH)
    found = choose_segment(facts, facts.get("by_segment", {}), options.segment)
    if options.format is InsightFormat.CSV:
        return write_csv(found["value"]["tenths"], TenthFigures.model_fields)
    unknown: dict[str, Any] = {name: [] if name in LISTS else None for name in VALUE_FIELDS}
    told = {**unknown, "segment": options.segment, **facts["value"], **found["value"]}
    return uncached_json({**_period(facts), **told})


async def insights_customer(
    request: Request, customer_id: CustomerId, options: Annotated[InsightOptions, Query()]
) -> Response:
    """Return a customer's segment, recency, frequency and value, and the chance of coming back.

    As last computed. 404 for a customer who is unknown or does not allow training.
    """
    facts = await read_figures(request, WORTH)
    responder = get_responder(request)
    view = await asyncio.to_thread(
        view_customer, responder.computer, responder.model(), customer_id, None
    )
    await note_look(request, customer_id)
    figure = None
    if view.allows(TRAIN) and not view.update.forgotten:
        root = responder.active.registry.root
        figure = await asyncio.to_thread(find_figure, root, customer_id)
    if figure is None:
        raise NotFound(NO_FIGURES)
    told = {
        "customer_id": customer_id,
        **{name: facts[name] for name in ("computed", "as_of", "currency")},
        **describe_figure(figure),
    }
    if options.format is InsightFormat.CSV:
        return write_csv([told], CustomerWorth.model_fields)
    return uncached_json(told)


def _period(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: facts[name] for name in PERIOD_FIELDS}


UNKNOWN: Final = {404: problem_schema("Nothing was computed yet, or nothing of this customer.")}
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/insights/segments",
        insights_segments,
        summary="Read who comes, who stays away and who is gone",
        tag=Tag.INSIGHTS,
        answer=SegmentsAnswer,
        responses=PROBLEMS | NOT_COMPUTED | AS_CSV,
        route_class=QueryRoute,
    ),
    Operation(
        "GET",
        "/v1/insights/cohorts",
        insights_cohorts,
        summary="Read whether customers come back",
        tag=Tag.INSIGHTS,
        answer=CohortsAnswer,
        responses=PROBLEMS | NOT_COMPUTED | AS_CSV,
        route_class=QueryRoute,
    ),
    Operation(
        "GET",
        "/v1/insights/value",
        insights_value,
        summary="Read what customers will bring",
        tag=Tag.INSIGHTS,
        answer=ValueAnswer,
        responses=PROBLEMS | NOT_COMPUTED | AS_CSV,
        route_class=QueryRoute,
    ),
    Operation(
        "GET",
        "/v1/insights/customers/{customer_id:id}",
        insights_customer,
        summary="Read what a customer is worth",
        tag=Tag.INSIGHTS,
        answer=CustomerWorth,
        responses=PROBLEMS | UNKNOWN | AS_CSV,
        route_class=QueryRoute,
    ),
)
