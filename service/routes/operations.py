"""Calls for those who run the service: health, readiness, metrics and settings."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

from fastapi import Request, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from models.artifact.shops import MAIN
from models.data.timestamps import format_timestamp
from service.answering.responder import Responder
from service.errors import (
    PROBLEMS,
)
from service.model.active_model import UnservedVersion
from service.model.loaded_model import LoadedModel
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder, get_shop
from service.routes.responses import NO_STORE, uncached_json
from service.routes.route_classes import OpenRoute
from service.schemas.operations import Alive, Ready, SettingsAnswer
from service.schemas.shops import OWN_EXAMPLES
from service.settings import PREFIX, Settings


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
    asked = responder.erasure_watch.asked
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
        "shop_erasure": None if asked is None else format_timestamp(asked),
    }
    return uncached_json(body, 200 if is_ready else 503)


def _find_lineage_problem(responder: Responder, model: LoadedModel | None) -> str | None:
    return responder.store.lineage_problem(model.recommender.manifest) if model else None


async def get_metrics(request: Request) -> Response:
    """Return the metrics of all workers together, in the text format of Prometheus.

    The main shop sees those of the whole deployment, another one its own.
    """
    text = await asyncio.to_thread(get_responder(request).metrics.render)
    return Response(text, media_type=CONTENT_TYPE_LATEST, headers=NO_STORE)


async def get_settings(request: Request) -> Response:
    """Return every setting with its value and its meaning. Secrets are not among the values.

    A shop besides the main one sees those that it may say for itself.
    """
    shop = get_shop(request)
    settings = shop.responder.settings
    names = type(settings).model_fields if shop.name == MAIN else OWN_EXAMPLES
    described = [_describe_setting(settings, name) for name in names]
    return uncached_json({"settings": described})


def _describe_setting(settings: Settings, name: str) -> dict[str, Any]:
    field, value = type(settings).model_fields[name], getattr(settings, name)
    is_secret = "SecretStr" in str(field.annotation)
    return {
        "name": f"{PREFIX}{name.upper()}",
        "value": None if is_secret else _as_json(value),
        "default": _as_json(field.default),
        "is_set": value != field.default,
        "is_secret": is_secret,
        "meaning": field.description,
    }


def _as_json(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _describe_freshness(responder: Responder, model: LoadedModel | None) -> dict[str, Any]:
    shop_time = responder.catalogues.shop_time_of(model) if model else None
    newest_event = responder.freshness.newest_event
    return {
        "shop_time": None if shop_time is None else format_timestamp(shop_time),
        "model_age_days": model.age_days(shop_time) if model and shop_time is not None else None,
        "newest_event": None if newest_event is None else format_timestamp(newest_event),
    }


def _format_refusal(refusal: UnservedVersion | None) -> dict[str, str] | None:
    return {"version": refusal.version, "reason": refusal.reason} if refusal else None


ONLY_UNAUTHORIZED: Final = {401: PROBLEMS[401]}
OPERATIONS: Final = (
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
        "/v1/settings",
        get_settings,
        summary="List the settings of the service",
        tag=Tag.OPERATIONS,
        answer=SettingsAnswer,
        name="settings",
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
