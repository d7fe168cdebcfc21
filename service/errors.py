"""Errors of the service as RFC 9457 problem documents: one tree, one body, one handler."""

from __future__ import annotations

import difflib
import math
import typing
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import orjson
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.routing import Match

from service.patterns import PATTERN_SENTENCES

MEDIA_TYPE: Final = "application/problem+json"
MAX_ID_CHARACTERS: Final = 500  # of an id that came from outside and is shown again
MAX_NAME_CHARACTERS: Final = 60  # of a name that came from outside and is shown again
MAX_IN_DETAIL: Final = 5  # field problems
MAX_ERRORS: Final = 100  # field problems
NO_JSON: Final = "is not JSON"
SEND_JSON: Final = "Send JSON, with the header 'Content-Type: application/json'."
ACCEPTED: Final = {"Accept": "application/json"}
TOO_DEEP: Final = "is nested too deeply"
WITHOUT_BODY: Final = frozenset({"GET", "HEAD"})
TRAIN_COMMAND: Final = "regulars train --purchases PATH --registry DIR"


class Problem(HTTPException):
    """An error that ends a request.

    `detail` says what was wrong and what to do. It never holds a secret or a customer's id.
    """

    status: ClassVar[int]
    name: ClassVar[str]
    title: ClassVar[str]

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(self.status, detail, dict(headers or {}))
        self.sentence = detail
        self.errors = errors

    def response(self) -> Response:
        """Return the problem document."""
        body = {
            "type": f"urn:regulars:problem:{self.name}",
            "title": self.title,
            "status": self.status,
            "detail": self.sentence,
            "errors": list(self.errors),
        }
        headers = {"Cache-Control": "no-store", **(self.headers or {})}
        return Response(orjson.dumps(body), self.status, headers, MEDIA_TYPE)


class CommandError(Exception):
    """A command that cannot be carried out; the message is a sentence for the terminal."""


class Unauthorized(Problem):
    status, name, title = 401, "unauthorized", "A valid API key or customer token is needed"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"{why} Send one as 'Authorization: Bearer KEY' or, a key, as 'X-API-Key: KEY' "
            "or by basic auth.",
            headers={"WWW-Authenticate": 'Bearer realm="regulars"'},
        )


class Forbidden(Problem):
    status, name, title = 403, "forbidden", "The key or token does not open this"


class ForeignHost(Problem):
    status, name, title = 403, "foreign_host", "Without a key, only this machine may call"

    def __init__(self, header: str) -> None:
        super().__init__(
            f"While there is no key, the {header} header must name this machine. Set "
            "REGULARS_API_KEY, or add the host to REGULARS_ALLOWED_HOSTS if you trust every page "
            "and every caller there."
        )


class NotFound(Problem):
    status, name, title = 404, "not_found", "There is nothing at this address"


class MethodNotAllowed(Problem):
    status, name, title = 405, "method_not_allowed", "This address does not take this method"


class TooLarge(Problem):
    status, name, title = 413, "too_large", "The body is too large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"A body may hold {limit_bytes} bytes at most.")


class RequestLate(Problem):
    status, name, title = 408, "late", "The request took too long to arrive"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"This part of a request may take {seconds:g} s.")


class AddressTooLong(Problem):
    status, name, title = 414, "address_too_long", "The address is too long"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(
            f"Address and headers may hold {limit_bytes} bytes together. POST calls take lists of "
            "ids in the body."
        )


class HeadersTooLarge(Problem):
    status, name, title = 431, "headers_too_large", "The headers are too large"

    def __init__(self, limit_bytes: int, count: int, framing_bytes: int) -> None:
        super().__init__(
            f"Address and headers may hold {limit_bytes} bytes together, in {count} headers. "
            f"Trailers and the marks of chunks may hold {framing_bytes} bytes and a fourth of the "
            "body."
        )


class UnsupportedMediaType(Problem):
    status, name, title = 415, "unsupported_media_type", "The body is not sent as plain JSON"

    def __init__(self, detail: str, headers: Mapping[str, str] = ACCEPTED) -> None:
        super().__init__(detail, headers=headers)


class Invalid(Problem):
    status, name, title = 422, "invalid_request", "The request cannot be understood"


class TooManyCalls(Problem):
    status, name, title = 429, "too_many_calls", "More calls than this key may make"

    def __init__(self, wait_seconds: float) -> None:
        seconds = math.ceil(wait_seconds)
        super().__init__(
            f"The next call may come in {seconds} s.", headers={"Retry-After": str(seconds)}
        )


class QuotaExceeded(Problem):
    status, name, title = 429, "quota_exceeded", "More than a customer may have stored in a day"

    def __init__(self, max_lines: int, max_bytes: int, wait_seconds: int) -> None:
        super().__init__(
            f"A customer or visit may have {max_lines} events and {max_bytes} bytes stored in a day"
            " (UTC), and this call would exceed it, so nothing of it was stored. The next day"
            f" begins in {wait_seconds} s. Calls with a key have no such limit.",
            headers={"Retry-After": str(wait_seconds)},
        )


class InternalError(Problem):
    status, name, title = 500, "internal_error", "Something broke here"

    def __init__(self) -> None:
        super().__init__("The error was logged. The request may be sent again.")


class DamagedVersion(Problem):
    status, name, title = 409, "damaged", "The version cannot be served"


class Conflict(Problem):
    status, name, title = 409, "conflict", "It cannot be done as things are"


class Gone(Problem):
    status, name, title = 410, "forgotten", "The customer asked to be forgotten"

    def __init__(self) -> None:
        super().__init__("Nothing is kept about this customer any more; another id begins anew.")


class NoModel(Problem):
    status, name, title = 503, "no_model", "There is no model to answer with yet"

    def __init__(self, refused: str | None) -> None:
        why = (
            f"The active version was refused: {refused}."
            if refused
            else "No model has been published yet."
        )
        super().__init__(
            f"{why} Train one with '{TRAIN_COMMAND}'; it is picked up without a restart.",
            headers={"Retry-After": "5"},
        )


class TooManyConnections(Problem):
    status, name, title = 503, "too_many_connections", "No more connections can be answered"

    def __init__(self) -> None:
        headers = {"Retry-After": "1", "Connection": "close"}
        super().__init__("Every connection of the worker is being answered.", headers=headers)


class VersionUnreadable(Problem):
    status, name, title = 503, "unreadable", "The version cannot be read now"

    def __init__(self, why: str) -> None:
        super().__init__(f"{why}. Nothing was changed; try again.", headers={"Retry-After": "5"})


class StoreUnavailable(Problem):
    status, name, title = 503, "store_unavailable", "The store does not answer"

    def __init__(self) -> None:
        again = "Send it again in a moment; what was kept all the same is not kept twice."
        super().__init__(again, headers={"Retry-After": "2"})


FIELD_PROBLEM_EXAMPLE: Final[dict[str, Any]] = {
    "field": "n",
    "problem": "should be less than or equal to 100",
}
PROBLEM_EXAMPLE: Final[dict[str, Any]] = {
    "type": "urn:regulars:problem:invalid_request",
    "title": "The request cannot be understood",
    "status": 422,
    "detail": "n: should be less than or equal to 100",
    "errors": [FIELD_PROBLEM_EXAMPLE],
}


class FieldProblem(BaseModel):
    """A problem with one field of a request."""

    model_config = ConfigDict(json_schema_extra={"examples": [FIELD_PROBLEM_EXAMPLE]})
    field: str = Field(description="Name of the parameter or field, or `body`.")
    problem: str = Field(description="What is wrong with its value.")


class ProblemBody(BaseModel):
    """An RFC 9457 problem document."""

    model_config = ConfigDict(json_schema_extra={"examples": [PROBLEM_EXAMPLE]})
    type: str = Field(description="Kind of the problem, as a URN.")
    title: str = Field(description="Kind of the problem, in words.")
    status: int = Field(description="Status code of the answer.")
    detail: str = Field(description="What was wrong with this request, and what to do.")
    errors: list[FieldProblem] = Field(description="What is wrong with each field.")


def add_handlers(app: FastAPI) -> None:
    """Have the app answer every error with a problem document."""
    app.add_exception_handler(StarletteHTTPException, _handle)
    app.add_exception_handler(RequestValidationError, _handle)
    app.add_exception_handler(RecursionError, _handle_too_deep)


async def _handle(request: Request, error: Exception) -> Response:
    return _problem_of(request, error).response()


async def _handle_too_deep(request: Request, error: Exception) -> Response:
    """Refuse a body that the parser could read: repr() of what it holds goes deeper."""
    if request.method in WITHOUT_BODY:
        raise error
    return _invalid_body(TOO_DEEP).response()


def _problem_of(request: Request, error: Exception) -> Problem:
    """Return the problem that an exception of ours, of Starlette or of FastAPI stands for."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        if error.body and isinstance(error.body, bytes):  # FastAPI parses JSON alone
            return UnsupportedMediaType(SEND_JSON)
        return _invalid_fields(error.errors(), _option_names(request))
    if isinstance(error, StarletteHTTPException):
        return _problem_of_framework(request, error)
    raise error


def _problem_of_framework(request: Request, error: StarletteHTTPException) -> Problem:
    if error.status_code == 404:
        return NotFound("The addresses of this service are listed at /docs.")
    if error.status_code == 405:
        allowed = {"Allow": ", ".join(_allowed_methods(request))}
        return MethodNotAllowed("The Allow header names the methods it takes.", headers=allowed)
    if error.status_code == 400:  # the parser could not read the body
        return _invalid_body(TOO_DEEP if isinstance(error.__cause__, RecursionError) else NO_JSON)
    return InternalError()


def _invalid_body(problem: str) -> Invalid:
    return Invalid(f"body: {problem}", errors=[{"field": "body", "problem": problem}])


def _allowed_methods(request: Request) -> list[str]:
    """Return the methods of all routes at an address: the framework names those of the first."""
    methods: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods.update(getattr(route, "methods", None) or ())
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


def _option_names(request: Request) -> Sequence[str]:
    """Return the options of the called endpoint: every endpoint calls their model `options`."""
    options = typing.get_type_hints(request.scope["endpoint"]).get("options")
    return list(options.model_fields) if options else []


def field_problems(error: ValidationError, name: str) -> list[dict[str, str]]:
    """Return what pydantic says about one entry of a body that is checked by itself.

    `name`: of the entry where it is wrong as a whole.
    """
    errors = error.errors(include_url=False, include_input=False)[:MAX_ERRORS]
    return [_describe({**each, "loc": (name, *each["loc"])}, ()) for each in errors]


def describe_rejected(
    entries: Sequence[Any], problems: Mapping[int, list[dict[str, str]]], id_field: str
) -> list[dict[str, Any]]:
    """Return the entries of a body that were not taken, by their index, with their problems."""
    return [
        {
            "index": index,
            id_field: printable_id(entries[index], id_field),
            "errors": problems[index],
        }
        for index in sorted(problems)
    ]


def _invalid_fields(errors: Sequence[Mapping[str, Any]], option_names: Sequence[str]) -> Invalid:
    problems = [_describe(error, option_names) for error in errors]
    sentences = [f"{problem['field']}: {problem['problem']}" for problem in problems]
    return Invalid("; ".join(sentences[:MAX_IN_DETAIL]), errors=problems[:MAX_ERRORS])


def _describe(error: Mapping[str, Any], option_names: Sequence[str]) -> dict[str, str]:
    return {"field": _field(error), "problem": _sentence(error, option_names)}


def _field(error: Mapping[str, Any]) -> str:
    """Return the place of an error within its part of the request: `n`, `recent[3]`, `body`."""
    location = error["loc"]
    parts = location[:1] if error["type"] == "json_invalid" else location[1:] or location
    steps = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts]
    return _shorten("".join(steps).removeprefix("."))


def _sentence(error: Mapping[str, Any], option_names: Sequence[str]) -> str:
    if error["type"] == "extra_forbidden":
        similar = difflib.get_close_matches(str(error["loc"][-1]), option_names, n=1)
        hint = f"; did you mean '{similar[0]}'?" if similar else ""
        return f"is not known here{hint}"
    if error["type"] == "json_invalid":
        return f"is not JSON (at character {error['loc'][-1]})"
    if error["type"] in ("model_attributes_type", "dict_type"):
        return "should be a JSON object"
    if error["type"] in ("tuple_type", "list_type"):
        return "should be a JSON array"
    if error["type"].startswith("union_tag"):
        return _sentence_about_kind(error["ctx"])
    if error["type"] == "string_pattern_mismatch":
        return PATTERN_SENTENCES[error["ctx"]["pattern"]]
    text = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return text[:1].lower() + text[1:]


def _sentence_about_kind(context: Mapping[str, Any]) -> str:
    """Return what is wrong with the field that says which of several shapes an entry has."""
    name = str(context["discriminator"]).replace("'", "`")
    if "tag" not in context:
        return f"its {name} is missing"
    tag = _shorten(str(context["tag"]))
    return f"its {name} is '{tag}'; it should be one of {context['expected_tags']}"


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_NAME_CHARACTERS else text[: MAX_NAME_CHARACTERS - 1] + "…"


def printable_id(refused: Any, name: str) -> str | None:
    """Return the id of something that was refused, None if it has no text as its id.

    Half of a surrogate pair, which JSON can write, is replaced.
    """
    value = refused.get(name) if isinstance(refused, Mapping) else None
    if not isinstance(value, str):
        return None
    return value.encode(errors="replace").decode()[:MAX_ID_CHARACTERS]


def problem_schema(description: str) -> dict[str, Any]:
    """Return how OpenAPI describes an answer that is a problem."""
    schema = {"$ref": "#/components/schemas/ProblemBody"}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


ResponseSchemas = dict[int, dict[str, Any]]  # by status code
PROBLEMS: Final[ResponseSchemas] = {
    401: problem_schema("The key is missing or wrong."),
    422: problem_schema("A parameter or the body is invalid; `errors` names each field."),
    503: problem_schema(
        "No model has been published yet, or the store does not answer. `Retry-After` says when "
        "to try again."
    ),
}
TOO_LARGE: Final[ResponseSchemas] = {413: problem_schema("The body is too large.")}
