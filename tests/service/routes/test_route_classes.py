"""What a query means does not hang on who reads it."""

from typing import Annotated

import pytest
from fastapi import FastAPI, Query, Request, Response
from fastapi.routing import APIRoute
from starlette.convertors import register_url_convertor
from starlette.testclient import TestClient

from service.errors import add_handlers
from service.routes.route_classes import CustomerId, IdConvertor, QueryRoute
from service.schemas.parameters import CustomerOptions

register_url_convertor("id", IdConvertor())


async def echo_options(
    request: Request, customer_id: CustomerId, options: Annotated[CustomerOptions, Query()]
) -> Response:
    return Response(f"{customer_id} {options!r}")


def opened(route: type[APIRoute]) -> TestClient:
    app = FastAPI()
    add_handlers(app)
    app.router.add_api_route("/{customer_id:id}/slate", echo_options, route_class_override=route)
    return TestClient(app)


OURS, FRAMEWORK = opened(QueryRoute), opened(APIRoute)


@pytest.mark.parametrize("customer_id", ["ann", "a%2Fb", "%00", "x" * 501])
@pytest.mark.parametrize(
    "query",
    [
        "",
        "n=3&placement=email&strict=true&min_price=1.5&repeat=include&fields=ids&as_of=2025-06-28",
        "exclude=milk&exclude=bread&exclude=&exclude=milk",
        "exclude=",
        "n=&campaign=&locale=de-AT&market=SE%2F1",
        "n=none&fields=all&exclude=" + "x" * 501,
        "unknown=1&n=101",
        "N=3&nn=",
        "%FF=1&campaign=%00",
    ],
)
def test_a_query_is_read_as_the_framework_would_read_it(customer_id: str, query: str) -> None:
    ours, framework = (client.get(f"/{customer_id}/slate?{query}") for client in (OURS, FRAMEWORK))
    assert (ours.status_code, ours.text) == (framework.status_code, framework.text)
    assert ours.status_code in (200, 422)


def test_the_documentation_describes_every_option() -> None:
    described = [client.get("/openapi.json").json()["paths"] for client in (OURS, FRAMEWORK)]
    assert described[0] == described[1]
    parameters = described[0]["/{customer_id}/slate"]["get"]["parameters"]
    assert {parameter["name"] for parameter in parameters} == {
        "customer_id",
        *CustomerOptions.model_fields,
    }
