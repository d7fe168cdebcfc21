"""Trainings: what became of each whose report is kept, and the reports."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated, Any, Final

from fastapi import Path, Query, Request, Response
from fastapi.responses import HTMLResponse

from models.artifact.registry import Registry
from models.artifact.reports import REFUSED, list_reports, report_path
from models.data.timestamps import format_timestamp
from models.errors import ArtifactError
from service.errors import PROBLEMS, NotFound, problem_schema
from service.patterns import NO_NUL
from service.routes.looks import note_look
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder
from service.routes.responses import NO_STORE, uncached_json
from service.routes.route_classes import QueryRoute
from service.schemas.operations import Trainings
from service.schemas.pages import Listing, PagingOptions

TrainingName = Annotated[
    str,
    Path(
        max_length=200,
        pattern=NO_NUL,
        description="Name of the training, as `GET /v1/trainings` lists it.",
        examples=["20261121T200000Z-1f0c9a52d7be"],
    ),
]
# Nothing in a report can run, or reach what the address it comes from may reach.
REPORT_HEADERS: Final = {
    **NO_STORE,
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class TrainingRun:
    """A training whose report is kept."""

    name: str
    finished: int  # seconds since 1970
    in_registry: bool
    active: bool

    def describe(self) -> dict[str, Any]:
        """Return it as a Training tells it."""
        return {
            "name": self.name,
            "finished": format_timestamp(self.finished),
            "outcome": "refused" if self.name == REFUSED else "published",
            "in_registry": self.in_registry,
            "active": self.active,
        }


BY_FINISH: Final[Listing[TrainingRun]] = Listing(
    lambda run: (run.finished, run.name), (int, str), newest_first=True
)


async def get_trainings(request: Request, options: Annotated[PagingOptions, Query()]) -> Response:
    """Return the trainings whose reports are kept, the last one first.

    Of those that the quality gate refused it is the last one.
    """
    registry = get_responder(request).active.registry
    page = BY_FINISH.page(await asyncio.to_thread(_find_runs, registry), options)
    runs = [run.describe() for run in page.entries]
    return uncached_json({"trainings": runs, "next": page.next})


async def get_report(request: Request, name: TrainingName) -> Response:
    """Return the report of a training, as a page.

    It shows a few customers by their ids. That somebody looked stands in the audit log.
    """
    registry = get_responder(request).active.registry
    page = await asyncio.to_thread(_read_report, registry.root, name)
    if page is None:
        raise NotFound("There is no report of a training of that name.")
    await note_look(request, None)
    return HTMLResponse(page, headers=REPORT_HEADERS)


def _find_runs(registry: Registry) -> list[TrainingRun]:
    versions = registry.names()
    try:
        active = registry.active()
    except ArtifactError:
        active = None
    return [
        TrainingRun(name, finished, name in versions, name == active)
        for name, finished in list_reports(registry.root)
    ]


def _read_report(root: FilePath, name: str) -> bytes | None:
    """Return a page, None where there is none of that very name."""
    if name not in [known for known, _ in list_reports(root)]:
        return None
    try:
        return report_path(root, name).read_bytes()
    except OSError:
        return None


NO_REPORT: Final = {404: problem_schema("There is no report of that name.")}
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/trainings",
        get_trainings,
        summary="List trainings",
        tag=Tag.OPERATIONS,
        answer=Trainings,
        name="trainings",
        route_class=QueryRoute,
    ),
    Operation(
        "GET",
        "/v1/trainings/{name}/report",
        get_report,
        summary="Read the report of a training",
        tag=Tag.OPERATIONS,
        responses=PROBLEMS | NO_REPORT,
        name="report",
        response_class=HTMLResponse,
    ),
)
