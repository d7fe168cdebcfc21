"""Addresses with options in the query, read once and without a detour."""

from __future__ import annotations

import typing
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError

from service.options import Asked, Id

ID: Final[TypeAdapter[str]] = TypeAdapter(Id)


class QueryRoute(APIRoute):
    """Calls an endpoint of `request`, ids of the path and `options`, which FastAPI describes in /docs as any other.

    It would look through the types of all options at every request: two thirds of the time of a cached answer.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint: Callable[..., Coroutine[Any, Any, Response]] = self.endpoint
        options: type[Asked] = typing.get_type_hints(endpoint)["options"]
        fields = options.model_fields.items()
        repeated = {name for name, field in fields if typing.get_origin(field.annotation) is tuple}

        async def handle(request: Request) -> Response:
            query, errors = request.query_params, list[Any]()
            path = request.path_params.items()
            ids = {name: _read(ID.validate_python, value, errors, "path", name) for name, value in path}
            given = {name: query.getlist(name) if name in repeated else query[name] for name in query}
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
