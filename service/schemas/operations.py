"""Answers to those who run the service: models, health and readiness."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

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


TRAINING_EXAMPLE: Final[dict[str, Any]] = {
    "name": VERSION,
    "finished": "2026-11-21T20:05:00Z",
    "outcome": "published",
    "in_registry": True,
    "active": True,
}


class Training(AnswerModel):
    """A training whose report is kept."""

    model_config = ConfigDict(json_schema_extra=examples(TRAINING_EXAMPLE))
    name: str = Field(
        description="The version that it published; `refused` for the last one that was refused."
    )
    finished: datetime = Field(description="When its report was written.")
    outcome: Literal["published", "refused"] = Field(
        description="Whether the quality gate let it through."
    )
    in_registry: bool = Field(description="Whether its version is still there to be served.")
    active: bool = Field(description="Whether its version is the one to serve.")


class Trainings(AnswerModel):
    """Trainings whose reports are kept."""

    model_config = ConfigDict(
        json_schema_extra=examples({"trainings": [TRAINING_EXAMPLE], "next": None})
    )
    trainings: list[Training] = Field(description="The trainings, the last one first.")
    next: Next


SETTING_EXAMPLE: Final[dict[str, Any]] = {
    "name": "REGULARS_DEADLINE_MS",
    "value": 200,
    "default": 200,
    "is_set": False,
    "is_secret": False,
    "meaning": "Milliseconds after which the popular slate is sent instead.",
}


class SettingFacts(AnswerModel):
    """A setting of the service."""

    model_config = ConfigDict(json_schema_extra=examples(SETTING_EXAMPLE))
    name: str = Field(description="Variable of the environment that sets it.")
    value: bool | int | float | str | None = Field(
        description="Value in use. Null for a secret, whether it is set or not."
    )
    default: bool | int | float | str | None = Field(description="Value where nobody sets it.")
    is_set: bool = Field(description="Whether it is another one than the default.")
    is_secret: bool = Field(description="Whether the value is a secret, and not shown.")
    meaning: str = Field(description="What it does.")


class SettingsAnswer(AnswerModel):
    """Settings of the service. They are read when it starts."""

    model_config = ConfigDict(json_schema_extra=examples({"settings": [SETTING_EXAMPLE]}))
    settings: list[SettingFacts] = Field(description="Every setting, in the order of its page.")


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
