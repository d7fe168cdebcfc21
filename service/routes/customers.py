"""Calls about one customer: consent, profile, export, erasure, and what is due again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final

from fastapi import Body, Query, Request, Response
from sqlalchemy import Connection

from models.data.customers import PURPOSES, TRAIN, YES
from models.data.events import DAY
from service.answering.customer_figures import describe_figure, find_figure
from service.answering.customer_view import (
    CustomerView,
    describe_due,
    describe_learned,
    describe_profile,
    view_customer,
)
from service.errors import PROBLEMS, TOO_LARGE, Gone, Invalid, QuotaExceeded, problem_schema
from service.http.authorization import get_caller
from service.model.erasure_receipt import build_receipt, erase_from_registry
from service.routes.looks import note_look
from service.routes.registration import Operation, Tag
from service.routes.request_context import actor_of, get_responder, read_store, write_store
from service.routes.responses import uncached_json
from service.routes.route_classes import BareRoute, CustomerId, QueryRoute
from service.schemas.customers import (
    ConsentAnswer,
    ConsentBody,
    DueAnswer,
    DueOptions,
    ExportAnswer,
    PersonOptions,
    ProfileAnswer,
    Receipt,
    UnusedBody,
)
from service.store import consents, erasure
from service.store.audit import name_customer, record_change
from service.store.consents import Consent
from service.store.customer_export import describe_consents, export_records
from service.store.erasure import Erasure
from service.store.events import is_erased
from service.store.offers import export_codes
from service.store.quotas import ROW_BYTES, Quota, spend
from service.store.writer import Change

MAX_PAIR_BYTES: Final = 2600  # of two ids that an index of PostgreSQL takes together


async def put_consent(
    request: Request, customer_id: CustomerId, options: Annotated[ConsentBody, Body()]
) -> Response:
    """Set what a customer allows, by purpose.

    It holds from the very next answer on, and at the next training.
    """
    now = int(time.time())
    answered = now if options.time is None else options.time
    if answered > now + DAY:
        raise _invalid("time", "lies more than a day in the future")
    # An answer from a clock that is ahead counts as given now: else no answer before that time
    # could replace it.
    work = partial(
        give_consent,
        customer_id=customer_id,
        values=options.values(),
        time=min(answered, now),
        report=make_report(request, now),
    )
    consent = await write_store(request, work)
    return uncached_json({"customer_id": customer_id, "consent": describe_consents(consent)})


async def put_unused(
    request: Request, customer_id: CustomerId, options: Annotated[UnusedBody, Body()]
) -> Response:
    """Stop using a product for a customer, so that it says nothing about them, or use it again.

    It holds from the very next answer on, and at the next training. What a model has left out is
    used again once the next one has learned it.
    """
    if len(f"{customer_id}{options.product_id}".encode()) > MAX_PAIR_BYTES:
        problem = f"has together with the customer's id more than {MAX_PAIR_BYTES} bytes of UTF-8"
        raise _invalid("product_id", problem)
    now = int(time.time())
    quota = get_caller(request).quota(get_responder(request).settings, now)
    work = partial(_set_unused, customer_id, options, now, quota)
    if not await write_store(request, work) and quota is not None:
        raise QuotaExceeded(quota.max_lines, quota.max_bytes, quota.wait_seconds)
    return uncached_json(options.model_dump())


async def get_profile(
    request: Request, customer_id: CustomerId, options: Annotated[PersonOptions, Query()]
) -> Response:
    """Return what is known about a customer, what it is used for, and why they see what they see.

    Everything is in plain words that the customer may read.
    """
    responder = get_responder(request)
    language = responder.presentation.languages.of(
        options.locale or responder.settings.default_locale
    )
    await note_look(request, customer_id)
    view = await _view(request, customer_id, options.as_of)
    figure = None  # of now, and of no earlier moment
    if options.as_of is None and view.allows(TRAIN) and not view.update.forgotten:
        figure = await asyncio.to_thread(find_figure, responder.active.registry.root, customer_id)
    profile = await asyncio.to_thread(describe_profile, view, options.n, language, figure)
    given = await read_store(request, partial(export_codes, customer_id=customer_id))
    return uncached_json({**profile, "offers": given})


async def get_replenishment(
    request: Request, customer_id: CustomerId, options: Annotated[DueOptions, Query()]
) -> Response:
    """Return products that a customer buys at intervals and is due to buy again."""
    responder = get_responder(request)
    locale = options.locale or responder.settings.default_locale
    view = await _view(request, customer_id, options.as_of, options.placement)
    due = await asyncio.to_thread(
        describe_due,
        view,
        options.n,
        options.ahead_days,
        locale,
        responder.presentation,
    )
    return uncached_json(due)


async def export_customer(request: Request, customer_id: CustomerId) -> Response:
    """Return everything that is stored about a person."""
    stored = await read_store(request, partial(export_records, customer_id=customer_id))
    learned = describe_learned(await _view(request, customer_id, None))
    await note_look(request, customer_id)
    root = get_responder(request).active.registry.root
    figure = await asyncio.to_thread(find_figure, root, customer_id)
    computed = None if figure is None else describe_figure(figure)
    told = {"customer_id": customer_id, **stored, "learned": learned, "computed": computed}
    return uncached_json(told)


async def forget_customer(request: Request, customer_id: CustomerId) -> Response:
    """Erase a customer, in every answer from now on and at every training to come.

    The receipt says whether anything was known under the id, what was deleted, and when the last
    model with the history is removed.
    """
    now = int(time.time())
    return uncached_json(await erase_customer(request, customer_id, make_report(request, now)))


async def erase_customer(request: Request, customer_id: str, report: Informant) -> dict[str, Any]:
    """Erase a customer and return the receipt. Raises StoreUnavailable."""
    responder, now = get_responder(request), report.time
    erase = partial(_erase, customer_id=customer_id, report=report)
    erased = await write_store(request, erase)
    registry = responder.active.registry
    traces = await asyncio.to_thread(erase_from_registry, registry, customer_id, now)
    ttl_seconds = responder.settings.cache_ttl_seconds
    return build_receipt(customer_id, erased, traces, now, ttl_seconds)


def _invalid(field: str, problem: str) -> Invalid:
    return Invalid(f"{field}: {problem}", errors=[{"field": field, "problem": problem}])


def refuse_forgotten(connection: Connection, customer_id: str) -> None:
    if is_erased(connection, customer_id):
        raise Gone


@dataclass(frozen=True)
class Informant:
    """Who tells of a customer, and when."""

    actor: str
    time: int  # seconds since 1970
    quota: Quota | None  # None: any number of changes is kept


def make_report(request: Request, now: int) -> Informant:
    quota = get_caller(request).quota(get_responder(request).settings, now)
    return Informant(actor_of(request), now, quota)


def give_consent(
    change: Change, customer_id: str, values: Mapping[int, int], time: int, report: Informant
) -> Mapping[int, Consent]:
    """Keep the answers, and note what has changed unless a token's quota is used up."""
    refuse_forgotten(change.connection, customer_id)
    before = consents.read(change.connection, customer_id)
    after = consents.give(change, customer_id, values, time)
    old, new = _name_answers(before), _name_answers(after)
    if old == new or (report.quota is not None and not spend(change, report.quota, 1, ROW_BYTES)):
        return after
    record_change(
        change,
        time=report.time,
        actor=report.actor,
        action="consent changed",
        subject=name_customer(change.connection, customer_id),
        before=old,
        after=new,
    )
    return after


def _name_answers(answers: Mapping[int, Consent]) -> dict[str, bool]:
    return {PURPOSES[purpose]: answers[purpose].value == YES for purpose in answers}


def _erase(change: Change, customer_id: str, report: Informant) -> Erasure:
    """Erase a customer, and note the first time that one was, with how much was deleted."""
    erased = erasure.erase(change, customer_id, report.time)
    if erased.earlier is None:
        record_change(
            change,
            time=report.time,
            actor=report.actor,
            action="customer erased",
            subject="customer",
            before=dict(erased.counts),
        )
    return erased


def _set_unused(
    customer_id: str, options: UnusedBody, time: int, quota: Quota | None, change: Change
) -> bool:
    """Return whether the quota allows it."""
    refuse_forgotten(change.connection, customer_id)
    text_bytes = len(f"{customer_id}{options.product_id}".encode())
    if quota is not None and not spend(change, quota, 1, text_bytes):
        return False
    if options.unused:
        consents.strike_out(change, customer_id, options.product_id, time)
    else:
        consents.use_again(change, customer_id, options.product_id)
    return True


async def _view(
    request: Request, customer_id: str, as_of: int | None, placement: str | None = None
) -> CustomerView:
    responder = get_responder(request)
    return await asyncio.to_thread(
        view_customer, responder.computer, responder.model(), customer_id, as_of, placement
    )


CUSTOMER: Final = "/v1/customers/{customer_id:id}"
GONE: Final = {410: problem_schema("The customer asked to be forgotten.")}
OPERATIONS: Final = (
    Operation(
        "PUT",
        f"{CUSTOMER}/consent",
        put_consent,
        summary="Set what a customer allows",
        tag=Tag.CUSTOMERS,
        answer=ConsentAnswer,
        responses=PROBLEMS | TOO_LARGE | GONE,
    ),
    Operation(
        "PUT",
        f"{CUSTOMER}/unused",
        put_unused,
        summary="Stop using a product for a customer, or use it again",
        tag=Tag.CUSTOMERS,
        answer=UnusedBody,
        responses=PROBLEMS | TOO_LARGE | GONE,
    ),
    Operation(
        "GET",
        f"{CUSTOMER}/profile",
        get_profile,
        summary="Show what is known about a customer",
        tag=Tag.CUSTOMERS,
        answer=ProfileAnswer,
        route_class=QueryRoute,
        name="profile",
    ),
    Operation(
        "GET",
        f"{CUSTOMER}/export",
        export_customer,
        summary="Export everything stored about a customer",
        tag=Tag.CUSTOMERS,
        answer=ExportAnswer,
        name="export",
    ),
    Operation(
        "GET",
        f"{CUSTOMER}/replenishment",
        get_replenishment,
        summary="List products a customer is due to buy again",
        tag=Tag.CUSTOMERS,
        answer=DueAnswer,
        route_class=QueryRoute,
        name="replenishment",
    ),
    Operation(
        "DELETE",
        CUSTOMER,
        forget_customer,
        summary="Erase a customer",
        tag=Tag.CUSTOMERS,
        answer=Receipt,
        name="forget",
        route_class=BareRoute,
    ),
)
