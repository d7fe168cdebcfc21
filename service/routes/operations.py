"""Calls for those who run the service: health, readiness, metrics, and which model is served."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from fastapi import Path, Request, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from models.artifact.files import Manifest
from models.artifact.registry import Registry
from models.data.timestamps import format_timestamp
from models.errors import ArtifactError, UnreadableError, may_pass
from service.answering.responder import Responder
from service.errors import (
    PROBLEMS,
    Conflict,
    DamagedVersion,
    NotFound,
    VersionUnreadable,
    problem_schema,
)
from service.model.active_model import Refusal
from service.model.loaded_model import LoadedModel
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder
from service.routes.responses import NO_STORE, uncached_json
from service.routes.route_classes import OpenRoute
from service.schemas.operations import Alive, Models, Ready

Version = Annotated[
    str,
    Path(
        description="Name of the version, as `GET /v1/models` lists it.",
        examples=["20261121T200000Z-1f0c9a52d7be"],
    ),
]


async def get_health() -> Response:
    """Return a 200 while the process runs."""
    return uncached_json({"alive": True})


async def get_readiness(request: Request) -> Response:
    """Return a 200 once a model is served, a 503 before and while the store is broken.

    The answer names a newer version that was refused, and the state of the store and the cache.
    """
    responder = get_responder(request)
    model, fault = responder.active.current, responder.store.fault
    is_ready = model is not None and fault is None
    store_state = f"breaker {responder.computer.breaker.state}"
    if fault:
        store_state = f"cannot be used: {fault}"
    body = {
        "ready": is_ready,
        "model_version": model.version if model else None,
        "data_as_of": model.data_as_of if model else None,
        **_describe_freshness(responder, model),
        "refused": _format_refusal(responder.active.refusal),
        "store": f"{responder.store.backend}, {store_state}",
        "store_of_model": _find_lineage_problem(responder, model),
        "cache": responder.cache.state(),
    }
    return uncached_json(body, 200 if is_ready else 503)


def _find_lineage_problem(responder: Responder, model: LoadedModel | None) -> str | None:
    return responder.store.lineage_problem(model.recommender.manifest) if model else None


async def get_metrics(request: Request) -> Response:
    """Return the metrics of all workers together, in the text format of Prometheus."""
    text = await asyncio.to_thread(get_responder(request).metrics.render)
    return Response(text, media_type=CONTENT_TYPE_LATEST, headers=NO_STORE)


async def get_models(request: Request) -> Response:
    """Return every version in the registry, newest first, with its counts and quality figures.

    The answer says which version is active and which one the answering worker serves.
    """
    responder = get_responder(request)
    registry, current = responder.active.registry, responder.active.current
    active, manifests = await asyncio.to_thread(_list_versions, registry)
    loaded = current.version if current else None
    facts = [_format_version(manifest, active, loaded) for manifest in manifests]
    return uncached_json({"active": active, "loaded": loaded, "models": facts})


async def activate_model(request: Request, version: Version) -> Response:
    """Serve another version, after every byte of it was checked.

    The answering worker serves it at once, the others when they next look.
    """
    responder = get_responder(request)
    registry = responder.active.registry
    try:
        if version not in await asyncio.to_thread(registry.names):
            raise NotFound("There is no version of that name in the registry.")
        await asyncio.to_thread(registry.activate, version)
    except UnreadableError as error:
        raise VersionUnreadable(str(error).replace(f"{registry.root}/", "")) from None
    except ArtifactError as error:
        raise DamagedVersion(str(error).replace(f"{registry.root}/", "")) from None
    except OSError as error:
        if may_pass(error):
            raise VersionUnreadable(str(error.strerror)) from None
        raise Conflict(f"The registry cannot be written to: {error.strerror}.") from None
    await asyncio.to_thread(responder.active.refresh)
    return await get_models(request)


def _list_versions(registry: Registry) -> tuple[str | None, list[Manifest]]:
    """Return the active version and all versions.

    The active one is None too where its pointer is damaged: /readyz names that.
    """
    try:
        active = registry.active()
    except ArtifactError:
        active = None
    return active, registry.versions()


def _describe_freshness(responder: Responder, model: LoadedModel | None) -> dict[str, Any]:
    shop_time = responder.catalogues.shop_time_of(model) if model else None
    newest_event = responder.freshness.newest_event
    return {
        "shop_time": None if shop_time is None else format_timestamp(shop_time),
        "model_age_days": model.age_days(shop_time) if model and shop_time is not None else None,
        "newest_event": None if newest_event is None else format_timestamp(newest_event),
    }


def _format_version(manifest: Manifest, active: str | None, loaded: str | None) -> dict[str, Any]:
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


def _format_refusal(refusal: Refusal | None) -> dict[str, str] | None:
    return {"version": refusal.version, "reason": refusal.reason} if refusal else None


ONLY_UNAUTHORIZED: Final = {401: PROBLEMS[401]}
UNKNOWN_VERSION: Final = {404: problem_schema("There is no such version.")}
DAMAGED: Final = {
    409: problem_schema("The version is damaged, or the registry cannot be written to.")
}
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/models",
        get_models,
        summary="List model versions",
        tag=Tag.OPERATIONS,
        answer=Models,
        responses=ONLY_UNAUTHORIZED,
        name="models",
    ),
    Operation(
        "POST",
        "/v1/models/{version}/activate",
        activate_model,
        summary="Serve another model version",
        tag=Tag.OPERATIONS,
        answer=Models,
        responses=PROBLEMS | UNKNOWN_VERSION | DAMAGED,
        name="activate",
    ),
    Operation(
        "GET",
        "/healthz",
        get_health,
        summary="Check that the process runs",
        tag=Tag.OPERATIONS,
        answer=Alive,
        responses={},
        name="healthz",
        route_class=OpenRoute,
    ),
    Operation(
        "GET",
        "/readyz",
        get_readiness,
        summary="Check that the service can answer",
        tag=Tag.OPERATIONS,
        answer=Ready,
        responses={503: {"model": Ready}},
        name="readyz",
        route_class=OpenRoute,
    ),
    Operation(
        "GET",
        "/metrics",
        get_metrics,
        summary="Read metrics for Prometheus",
        tag=Tag.OPERATIONS,
        responses=ONLY_UNAUTHORIZED,
        name="metrics",
        response_class=Response,
    ),
)
