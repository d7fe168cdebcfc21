"""Versions of the model: which there are, and which one is served."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final

from fastapi import Path, Query, Request, Response

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
    StoreUnavailable,
    VersionUnreadable,
    problem_schema,
)
from service.routes.registration import Operation, Tag
from service.routes.request_context import actor_of, get_responder, write_store
from service.routes.responses import uncached_json
from service.routes.route_classes import BareRoute, QueryRoute
from service.schemas.operations import ModelAnswer, Models
from service.schemas.pages import Listing, PagingOptions
from service.store.audit import record_change

log: Final = logging.getLogger("regulars.service")
Version = Annotated[
    str,
    Path(
        description="Name of the version, as `GET /v1/models` lists it.",
        examples=["20261121T200000Z-1f0c9a52d7be"],
    ),
]
# The name of a version begins with the moment when it was made.
BY_VERSION: Final[Listing[Manifest]] = Listing(
    lambda manifest: (manifest.version,), (str,), newest_first=True
)


async def get_models(request: Request, options: Annotated[PagingOptions, Query()]) -> Response:
    """Return the versions in the registry, newest first, with their counts and quality figures.

    The answer says which version is active and which one the answering worker serves.
    """
    responder = get_responder(request)
    manifests = await asyncio.to_thread(responder.active.registry.versions)
    page = BY_VERSION.page(manifests, options)
    served = await _describe_served(responder)
    facts = [_format_version(manifest, served) for manifest in page.entries]
    return uncached_json({**served, "models": facts, "next": page.next})


async def get_model(request: Request, version: Version) -> Response:
    """Return one version with its counts and quality figures, and whether it is served."""
    return await _show(get_responder(request), version)


async def activate_model(request: Request, version: Version) -> Response:
    """Serve another version, after every byte of it was checked.

    The answering worker serves it at once, the others when they next look.
    """
    registry = get_responder(request).active.registry
    return await _serve(request, "model activated", partial(_activate, registry, version))


async def rollback_model(request: Request) -> Response:
    """Serve the version that was active before, the last one that is whole.

    The answering worker serves it at once, the others when they next look. A second call goes back
    another step.
    """
    registry = get_responder(request).active.registry
    return await _serve(request, "model rolled back", partial(_roll_back, registry))


async def _serve(request: Request, action: str, change: Callable[[], str]) -> Response:
    """Change which version is active, and note it in the audit log."""
    responder = get_responder(request)
    registry = responder.active.registry
    try:
        before = await asyncio.to_thread(_find_active, registry)
        version = await asyncio.to_thread(change)
    except UnreadableError as error:
        raise VersionUnreadable(str(error).replace(f"{registry.root}/", "")) from None
    except ArtifactError as error:
        raise DamagedVersion(str(error).replace(f"{registry.root}/", "")) from None
    except OSError as error:
        if may_pass(error):
            raise VersionUnreadable(str(error.strerror)) from None
        raise Conflict(f"The registry cannot be written to: {error.strerror}.") from None
    await asyncio.to_thread(responder.active.refresh)
    note = partial(
        record_change,
        time=int(time.time()),
        actor=actor_of(request),
        action=action,
        subject=version,
        before={"version": before},
        after={"version": version},
    )
    try:
        await write_store(request, note)
    except StoreUnavailable:  # what is served depends on no store
        log.warning("the audit log lacks '%s %s': the store does not answer", action, version)
    return await _show(responder, version)


def _activate(registry: Registry, version: str) -> str:
    if version not in registry.names():
        raise NotFound("There is no version of that name in the registry.")
    registry.activate(version)
    return version


def _roll_back(registry: Registry) -> str:
    """Return the version that is active then. Raises Conflict where there is none."""
    if len(registry.pointers()) < 2:
        raise Conflict("No other version was active before.")
    return registry.rollback()


async def _show(responder: Responder, version: str) -> Response:
    manifests = await asyncio.to_thread(responder.active.registry.versions)
    found = {manifest.version: manifest for manifest in manifests}.get(version)
    if found is None:
        raise NotFound("There is no version of that name in the registry, or it is damaged.")
    served = await _describe_served(responder)
    return uncached_json({**served, "model": _format_version(found, served)})


async def _describe_served(responder: Responder) -> dict[str, str | None]:
    active = await asyncio.to_thread(_find_active, responder.active.registry)
    current = responder.active.current
    return {"active": active, "loaded": current.version if current else None}


def _find_active(registry: Registry) -> str | None:
    """Return the active version; None too where its pointer is damaged: /readyz names that."""
    try:
        return registry.active()
    except ArtifactError:
        return None


def _format_version(manifest: Manifest, served: dict[str, str | None]) -> dict[str, Any]:
    version = manifest.version
    return {
        "version": version,
        "active": version == served["active"],
        "loaded": version == served["loaded"],
        "created": format_timestamp(manifest.created),
        "data_from": format_timestamp(manifest.data_from),
        "data_as_of": format_timestamp(manifest.data_as_of),
        "counts": manifest.counts,
        "metrics": manifest.metrics,
    }


UNKNOWN_VERSION: Final = {404: problem_schema("There is no such version.")}
DAMAGED: Final = {
    409: problem_schema("The version is damaged, or the registry cannot be written to.")
}
NO_EARLIER: Final = {
    409: problem_schema("No whole version was active before, or the registry is read-only.")
}
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/models",
        get_models,
        summary="List model versions",
        tag=Tag.OPERATIONS,
        answer=Models,
        name="models",
        route_class=QueryRoute,
    ),
    Operation(
        "POST",
        "/v1/models/rollback",
        rollback_model,
        summary="Go back to the model version before",
        tag=Tag.OPERATIONS,
        answer=ModelAnswer,
        responses=PROBLEMS | NO_EARLIER,
    ),
    Operation(
        "GET",
        "/v1/models/{version}",
        get_model,
        summary="Read a model version",
        tag=Tag.OPERATIONS,
        answer=ModelAnswer,
        responses=PROBLEMS | UNKNOWN_VERSION,
        route_class=BareRoute,
    ),
    Operation(
        "POST",
        "/v1/models/{version}/activate",
        activate_model,
        summary="Serve another model version",
        tag=Tag.OPERATIONS,
        answer=ModelAnswer,
        responses=PROBLEMS | UNKNOWN_VERSION | DAMAGED,
        name="activate",
    ),
)
