"""Audit log: who changed which rule or key."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final

from fastapi import Query, Request, Response

from service.routes.registration import Operation, Tag
from service.routes.request_context import read_store
from service.routes.responses import uncached_json
from service.routes.route_classes import QueryRoute
from service.schemas.audit import AuditAnswer, AuditOptions
from service.store import audit


async def get_audit(request: Request, options: Annotated[AuditOptions, Query()]) -> Response:
    """Return who changed which rule or key, and when, newest first."""
    changes = await read_store(
        request, partial(audit.list_newest, limit=options.n, below=options.below)
    )
    return uncached_json({"changes": changes})


OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/audit",
        get_audit,
        summary="List changes of rules and keys",
        tag=Tag.RULES,
        answer=AuditAnswer,
        route_class=QueryRoute,
    ),
)
