"""Slates for up to 1,000 recipients in one call, as one document or one line each."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from typing import Annotated, Any, Final, NamedTuple, TypeVar

import orjson
from fastapi import Body, Request
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from service.errors import (
    PROBLEMS,
    TOO_LARGE,
    InternalError,
    Invalid,
    Problem,
    ResponseSchemas,
    field_problems,
    printable_id,
)
from service.routes.queries import customer_query
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder, get_shop
from service.routes.responses import JSON, NO_STORE
from service.runtime.logs import format_location
from service.schemas.answers import SlateAnswer
from service.schemas.batch import BatchAnswer, BatchOptions, Recipient, RecipientProblem
from service.schemas.parameters import CustomerOptions
from service.shops.batch_pool import BatchPool

T = TypeVar("T")
NDJSON: Final = "application/x-ndjson"
log: Final = logging.getLogger("regulars.batch")


class RecipientAnswer(NamedTuple):
    """One answer of a batch: a slate or a problem."""

    body: bytes
    is_slate: bool


async def batch_recommendations(
    request: Request, options: Annotated[BatchOptions, Body()]
) -> StreamingResponse:
    """Return a slate for each of 1 to 1,000 recipients, in their order.

    Each recipient is answered on its own: one that is invalid gets a problem in place of a slate.
    With `Accept: application/x-ndjson` each answer is a line, sent as soon as it is ready.
    """
    get_responder(request).model()  # raises NoModel: after the first line a 503 comes too late
    common, pool = options.common(), _get_pool(request)
    pool.look_for_peers()
    calls = (
        partial(_answer, request, common, index, recipient)
        for index, recipient in enumerate(options.recipients)
    )
    answers = run_in_order(calls, pool.pending_answers)
    as_lines = NDJSON in request.headers.get("accept", "")
    return StreamingResponse(
        _write_lines(answers) if as_lines else _write_document(answers),
        headers=NO_STORE,
        media_type=NDJSON if as_lines else JSON,
    )


async def run_in_order(
    calls: Iterable[Callable[[], Awaitable[T]]], max_pending: int
) -> AsyncIterator[T]:
    """Yield the results of the calls in their order.

    At most `max_pending` calls run or wait to be taken. All end when nobody takes results any more.
    """
    pending: deque[asyncio.Future[T]] = deque()
    try:
        for call in calls:
            pending.append(asyncio.ensure_future(call()))
            if len(pending) == max_pending:
                yield await pending.popleft()
        while pending:
            yield await pending.popleft()
    finally:
        for task in pending:
            task.cancel()


async def _answer(
    request: Request, common: CustomerOptions, index: int, body: Any
) -> RecipientAnswer:
    try:
        recipient = _parse_recipient(body)
        query = customer_query(request, recipient.customer_id, recipient.options(common))
        shop, limited = get_shop(request), request.state.limited
        slate = await _get_pool(request).respond(shop, query, limited=limited)
        return RecipientAnswer(slate, is_slate=True)
    except Problem as error:
        problem = error
    except Exception as error:  # it is this recipient's alone, and the log gets no id
        get_responder(request).metrics.errors.inc()
        log.error("unexpected %s at %s", type(error).__name__, format_location(error))
        problem = InternalError()
    answer = {
        "index": index,
        "customer_id": printable_id(body, "customer_id"),
        "problem": orjson.Fragment(problem.response().body),
    }
    return RecipientAnswer(orjson.dumps(answer), is_slate=False)


def _get_pool(request: Request) -> BatchPool:
    pool: BatchPool = request.app.state.batches
    return pool


def _parse_recipient(body: Any) -> Recipient:
    """Raises Invalid."""
    try:
        return Recipient.model_validate(body)
    except ValidationError as error:
        if isinstance(body, dict):
            problems = field_problems(error, "recipient")
        else:
            problems = [{"field": "recipient", "problem": "should be a JSON object"}]
    sentences = [f"{problem['field']}: {problem['problem']}" for problem in problems[:5]]
    raise Invalid("; ".join(sentences), errors=problems[:100])


async def _write_lines(answers: AsyncIterator[RecipientAnswer]) -> AsyncIterator[bytes]:
    async for answer in answers:
        yield answer.body + b"\n"


async def _write_document(answers: AsyncIterator[RecipientAnswer]) -> AsyncIterator[bytes]:
    """Yield the document with its counts last, so that no answer is held back until then."""
    slates, failed = 0, 0
    separator = b'{"answers":['
    async for answer in answers:
        if answer.is_slate:
            slates += 1
        else:
            failed += 1
        yield separator + answer.body
        separator = b","
    yield b'],"count":%d,"failed":%d}' % (slates, failed)


LINE_SCHEMAS: Final = [
    {"$ref": f"#/components/schemas/{model.__name__}"} for model in (SlateAnswer, RecipientProblem)
]
AS_LINES: Final[ResponseSchemas] = {200: {"content": {NDJSON: {"schema": {"anyOf": LINE_SCHEMAS}}}}}
OPERATIONS: Final = (
    Operation(
        "POST",
        "/v1/recommendations/batch",
        batch_recommendations,
        summary="Recommend products for many customers",
        tag=Tag.PRODUCTS,
        answer=BatchAnswer,
        responses=PROBLEMS | TOO_LARGE | AS_LINES,
    ),
)
