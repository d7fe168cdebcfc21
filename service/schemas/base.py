"""Bases that the shapes of requests and answers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    JsonValue,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

ANNOTATIONS: Final = ("title", "description", "default", "examples")


def examples(*bodies: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return what a schema in the documentation says besides its fields: whole examples."""
    return {"examples": [dict(body) for body in bodies]}


class AnswerModel(BaseModel):
    """A body that the service answers with, as it is documented."""

    model_config = ConfigDict(extra="forbid")


WARNING_EXAMPLE: Final[dict[str, JsonValue]] = {
    "field": "which.category",
    "problem": "no product is of the category 'MLK'; did you mean 'MILK'?",
}


class MistakenValue(AnswerModel):
    """A value that is taken as it is and that may be mistaken."""

    model_config = ConfigDict(json_schema_extra=examples(WARNING_EXAMPLE))
    field: str = Field(description="Name of the field.")
    problem: str = Field(description="Why it may be mistaken.")


Warnings = Annotated[
    list[MistakenValue],
    Field(
        description="Products, categories, brands, markets, attributes and values that nothing in "
        "the shop bears. They are kept, and do nothing until something does."
    ),
]


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
