"""For those who run the service: is it alive, is it ready, what does it serve, how is it doing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import Enum
from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Path, Request, Response
from fastapi.routing import APIRoute
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.routing import Match
from starlette.types import Scope

from models.artifact.files import Manifest
from models.artifact.registry import Registry
from models.data.timestamps import format_timestamp
from models.errors import ArtifactError
from service.answering.responder import Responder
from service.errors import PROBLEMS, DamagedVersion, NotFound, problem_schema
from service.model.active_model import Refusal
from service.schemas.answers import Alive, Models, Ready


class OpenRoute(APIRoute):
    """Open to everyone: a method that it does not take is refused as such, and asks nobody for a key."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        return (Match.NONE if match is Match.NONE else Match.FULL), found


def add_operations(app: FastAPI) -> None:
    tags: list[str | Enum] = ["operations"]
    problems = dict(PROBLEMS)
    problems |= {
        404: problem_schema("There is no such version"),
        409: problem_schema("The version is damaged"),
    }
    key: dict[int | str, dict[str, Any]] = {401: PROBLEMS[401]}
    app.add_api_route("/v1/models", models, response_model=Models, responses=key, tags=tags)
    app.add_api_route(
        "/v1/models/{version}/activate",
        activate,
        methods=["POST"],
        response_model=Models,
        responses=problems,
        tags=tags,
    )
    add_open = partial(app.router.add_api_route, tags=tags, route_class_override=OpenRoute)
    add_open("/healthz", healthz, response_model=Alive)
    add_open("/readyz", readyz, response_model=Ready, responses={503: {"model": Ready}})
    app.add_api_route("/metrics", metrics, response_class=Response, responses=key, tags=tags)


async def healthz() -> Response:
    """200 while the process runs."""
    return _json({"alive": True})


async def readyz(request: Request) -> Response:
    """200 once a model is served, 503 before; names a newer model that was refused, and how store and cache are."""
    responder: Responder = request.app.state.responder
    model = responder.active.current
    body = {
        "ready": model is not None,
        "model_version": model.version if model else None,
        "data_as_of": model.data_as_of if model else None,
        "refused": _refused(responder.active.refusal),
        "store": f"{responder.store.backend}, breaker {responder.computer.breaker.state}",
        "cache": responder.cache.state(),
    }
    return _json(body, 200 if model else 503)


async def metrics(request: Request) -> Response:
    """Everything Prometheus wants to know, of all workers together."""
    text = await asyncio.to_thread(request.app.state.responder.metrics.render)
    return Response(text, media_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})


async def models(request: Request) -> Response:
    """Every version in the registry, newest first, which one is active and which one is served."""
    return await _models(request)


async def activate(
    request: Request, version: Annotated[str, Path(description="as /v1/models names it")]
) -> Response:
    """Serve a version, this host's worker at once and the others when they look; every byte of it is checked first."""
    responder: Responder = request.app.state.responder
    registry = responder.active.registry
    if version not in await asyncio.to_thread(registry.names):
        raise NotFound("There is no version of that name in the registry.")
    try:
        await asyncio.to_thread(registry.activate, version)
    except ArtifactError as error:
        raise DamagedVersion(str(error).replace(f"{registry.root}/", "")) from None
    await asyncio.to_thread(responder.active.refresh)
    return await _models(request)


async def _models(request: Request) -> Response:
    responder: Responder = request.app.state.responder
    registry, current = responder.active.registry, responder.active.current
    active, manifests = await asyncio.to_thread(lambda: (_active(registry), registry.versions()))
    loaded = current.version if current else None
    facts = [_facts(manifest, active, loaded) for manifest in manifests]
    return _json({"active": active, "loaded": loaded, "models": facts})


def _active(registry: Registry) -> str | None:
    """None too where the pointer is damaged: /readyz names that."""
    try:
        return registry.active()
    except ArtifactError:
        return None


def _facts(manifest: Manifest, active: str | None, loaded: str | None) -> dict[str, object]:
    version = manifest.version
    return {
        "version": version,
        "active": version == active,
        "loaded": version == loaded,
        "created": format_timestamp(manifest.created),
        "data_from": format_timestamp(manifest.data_from),
        "data_as_of": format_timestamp(manifest.data_as_of),
        "counts": manifest.counts,
        "metrics": manifest.metrics,
    }


def _refused(refusal: Refusal | None) -> dict[str, str] | None:
    return {"version": refusal.version, "reason": refusal.reason} if refusal else None


def _json(body: Mapping[str, object], status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, {"Cache-Control": "no-store"}, "application/json")
