"""What a customer may ask: what is known of me, what is it used for, do not use this, no, forget me."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final

import orjson
from fastapi import Body, FastAPI, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from models.data.customers import NO, YES
from models.data.events import DAY
from service.answering import customer_view
from service.answering.responder import Responder
from service.errors import PROBLEMS, TOO_LARGE, Invalid, problem_schema
from service.routes.route_classes import BareRoute, CustomerId
from service.routes.store_calls import durable, looked_up
from service.schemas.answers import Schema
from service.schemas.events import Placement, Time
from service.schemas.parameters import Id, Locale, Moment, ParameterModel
from service.store import consents

LONGEST_PAIR: Final = 2600  # bytes of two ids that an index of PostgreSQL takes together
GONE: Final[dict[int | str, dict[str, Any]]] = {
    410: problem_schema("The customer asked to be forgotten")
}


class ConsentBody(BaseModel):
    """What a customer says, by purpose; what is left out stays as it was."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"personalize_web": False}]},
    )
    train: Annotated[bool | None, Field(description="the model may learn from their history")] = (
        None
    )
    personalize_web: Annotated[
        bool | None, Field(description="slates on pages may be made for them")
    ] = None
    personalize_email: Annotated[
        bool | None, Field(description="slates in mails may be made for them")
    ] = None
    time: Annotated[
        Time | None, Field(description="when they said so; by default now. The later one counts")
    ] = None

    def values(self) -> dict[int, int]:
        said = {purpose: getattr(self, name) for purpose, name in enumerate(consents.PURPOSES)}
        return {purpose: YES if yes else NO for purpose, yes in said.items() if yes is not None}


class UnusedBody(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"product_id": "1082185"}]}
    )
    product_id: Id


class PersonOptions(ParameterModel):
    n: Annotated[int, Field(ge=1, le=100, description="how many products")] = 10
    as_of: Annotated[
        Moment | None, Field(description="the moment to answer for; default data_as_of")
    ] = None


class DueOptions(PersonOptions):
    locale: Annotated[Locale | None, Field(description="how prices are written")] = None
    placement: Annotated[
        Placement | None, Field(description="the spot it is for; a mail needs its own consent")
    ] = None
    ahead_days: Annotated[
        float, Field(ge=0, le=365, description="also what will be due by then")
    ] = 0.0


class ConsentAnswer(Schema):
    customer_id: str
    consent: dict[str, Any]


class DueAnswer(Schema):
    customer_id: str
    data_as_of: str
    count: int
    recommendations: list[dict[str, Any]]


class ProfileAnswer(Schema):
    customer_id: str
    consent: dict[str, Any]
    used_for: list[str]
    known: dict[str, Any]
    products: list[dict[str, Any]]
    slate: dict[str, Any]


class Receipt(Schema):
    deleted: dict[str, int]
    forgotten: str
    versions_with_history: list[dict[str, Any]]
    last_pruned_by: str | None
    text: str


def add_customer_routes(app: FastAPI) -> None:
    path = "/v1/customers/{customer_id:id}"
    write = PROBLEMS | TOO_LARGE
    add = partial(app.add_api_route, tags=["customers"])
    add(
        f"{path}/consent",
        put_consent,
        methods=["PUT"],
        response_model=ConsentAnswer,
        responses=write | GONE,
    )
    add(
        f"{path}/unused",
        put_unused,
        methods=["PUT"],
        response_model=UnusedBody,
        responses=write | GONE,
    )
    add(
        f"{path}/profile",
        profile,
        methods=["GET"],
        response_model=ProfileAnswer,
        responses=PROBLEMS,
    )
    add(f"{path}/export", export, methods=["GET"], responses=PROBLEMS)
    add(
        f"{path}/replenishment",
        replenishment,
        methods=["GET"],
        response_model=DueAnswer,
        responses=PROBLEMS,
    )
    add = partial(app.router.add_api_route, tags=["customers"], route_class_override=BareRoute)
    add(path, forget, methods=["DELETE"], response_model=Receipt, responses=PROBLEMS)


async def put_consent(
    request: Request, customer_id: CustomerId, options: Annotated[ConsentBody, Body()]
) -> Response:
    """What the customer allows. It holds in the next answer and at the next training."""
    now = int(time.time())
    said = now if options.time is None else options.time
    if said > now + DAY:
        problem = "lies more than a day in the future"
        raise Invalid(f"time: {problem}", errors=[{"field": "time", "problem": problem}])
    # By a clock that is ahead it was said now: else nothing that is said until then could take it back.
    given = await durable(request, partial(_give, customer_id, options.values(), min(said, now)))
    return _json({"customer_id": customer_id, "consent": customer_view.consent_told(given)})


async def put_unused(
    request: Request, customer_id: CustomerId, options: Annotated[UnusedBody, Body()]
) -> Response:
    """Do not use this product: it says nothing about the customer from the next answer on, nor at the next training."""
    if len(f"{customer_id}{options.product_id}".encode()) > LONGEST_PAIR:
        problem = f"has together with the customer's id more than {LONGEST_PAIR} bytes of UTF-8"
        raise Invalid(
            f"product_id: {problem}", errors=[{"field": "product_id", "problem": problem}]
        )
    await durable(request, partial(_strike, customer_id, options.product_id, int(time.time())))
    return _json({"product_id": options.product_id})


async def profile(
    request: Request, customer_id: CustomerId, options: Annotated[PersonOptions, Query()]
) -> Response:
    """What is known of a customer, what it is used for, and why the present slate is what it is, in plain words."""
    person = await _person(request, customer_id, options.as_of)
    return _json(await asyncio.to_thread(customer_view.profile, person, options.n))


async def replenishment(
    request: Request, customer_id: CustomerId, options: Annotated[DueOptions, Query()]
) -> Response:
    """What the customer buys at intervals and is due, with the interval that was learned."""
    responder: Responder = request.app.state.responder
    locale = options.locale or responder.settings.default_locale
    person = await _person(request, customer_id, options.as_of, options.placement)
    due = partial(
        customer_view.due_told,
        person,
        options.n,
        options.ahead_days,
        locale,
        responder.links.shop_url,
    )
    return _json(await asyncio.to_thread(due))


async def export(request: Request, customer_id: CustomerId) -> Response:
    """Everything that is held about a person."""
    held = await looked_up(request, partial(customer_view.held, customer_id=customer_id))
    learned = await _person(request, customer_id, None)
    return _json(
        {"customer_id": customer_id, **held, "learned": customer_view.learned_told(learned)}
    )


async def forget(request: Request, customer_id: CustomerId) -> Response:
    """Forget a customer, in every answer from now on and at every training to come; the receipt says what was done."""
    responder: Responder = request.app.state.responder
    now = int(time.time())
    counts = await durable(request, partial(_forget, customer_id, now))
    versions = await asyncio.to_thread(
        customer_view.versions_with, responder.active.registry, customer_id
    )
    return _json(customer_view.receipt(counts, versions, now, responder.settings.cache_ttl_seconds))


def _give(customer_id: str, values: Mapping[int, int], said: int, change: Any) -> Any:
    customer_view.refuse_forgotten(change.connection, customer_id)
    return consents.give(change, customer_id, values, said)


def _strike(customer_id: str, product_id: str, now: int, change: Any) -> None:
    customer_view.refuse_forgotten(change.connection, customer_id)
    consents.strike_out(change, customer_id, product_id, now)


def _forget(customer_id: str, now: int, change: Any) -> Any:
    return consents.forget(change, customer_id, now)


async def _person(
    request: Request, customer_id: str, as_of: int | None, placement: str | None = None
) -> customer_view.CustomerView:
    responder: Responder = request.app.state.responder
    return await asyncio.to_thread(customer_view.person, responder, customer_id, as_of, placement)


def _json(body: Any) -> Response:
    return Response(
        orjson.dumps(body), headers={"Cache-Control": "no-store"}, media_type="application/json"
    )
