"""Insights: what recommendations earned, as the command `insights` has computed it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from models.artifact.insights import ATTRIBUTION, FEEDBACK, read_insight
from models.data.segments import Segment
from models.errors import ArtifactError
from service.errors import PROBLEMS, NotFound, problem_schema
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder
from service.routes.responses import uncached_json
from service.routes.route_classes import QueryRoute
from service.routes.spreadsheets import AS_CSV, write_csv
from service.schemas.feedback import FeedbackAnswer, ProductFeedback
from service.schemas.insights import (
    AttributedSales,
    AttributionAnswer,
    AttributionOptions,
    InsightFormat,
    InsightPeriod,
    OverviewAnswer,
    SegmentOptions,
    ShopSales,
)

COMPUTE: Final = "Compute them with: regulars insights"
PERIOD_FIELDS: Final = tuple(
    field.alias or name for name, field in InsightPeriod.model_fields.items()
)
FEEDBACK_FIELDS: Final = tuple(
    field.alias or name for name, field in FeedbackAnswer.model_fields.items() if name != "feedback"
)
NOT_BY_SEGMENT: Final = (
    "There are no figures of the segment {segment}: too few customers are in it, or segments were "
    f"not computed yet. {COMPUTE}"
)
log: Final = logging.getLogger("regulars.service")


async def insights_overview(
    request: Request, options: Annotated[SegmentOptions, Query()]
) -> Response:
    """Return the sales of the shop, what reached customers, and what is attributed of the sales.

    What is attributed is an upper bound of what recommendations earned.
    """
    facts = await read_figures(request, ATTRIBUTION)
    told = choose_segment(facts, facts.get("segments", {}), options.segment)
    if options.format is InsightFormat.CSV:
        return write_csv(told["overview"], ShopSales.model_fields)
    figures = {"reach": told["reach"], "overview": told["overview"]}
    return uncached_json({**_period(facts), "segment": options.segment, **figures})


async def insights_attribution(
    request: Request, options: Annotated[AttributionOptions, Query()]
) -> Response:
    """Return the sales that followed a click, or the sight, of what was recommended.

    They are told by placement, campaign, strategy, source, reason, product, experiment and variant,
    each on its own: one order stands once under each. Together they are an upper bound of what
    recommendations earned.
    """
    facts = await read_figures(request, ATTRIBUTION)
    told = choose_segment(facts, facts.get("segments", {}), options.segment)
    rows = [
        {"deliveries": None, "clicks": None, **row, "by": name}
        for name, listed in told["attribution"].items()
        if options.by in (None, name)
        for row in listed
    ]
    if options.format is InsightFormat.CSV:
        return write_csv(rows, AttributedSales.model_fields)
    return uncached_json({**_period(facts), "segment": options.segment, "attribution": rows})


async def insights_feedback(
    request: Request, options: Annotated[SegmentOptions, Query()]
) -> Response:
    """Return which products disappoint whom: ratings, dismissals, and what was struck out.

    A row for each product, of all customers (`segment` null) and of each segment; those that
    disappoint most customers first. What fewer than five customers said is not told.
    """
    facts = await read_figures(request, FEEDBACK)
    wanted = options.segment
    rows = [row for row in facts["feedback"] if wanted is None or row["segment"] == wanted]
    if options.format is InsightFormat.CSV:
        listed = [{**row, "words": " ".join(word["word"] for word in row["words"])} for row in rows]
        return write_csv(listed, ProductFeedback.model_fields)
    return uncached_json({**{name: facts[name] for name in FEEDBACK_FIELDS}, "feedback": rows})


def choose_segment(
    everything: Mapping[str, Any], parts: Mapping[str, Any], segment: Segment | None
) -> Mapping[str, Any]:
    """Return the figures of all, or of one of the parts. Raises NotFound where it is not told."""
    if segment is None:
        return everything
    if segment.value not in parts:
        raise NotFound(NOT_BY_SEGMENT.format(segment=segment.value))
    found: Mapping[str, Any] = parts[segment.value]
    return found


async def read_figures(request: Request, name: str) -> dict[str, Any]:
    """Return a document of the registry. Raises NotFound."""
    registry = get_responder(request).active.registry
    try:
        facts = await asyncio.to_thread(read_insight, registry.root, name)
    except ArtifactError as error:
        log.warning("%s", error)
        raise NotFound(f"The insights in the registry cannot be read. {COMPUTE}") from None
    if facts is None:
        raise NotFound(f"There are no insights yet. {COMPUTE}")
    return facts


def _period(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: facts[name] for name in PERIOD_FIELDS}


NOT_COMPUTED: Final = {404: problem_schema("Nothing was computed yet.")}
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/insights/overview",
        insights_overview,
        summary="Read what the shop sold, and what is attributed of it",
        tag=Tag.INSIGHTS,
        answer=OverviewAnswer,
        responses=PROBLEMS | NOT_COMPUTED | AS_CSV,
        route_class=QueryRoute,
    ),
    Operation(
        "GET",
        "/v1/insights/attribution",
        insights_attribution,
        summary="Read what followed from recommendations",
        tag=Tag.INSIGHTS,
        answer=AttributionAnswer,
        responses=PROBLEMS | NOT_COMPUTED | AS_CSV,
        route_class=QueryRoute,
    ),
    Operation(
        "GET",
        "/v1/insights/feedback",
        insights_feedback,
        summary="Read which products disappoint whom",
        tag=Tag.INSIGHTS,
        answer=FeedbackAnswer,
        responses=PROBLEMS | NOT_COMPUTED | AS_CSV,
        route_class=QueryRoute,
    ),
)
