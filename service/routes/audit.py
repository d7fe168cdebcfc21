"""Audit log: who changed which rule or key."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from service.routes.registration import Operation, Tag
from service.routes.request_context import read_store
from service.routes.responses import uncached_json
from service.routes.route_classes import QueryRoute
from service.schemas.audit import AuditAnswer
from service.schemas.pages import Listing, PagingOptions
from service.store import audit

BY_NUMBER: Final[Listing[dict[str, Any]]] = Listing(
    lambda change: (change["number"],), (int,), newest_first=True
)


async def get_audit(request: Request, options: Annotated[PagingOptions, Query()]) -> Response:
    """Return who changed what, and when, newest first."""
    place = BY_NUMBER.read_place(options)
    below = place[0] if place else None
    read = partial(audit.list_newest, limit=options.limit + 1, below=below)
    page = BY_NUMBER.cut(await read_store(request, read), options)
    return uncached_json({"changes": page.entries, "next": page.next})


OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/audit",
        get_audit,
        summary="List changes, with who made them",
        tag=Tag.RULES,
        answer=AuditAnswer,
        route_class=QueryRoute,
    ),
)
