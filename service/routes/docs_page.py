"""/docs: Swagger UI from our own address. The usual page loads it from a CDN: broken offline, and a leak."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles

from service.errors import ProblemBody, problem_schema

ASSETS: Final = "/docs/assets"
POLICY: Final = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline'; img-src 'self' data:"
)
OPEN: Final = ("/healthz", "/readyz")
REFUSALS: Final[dict[str, Any]] = {
    "401": problem_schema("No key or token was sent, or it is not valid"),
    "403": problem_schema("The key lacks the scope, or the token is of another customer"),
    "429": problem_schema("More calls than this key may make; Retry-After says when to go on"),
}


def add_docs(app: FastAPI) -> None:
    app.mount(ASSETS, StaticFiles(directory=assets()), name="docs")
    app.add_api_route("/docs", docs, include_in_schema=False)
    app.add_api_route("/", lambda: RedirectResponse("/docs"), include_in_schema=False)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]


def assets() -> Path:
    """Swagger UI's files in the wheel `fastapi-offline`; its code is not used."""
    spec = importlib.util.find_spec("fastapi_offline")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package fastapi-offline is not installed; run 'make setup'")
    return Path(spec.submodule_search_locations[0]) / "static"


async def docs() -> Response:
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Regulars",
        swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}/swagger-ui.css",
        swagger_favicon_url="data:,",
        swagger_ui_parameters={"validatorUrl": None},
    )
    page.headers["Content-Security-Policy"] = POLICY
    return page


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's description, with our problem document, the ways to send a key, and how the door refuses."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        components = schema.setdefault("components", {})
        components["schemas"] |= _problem_schemas()
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            "basic": {"type": "http", "scheme": "basic"},
        }
        for path, operations in schema["paths"].items():
            for operation in operations.values():
                operation["security"] = (
                    [] if path in OPEN else [{"bearer": []}, {"key": []}, {"basic": []}]
                )
                if path not in OPEN:
                    operation["responses"] |= REFUSALS
                for parameter in operation.get("parameters", ()):
                    if parameter["in"] == "query":
                        parameter["allowEmptyValue"] = True  # it means: not given
        app.openapi_schema = schema
    return app.openapi_schema


def _problem_schemas() -> dict[str, Any]:
    schema = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), "ProblemBody": schema}
