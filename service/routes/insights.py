"""Insights: what recommendations earned, as the command `insights` has computed it."""

from __future__ import annotations

import asyncio
import csv
import io
import logging
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from models.artifact.insights import ATTRIBUTION, read_insight
from models.errors import ArtifactError
from service.errors import PROBLEMS, NotFound, ResponseSchemas, problem_schema
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder
from service.routes.responses import NO_STORE, uncached_json
from service.routes.route_classes import QueryRoute
from service.schemas.insights import (
    AttributedSales,
    AttributionAnswer,
    AttributionOptions,
    InsightFormat,
    InsightOptions,
    InsightPeriod,
    OverviewAnswer,
    ShopSales,
)

CSV: Final = "text/csv"
RISKY: Final = ("=", "+", "-", "@", "\t", "\r")  # a text that begins so may be a formula
COMPUTE: Final = "Compute them with: regulars insights"
PERIOD_FIELDS: Final = tuple(
    field.alias or name for name, field in InsightPeriod.model_fields.items()
)
log: Final = logging.getLogger("regulars.service")


async def insights_overview(
    request: Request, options: Annotated[InsightOptions, Query()]
) -> Response:
    """Return the sales of the shop, what reached customers, and what is attributed of the sales.

    What is attributed is an upper bound of what recommendations earned.
    """
    facts = await _read(request)
    if options.format is InsightFormat.CSV:
        return _as_csv(facts["overview"], ShopSales.model_fields)
    return uncached_json({**_period(facts), "reach": facts["reach"], "overview": facts["overview"]})


async def insights_attribution(
    request: Request, options: Annotated[AttributionOptions, Query()]
) -> Response:
    """Return the sales that followed a click, or the sight, of what was recommended.

    They are told by placement, campaign, strategy, source, reason and product, each on its own: one
    order stands once under each. Together they are an upper bound of what recommendations earned.
    """
    facts = await _read(request)
    rows = [
        {"deliveries": None, "clicks": None, **row, "by": name}
        for name, listed in facts["attribution"].items()
        if options.by in (None, name)
        for row in listed
    ]
    if options.format is InsightFormat.CSV:
        return _as_csv(rows, AttributedSales.model_fields)
    return uncached_json({**_period(facts), "attribution": rows})


async def _read(request: Request) -> dict[str, Any]:
    """Return the document of the registry. Raises NotFound."""
    registry = get_responder(request).active.registry
    try:
        facts = await asyncio.to_thread(read_insight, registry.root, ATTRIBUTION)
    except ArtifactError as error:
        log.warning("%s", error)
        raise NotFound(f"The insights in the registry cannot be read. {COMPUTE}") from None
    if facts is None:
        raise NotFound(f"There are no insights yet. {COMPUTE}")
    return facts


def _period(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: facts[name] for name in PERIOD_FIELDS}


def _as_csv(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> Response:
    """Return rows with a header. An apostrophe keeps a text from being read as a formula."""
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(columns))
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(row[name]) for name in writer.fieldnames})
    return Response(stream.getvalue(), headers=NO_STORE, media_type=CSV)


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(RISKY) else value


NOT_COMPUTED: Final = {404: problem_schema("Nothing was computed yet.")}
AS_CSV: Final[ResponseSchemas] = {200: {"content": {CSV: {"schema": {"type": "string"}}}}}
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
)
