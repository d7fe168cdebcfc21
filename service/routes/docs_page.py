"""Documentation: Swagger UI from our own address, and the OpenAPI description it shows.

Its addresses are relative, so they hold under any prefix that a proxy or `root_path` puts in
front. FastAPI's own page loads Swagger UI from a CDN: broken offline, and a leak.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import orjson
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import RedirectResponse

from service.errors import ProblemBody, problem_schema
from service.routes.held_files import HeldFile
from service.routes.registration import TAG_DESCRIPTIONS
from service.routes.request_context import get_responder
from service.schemas.base import AnswerModel

ASSETS_PATH: Final = "/docs/assets"
ASSET_TYPES: Final = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline'; img-src 'self' data:"
)
# OpenAPI wants to know whom to ask: whoever gave the caller the key.
CONTACT: Final = {"name": "Those who run this service"}
OPEN_PATHS: Final = ("/healthz", "/readyz")
SECURITY_SCHEMES: Final[dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key or a customer token."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key."},
    "basic": {"type": "http", "scheme": "basic", "description": "A key as the password."},
}
# Relative to the address of the description
SERVER: Final = {"url": ".", "description": "The service that sent this description."}
REFUSALS: Final[dict[str, Any]] = {
    "401": problem_schema("No key or token was sent, or it is not valid."),
    "403": problem_schema("The key lacks the scope, or the token is another customer's."),
    "429": problem_schema("More calls than this key may make. `Retry-After` says when to go on."),
}
NOT_JSON: Final[dict[str, Any]] = problem_schema(
    "The body is not sent as `application/json`, is compressed, or is not in UTF-8."
)
HEADERS: Final[dict[str, Any]] = {
    "RateLimit": {
        "description": "Of a caller with a limit: calls that are left (`r`), and seconds until all "
        "of them are back (`t`).",
        "schema": {"type": "string", "examples": ['"calls";r=118;t=1']},
    },
    "RateLimit-Policy": {
        "description": "Of a caller with a limit: calls (`q`) in a window of seconds (`w`).",
        "schema": {"type": "string", "examples": ['"calls";q=120;w=60']},
    },
}
RATE_LIMIT_HEADERS: Final = {name: {"$ref": f"#/components/headers/{name}"} for name in HEADERS}
# Of the examples in service.schemas. They are shown as of yesterday, so that what is pasted is
# neither old nor ahead.
EXAMPLE_DAY: Final = date(2026, 11, 22)
DATE: Final = re.compile(r"\b\d{4}-\d\d-\d\d(?!\d)")


def add_docs(app: FastAPI) -> None:
    """Add the page, its files and the description."""
    directory = find_assets()
    assets = {
        name: HeldFile.of((directory / name).read_bytes(), media_type)
        for name, media_type in ASSET_TYPES.items()
    }

    async def show_asset(request: Request, path: str) -> Response:
        if path not in assets:
            raise HTTPException(404)
        return assets[path].answer(request)

    add_page = partial(app.add_api_route, methods=["GET"], include_in_schema=False)
    add_page(f"{ASSETS_PATH}/{{path}}", show_asset)
    add_page("/openapi.json", show_description)
    add_page("/docs", show_docs)
    add_page("/", show_start)
    app.openapi = lambda: _describe(app)  # type: ignore[method-assign]


async def show_description(request: Request) -> Response:
    # FastAPI holds the functions of routes for ever, so this one must not hold its application.
    state = request.app.state
    if not hasattr(state, "description"):
        state.description = HeldFile.of(orjson.dumps(request.app.openapi()), "application/json")
    return state.description.answer(request)  # type: ignore[no-any-return]


async def show_start(request: Request) -> Response:
    return RedirectResponse("demo" if get_responder(request).settings.demo else "docs")


def find_assets() -> Path:
    """Return the folder of Swagger UI's files in the wheel `fastapi-offline`.

    Its code is not used.
    """
    spec = importlib.util.find_spec("fastapi_offline")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package fastapi-offline is not installed; run 'make setup'")
    return Path(spec.submodule_search_locations[0]) / "static"


async def show_docs() -> Response:
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title="Regulars",
        swagger_js_url="docs/assets/swagger-ui-bundle.js",
        swagger_css_url="docs/assets/swagger-ui.css",
        swagger_favicon_url="data:,",
        swagger_ui_parameters={"validatorUrl": None},
    )
    page.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    page.headers["X-Content-Type-Options"] = "nosniff"
    return page


def _describe(app: FastAPI) -> dict[str, Any]:
    """Return FastAPI's description with tags, our problem document, and how keys are sent."""
    schema = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        tags=[{"name": tag, "description": text} for tag, text in TAG_DESCRIPTIONS.items()],
    )
    schema["servers"] = [SERVER]
    components = schema.setdefault("components", {})
    components["schemas"] |= _problem_schemas()
    _restore_nulls(components["schemas"])
    components["securitySchemes"] = SECURITY_SCHEMES
    components["headers"] = HEADERS
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    schema = dict(move_examples(schema, yesterday - EXAMPLE_DAY))
    schema["info"]["contact"] = CONTACT
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            _describe_access(operation, is_open=path in OPEN_PATHS)
            _allow_empty_values(operation)
    return schema


def move_examples(value: Any, by: timedelta, *, inside: bool = False) -> Any:
    """Return a part of a description with the dates in its examples moved.

    `inside`: it is a part of an example.
    """
    if isinstance(value, dict):
        return {
            name: move_examples(part, by, inside=inside or name in ("example", "examples"))
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [move_examples(part, by, inside=inside) for part in value]
    if inside and isinstance(value, str):
        return DATE.sub(lambda found: str(date.fromisoformat(found[0]) + by), value)
    return value


def _describe_access(operation: dict[str, Any], *, is_open: bool) -> None:
    operation["security"] = [] if is_open else [{scheme: []} for scheme in SECURITY_SCHEMES]
    if "requestBody" in operation:
        operation["responses"]["415"] = NOT_JSON
    if not is_open:
        responses = operation["responses"] | REFUSALS
        operation["responses"] = {
            status: {**response, "headers": response.get("headers", {}) | RATE_LIMIT_HEADERS}
            for status, response in responses.items()
        }


def _allow_empty_values(operation: dict[str, Any]) -> None:
    """Say that an empty parameter of a query counts as not sent."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query":
            parameter["allowEmptyValue"] = True


def _restore_nulls(schemas: dict[str, Any]) -> None:
    """Put back the nulls in examples of answers, which FastAPI drops with every other null."""
    for model in _answer_models(AnswerModel):
        if model.__name__ in schemas:
            schemas[model.__name__]["examples"] = model.model_json_schema()["examples"]


def _answer_models(base: type[AnswerModel]) -> Iterator[type[AnswerModel]]:
    for model in base.__subclasses__():
        yield model
        yield from _answer_models(model)


def _problem_schemas() -> dict[str, Any]:
    schema = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), "ProblemBody": schema}
