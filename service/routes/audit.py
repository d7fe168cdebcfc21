"""Who changed what."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Query, Request, Response
from pydantic import Field

from service.errors import PROBLEMS
from service.routes.store_calls import looked_up
from service.schemas.answers import Schema
from service.schemas.parameters import ParameterModel
from service.store import audit


class AuditOptions(ParameterModel):
    n: Annotated[int, Field(ge=1, le=1000, description="how many changes")] = 100
    below: Annotated[
        int | None, Field(ge=1, le=2**62, description="changes numbered below, for the next page")
    ] = None


class AuditAnswer(Schema):
    changes: list[dict[str, Any]]


def add_audit_routes(app: FastAPI) -> None:
    app.add_api_route(
        "/v1/audit",
        get_audit,
        methods=["GET"],
        response_model=AuditAnswer,
        responses=PROBLEMS,
        tags=["rules"],
    )


async def get_audit(request: Request, options: Annotated[AuditOptions, Query()]) -> Response:
    """Who changed what, newest first."""
    found = await looked_up(request, partial(audit.newest, most=options.n, below=options.below))
    return _json({"changes": found})


def _json(body: Any) -> Response:
    return Response(
        orjson.dumps(body), headers={"Cache-Control": "no-store"}, media_type="application/json"
    )
