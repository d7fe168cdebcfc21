"""Bases that the shapes of requests and answers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, JsonValue, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

ANNOTATIONS: Final = ("title", "description", "default", "examples")


def examples(*bodies: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return what a schema in the documentation says besides its fields: whole examples."""
    return {"examples": [dict(body) for body in bodies]}


class AnswerModel(BaseModel):
    """A body that the service answers with, as it is documented."""

    model_config = ConfigDict(extra="forbid")


class ParameterModel(BaseModel):
    """Parameters that a caller sends. An empty text or null counts as not sent.

    Templates of mails send it for values that they do not know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _drop_empty_values(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        fields = cls.model_fields
        return {
            name: value
            for name, value in values.items()
            if name not in fields or value not in (None, "")
        }

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the schema of a body, in which every optional field may be empty.

        The parameters of a query are marked by `service.routes.docs_page`.
        """
        reference = handler(core)
        schema = handler.resolve_ref_schema(reference)
        required = schema.get("required", ())
        for name, field in schema.get("properties", {}).items():
            if name not in required:
                schema["properties"][name] = _allow_empty(field)
        return reference


def _allow_empty(field: JsonSchemaValue) -> JsonSchemaValue:
    annotations = {name: value for name, value in field.items() if name in ANNOTATIONS}
    constraints = {name: value for name, value in field.items() if name not in ANNOTATIONS}
    return {**annotations, "anyOf": [constraints, {"enum": ["", None]}]}
