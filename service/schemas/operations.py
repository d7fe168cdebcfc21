"""Answers to those who run the service: models, health and readiness."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from pydantic import ConfigDict, Field

from service.schemas.base import AnswerModel, examples
from service.schemas.pages import Next

VERSION: Final = "20261121T200000Z-1f0c9a52d7be"
MODEL_EXAMPLE: Final[dict[str, Any]] = {
    "version": VERSION,
    "active": True,
    "loaded": True,
    "created": "2026-11-21T20:00:00Z",
    "data_from": "2025-11-22T00:03:00Z",
    "data_as_of": "2026-11-21T23:55:00Z",
    "counts": {"customers": 2469, "products": 62381},
    "metrics": {"ndcg": 0.214},
}


class ModelFacts(AnswerModel):
    """A trained version in the registry."""

    model_config = ConfigDict(json_schema_extra=examples(MODEL_EXAMPLE))
    version: str = Field(description="Name of the version.")
    active: bool = Field(description="Whether the registry names it as the one to serve.")
    loaded: bool = Field(description="Whether the worker that answered serves it.")
    created: datetime = Field(description="When it was trained.")
    data_from: datetime = Field(description="Time of the oldest event it learned from.")
    data_as_of: datetime = Field(description="Shop time when it learned.")
    counts: dict[str, int] = Field(
        description="How much it learned from: customers, products, events and more, by name."
    )
    metrics: dict[str, Any] = Field(description="Quality figures of its evaluation, by name.")


class ServedVersions(AnswerModel):
    """What is served while an answer about versions is made."""

    active: str | None = Field(description="Version that the registry names as the one to serve.")
    loaded: str | None = Field(description="Version that the worker that answered serves.")


class ModelAnswer(ServedVersions):
    """One version in the registry."""

    model_config = ConfigDict(
        json_schema_extra=examples({"active": VERSION, "loaded": VERSION, "model": MODEL_EXAMPLE})
    )
    model: ModelFacts = Field(description="The version.")


class Models(ServedVersions):
    """Versions in the registry."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {"active": VERSION, "loaded": VERSION, "models": [MODEL_EXAMPLE], "next": None}
        )
    )
    models: list[ModelFacts] = Field(description="The versions, newest first.")
    next: Next


class Refused(AnswerModel):
    """A version that cannot be served."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {"version": VERSION, "reason": "the checksum of item_factors.npy is wrong"}
        )
    )
    version: str = Field(description="Name of the version.")
    reason: str = Field(description="What is wrong with it.")


class Ready(AnswerModel):
    """Readiness of the service: whether it can answer, and with what."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                "ready": True,
                "model_version": VERSION,
                "data_as_of": "2026-11-21T23:55:00Z",
                "shop_time": "2026-11-22T11:20:00Z",
                "model_age_days": 0.48,
                "newest_event": "2026-11-22T11:24:00Z",
                "refused": None,
                "store": "sqlite, breaker closed",
                "store_of_model": None,
                "cache": "memory",
                "shop_erasure": None,
            }
        )
    )
    ready: bool = Field(description="Whether a model is served, and the store is not broken.")
    model_version: str | None = Field(description="Version that is served.")
    data_as_of: datetime | None = Field(description="Shop time when it learned.")
    shop_time: datetime | None = Field(
        description="The newest moment that sales confirm, those since training included: answers "
        "are made for it."
    )
    model_age_days: float | None = Field(
        description="Days from `data_as_of` to `shop_time`: what was sold since is not learned."
    )
    newest_event: datetime | None = Field(
        description="Time of the newest event in the store, of any kind. Where it is much later "
        "than `shop_time`, purchases are not reported."
    )
    refused: Refused | None = Field(
        description="The active version, if it is damaged. The one before it stays in service, "
        "or the newest whole one is served."
    )
    store: str = Field(
        description="Kind of the store, and whether it answers: breaker closed, half_open or open, "
        "or why it cannot be used."
    )
    store_of_model: str | None = Field(
        description="Why the store is not the one that the served version has learned from, if it "
        "is another one or an older copy: everything in it then counts beside the version."
    )
    cache: str = Field(description="Kind of the cache, and whether it answers.")
    shop_erasure: datetime | None = Field(
        description="When Shopify asked for the erasure of the whole shop, which is due 30 days "
        "later: `regulars erase-shop` does it. Null where nobody has asked."
    )


class Alive(AnswerModel):
    """Answer of a process that runs."""

    model_config = ConfigDict(json_schema_extra=examples({"alive": True}))
    alive: bool = Field(description="Always true.")
