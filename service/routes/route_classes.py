"""Routes whose paths hold ids and whose queries hold options."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Coroutine, Iterable, Iterator, Set
from functools import lru_cache
from typing import Annotated, Any, Final

from fastapi import Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.convertors import Convertor
from starlette.datastructures import QueryParams
from starlette.routing import Match
from starlette.types import Scope

from service.answering.query import RecommendationQuery
from service.http.authorization import get_caller
from service.http.paths import get_path, show_slashes
from service.routes.request_context import get_responder
from service.routes.responses import answer_query
from service.schemas.base import ParameterModel
from service.schemas.parameters import Id

CustomerId = Annotated[
    Id,
    Path(
        description="Id of the customer. It may hold any character; a slash is written `%2F`.",
        examples=["2034"],
    ),
]
ProductId = Annotated[
    Id,
    Path(
        description="Id of the product. It may hold any character; a slash is written `%2F`.",
        examples=["1082185"],
    ),
]
OrderId = Annotated[Id, Path(description="Id of a purchase that was reported.", examples=["1001"])]
REMEMBERED_QUERIES: Final = 256  # of each call
SHORT_QUERY: Final = 500  # bytes; longer ones hold lists of ids, which hardly come again
# Addresses that begin like that of a customer, a product or a rule and go on behind its id.
LONGER_PATH: Final = re.compile(
    r"/v1/(?:customers/[\s\S]*/"
    r"(?:consent|explain|export|preferences|profile|recently-viewed|recommendations(?:\.html)?"
    r"|replenishment|unused)"
    r"|products/[\s\S]*/(?:bundles|ratings|similar)|campaigns/[\s\S]*/(?:due|mails)"
    r"|experiments/[\s\S]*/stop|(?:rules|blocks)/preview|rules/cost|models/rollback)$"
)


class IdConvertor(Convertor[str]):
    """A path parameter that may hold anything, slashes and line ends too.

    It ends where the rest of the path begins. An encoded slash is always part of it.
    """

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return show_slashes(value)

    def to_string(self, value: str) -> str:
        return value


class BareRoute(APIRoute):
    """A route that ends in an id, and takes no path that is a longer address.

    A customer whose id ends like one is then not erased by mistake: that slash is written `%2F`.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        is_longer = LONGER_PATH.match(get_path(scope))
        return (Match.NONE, {}) if is_longer else super().matches(scope)


class OpenRoute(APIRoute):
    """A route open to everyone: a wrong method is refused as such, and needs no key."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        return (Match.NONE if match is Match.NONE else Match.FULL), child_scope


class QueryRoute(APIRoute):
    """A route that calls an endpoint with `request`, ids of the path and `options`.

    FastAPI documents it like any other. It reads the query itself, since FastAPI looks through
    the types of all options at every request: two thirds of the time of a cached answer.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint: Callable[..., Coroutine[Any, Any, Response]] = self.endpoint
        read = _argument_reader(endpoint, self.param_convertors)

        async def handle(request: Request) -> Response:
            ids, options = read(request)
            return await endpoint(request, **ids, options=options)

        return handle


class SlateRoute(APIRoute):
    """A route whose endpoint makes the query of a call; what answers it is the same for all.

    The endpoint is called with `request`, ids of the path and `options`, as that of a QueryRoute.
    It puts the ids into the fields of the query that bear their names, and nowhere else.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint: Callable[..., RecommendationQuery] = self.endpoint
        read = _argument_reader(endpoint, self.param_convertors)
        remembered: dict[tuple[bytes, str], RecommendationQuery] = {}

        def find_query(request: Request) -> RecommendationQuery:
            ids, options = read(request)
            caller = get_caller(request)
            query_string = request.scope["query_string"]
            if caller.is_customer or len(query_string) > SHORT_QUERY:
                return endpoint(request, **ids, options=options)
            name = query_string, get_responder(request).settings.default_locale
            query = remembered.get(name)
            if query is None:
                if len(remembered) >= REMEMBERED_QUERIES:
                    remembered.clear()
                query = remembered[name] = endpoint(request, **ids, options=options)
            return query.about(**ids)

        async def handle(request: Request) -> Response:
            return await answer_query(request, find_query(request))

        self._handle = handle
        return handle

    async def answer_directly(self, scope: Scope) -> Response | None:
        """Return the answer to a plain call; None for one that the framework has to refuse.

        Raises Problem.
        """
        try:
            return await self._handle(Request(scope))
        except RequestValidationError:
            return None


Arguments = tuple[dict[str, str], ParameterModel]


def _argument_reader(
    endpoint: Callable[..., Any], ids: Iterable[str]
) -> Callable[[Request], Arguments]:
    """Return what reads the arguments of an endpoint. It raises RequestValidationError.

    The same few queries come again and again, so their options are remembered.
    """
    hints = typing.get_type_hints(endpoint, include_extras=True)
    model: type[ParameterModel] = typing.get_args(hints["options"])[0]
    readers = {name: TypeAdapter(hints[name]).validator.validate_python for name in ids}
    fields = model.model_fields.items()
    repeated = {name for name, field in fields if typing.get_origin(field.annotation) is tuple}

    def read_options(query: QueryParams, errors: list[Any]) -> Any:
        if len(query) != len(query.multi_items()):
            errors += _find_repeated(query, repeated & query.keys())
        values = {name: query.getlist(name) if name in repeated else query[name] for name in query}
        return _validate(model.model_validate, values, errors, "query")

    @lru_cache(maxsize=REMEMBERED_QUERIES)
    def recall_options(query_string: bytes) -> ParameterModel | None:
        """Return the options of a query; None where it has to be refused."""
        errors: list[Any] = []
        options: ParameterModel = read_options(QueryParams(query_string), errors)
        return None if errors else options

    def read(request: Request) -> Arguments:
        errors: list[Any] = []
        found = {
            name: _validate(readers[name], value, errors, "path", name)
            for name, value in request.path_params.items()
        }
        query_string = request.scope["query_string"]
        options = recall_options(query_string) if len(query_string) <= SHORT_QUERY else None
        if options is None:
            options = read_options(request.query_params, errors)
        if errors:
            raise RequestValidationError(errors)
        return found, options

    return read


def _find_repeated(query: QueryParams, repeatable: Set[str]) -> Iterator[dict[str, Any]]:
    """Yield an error for each option that is given more than once and stands for one value."""
    for name in query.keys() - repeatable:
        count = len(query.getlist(name))
        if count > 1:
            message = f"is given {count} times, and takes one value"
            yield {"type": "value_error", "loc": ("query", name), "msg": message}


def _validate(validate: Callable[[Any], Any], value: Any, errors: list[Any], *location: str) -> Any:
    """Return the validated value, or None after adding what is wrong to `errors`."""
    try:
        return validate(value)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        errors += ({**problem, "loc": (*location, *problem["loc"])} for problem in problems)
        return None
