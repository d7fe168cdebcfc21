"""Addresses with options in the query, read once and without a detour."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final

from fastapi import Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.convertors import Convertor
from starlette.routing import Match
from starlette.types import Scope

from service.schemas.parameters import Id, ParameterModel

ID: Final[TypeAdapter[str]] = TypeAdapter(Id)


CustomerId = Annotated[Id, Path(description="any characters; a slash is written %2F or as it is")]
ProductId = Annotated[Id, Path(description="any characters; a slash is written %2F or as it is")]
OrderId = Annotated[Id, Path(description="of a purchase that was reported")]


class IdConvertor(Convertor[str]):
    """A path parameter that may hold anything, slashes and line ends too; what follows it in the path ends it."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


# What is asked of a customer, a product or the rules, by the end of the path.
LONGER: Final = re.compile(
    r"/v1/(?:customers/[\s\S]*/(?:consent|export|profile|recommendations(?:\.html)?|replenishment|unused)"
    r"|products/[\s\S]*/(?:bundles|ratings|similar)|rules/preview)$"
)


class BareRoute(APIRoute):
    """Ends in an id, and takes no path that is a longer address: whom nobody named is not forgotten by mistake."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.NONE, {}) if LONGER.match(scope["path"]) else super().matches(scope)


class QueryRoute(APIRoute):
    """Calls an endpoint of `request`, ids of the path and `options`, which FastAPI describes in /docs as any other.

    It would look through the types of all options at every request: two thirds of the time of a cached answer.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint: Callable[..., Coroutine[Any, Any, Response]] = self.endpoint
        options: type[ParameterModel] = typing.get_type_hints(endpoint)["options"]
        fields = options.model_fields.items()
        repeated = {name for name, field in fields if typing.get_origin(field.annotation) is tuple}

        async def handle(request: Request) -> Response:
            query, errors = request.query_params, list[Any]()
            path = request.path_params.items()
            ids = {
                name: _read(ID.validate_python, value, errors, "path", name) for name, value in path
            }
            given = {
                name: query.getlist(name) if name in repeated else query[name] for name in query
            }
            asked = _read(options.model_validate, given, errors, "query")
            if errors:
                raise RequestValidationError(errors)
            return await endpoint(request, **ids, options=asked)

        return handle


def _read(validate: Callable[[Any], Any], given: Any, errors: list[Any], *where: str) -> Any:
    """None where it cannot be understood; `errors` then says why."""
    try:
        return validate(given)
    except ValidationError as error:
        errors += ({**one, "loc": (*where, *one["loc"])} for one in error.errors(include_url=False))
