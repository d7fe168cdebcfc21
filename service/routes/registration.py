"""Statements of the calls of the API: address, endpoint, answer and documentation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from enum import StrEnum
from typing import Any, Final

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel

from service.errors import PROBLEMS, ResponseSchemas


class Tag(StrEnum):
    """A group of calls in the documentation."""

    PRODUCTS = "products"
    MAILS = "mails"
    EVENTS = "events"
    CAMPAIGNS = "campaigns"
    CATALOGUE = "catalogue"
    RULES = "rules"
    EXPERIMENTS = "experiments"
    CUSTOMERS = "customers"
    INSIGHTS = "insights"
    OPERATIONS = "operations"


TAG_DESCRIPTIONS: Final = {
    Tag.PRODUCTS: "Recommend products: for a customer, a visit, a product, a basket or an order.",
    Tag.MAILS: "Recommend products in mails, in blocks that look as the shop says, and in feeds.",
    Tag.EVENTS: "Report what happens in the shop, and read ratings of products.",
    Tag.CAMPAIGNS: "Pin mailings, so that a customer's slate stays the same within one.",
    Tag.CATALOGUE: "Report products, their prices and their stock.",
    Tag.RULES: "Set the shop's rules for what is shown where, try them, and see who changed them.",
    Tag.EXPERIMENTS: "Show different slates by chance, to see what the difference earns.",
    Tag.CUSTOMERS: "Consent, profile, export and erasure of customers, and tokens for browsers.",
    Tag.INSIGHTS: "Read what recommendations earned.",
    Tag.OPERATIONS: "Watch the service, and choose the model it serves.",
}


@dataclass(frozen=True)
class Deprecation:
    """A notice that a call will end, which every answer of it carries."""

    since: date
    sunset: date  # a year later or more: from then on it is a 404
    successor: str  # address of the call that takes its place

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Return `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and a link to the successor."""
        since = datetime.combine(self.since, time(), UTC)
        sunset = datetime.combine(self.sunset, time(), UTC)
        return (
            (b"deprecation", b"@%d" % since.timestamp()),
            (b"sunset", format_datetime(sunset, usegmt=True).encode()),
            (b"link", f'<{self.successor}>; rel="successor-version"'.encode()),
        )


@dataclass(frozen=True)
class Operation:
    """A call of the API. The docstring of its endpoint is its description.

    `name` begins the operationId, from which client generators name their methods. It stays what
    it is when an endpoint is renamed; by default it is the endpoint's name.
    """

    method: str
    path: str
    endpoint: Callable[..., Any]  # a response, awaited; of a SlateRoute a query
    summary: str
    tag: Tag
    answer: type[BaseModel] | None = None
    status: int = 200
    responses: ResponseSchemas = field(default_factory=PROBLEMS.copy)  # besides the answer
    name: str | None = None
    route_class: type[APIRoute] = APIRoute
    response_class: type[Response] = JSONResponse  # names the media type of the answer
    deprecation: Deprecation | None = None


def add_operations(app: FastAPI, operations: Iterable[Operation]) -> None:
    """Add the calls in their order. The first whose path matches answers a request."""
    for operation in operations:
        app.router.add_api_route(
            operation.path,
            operation.endpoint,
            methods=[operation.method],
            summary=operation.summary,
            tags=[operation.tag],
            response_model=operation.answer,
            status_code=operation.status,
            responses=dict(operation.responses.items()),
            name=operation.name,
            route_class_override=operation.route_class,
            response_class=operation.response_class,
            deprecated=operation.deprecation is not None,
        )
        if operation.deprecation is not None:
            vars(app.router.routes[-1])["deprecation_headers"] = operation.deprecation.headers
