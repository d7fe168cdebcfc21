"""Results of experiments and of the holdout, as training has computed them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from models.artifact.insights import EXPERIMENTS, read_insight
from models.errors import ArtifactError
from service.errors import PROBLEMS, NotFound, problem_schema
from service.routes.experiments import ExperimentId
from service.routes.insights import choose_segment
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder
from service.routes.responses import uncached_json
from service.routes.route_classes import QueryRoute
from service.routes.spreadsheets import AS_CSV, write_csv
from service.schemas.experiment_results import ComparedFigure, ExperimentResults, FixedInterval
from service.schemas.insights import InsightFormat, SegmentOptions

COMPUTE: Final = "Compute it with: regulars experiments results"
INTERVALS: Final = ("fixed", "always_valid")
INTERVAL_ENDS: Final = tuple(FixedInterval.model_fields)
COMPARED: Final = tuple(name for name in ComparedFigure.model_fields if name not in INTERVALS)
COMPARED_COLUMNS: Final = (
    "among",
    *COMPARED,
    *(f"{interval}_{name}" for interval in INTERVALS for name in INTERVAL_ENDS),
)
log: Final = logging.getLogger("regulars.service")


async def get_results(
    request: Request, experiment_id: ExperimentId, options: Annotated[SegmentOptions, Query()]
) -> Response:
    """Return what an experiment says by now, as `regulars experiments results` has computed it.

    Two intervals are told of each difference, and when each of them holds: among all who were
    assigned, and among those who were exposed; or of the customers who were in a segment when it
    began. The holdout's results have the id `holdout`.
    """
    registry = get_responder(request).active.registry
    try:
        facts = await asyncio.to_thread(read_insight, registry.root, EXPERIMENTS)
    except ArtifactError as error:
        log.warning("%s", error)
        raise NotFound(f"The results in the registry cannot be read. {COMPUTE}") from None
    found = (facts or {}).get("experiments", {}).get(experiment_id)
    if facts is None or found is None:
        raise NotFound(f"Nothing was computed of an experiment of that id. {COMPUTE}")
    content: dict[str, Any] = dict.fromkeys(ExperimentResults.model_fields)
    content |= {name: [] for name in ("variants", "comparisons", "guardrails", "stops", "moved")}
    content |= {"id": experiment_id, "computed": facts["computed"]}
    content |= {name: value for name, value in found.items() if name != "segments"}
    if options.segment is not None:
        told = choose_segment(found, found.get("segments", {}), options.segment)
        content |= {**told, "segment": options.segment, "exposed": None}
    if options.format is InsightFormat.CSV:
        return write_csv(_list_comparisons(content), COMPARED_COLUMNS)
    return uncached_json(content)


def _list_comparisons(results: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a spreadsheet."""
    parts = (("assigned", results), ("exposed", results["exposed"] or {}))
    for among, part in parts:
        for compared in part.get("comparisons", ()):
            row = {"among": among, **{name: compared[name] for name in COMPARED}}
            for interval in INTERVALS:
                ends = compared[interval] or {}
                row |= {f"{interval}_{name}": ends.get(name) for name in INTERVAL_ENDS}
            yield row


NOT_COMPUTED: Final = {404: problem_schema("Nothing was computed of it yet.")}
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/insights/experiments/{experiment_id:id}",
        get_results,
        summary="Read what an experiment says by now",
        tag=Tag.INSIGHTS,
        answer=ExperimentResults,
        responses=PROBLEMS | NOT_COMPUTED | AS_CSV,
        route_class=QueryRoute,
        name="experiment_results",
    ),
)
