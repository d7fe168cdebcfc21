"""`POST /v1/recommendations/batch`: slates for up to 1,000 recipients, as one document or a line each."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from typing import Annotated, Any, Final, TypeVar

import orjson
from fastapi import Body, FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import Field

from service.answering.responder import Responder
from service.errors import (
    PROBLEMS,
    TOO_LARGE,
    InternalError,
    Invalid,
    Problem,
    ProblemBody,
    printable_id,
)
from service.routes.batch_recipients import BatchOptions, judged
from service.routes.slates import customer_query
from service.runtime.logs import format_location
from service.schemas.answers import Schema, SlateAnswer
from service.schemas.parameters import CustomerOptions
from service.settings import Settings

T = TypeVar("T")
NDJSON: Final = "application/x-ndjson"
AHEAD: Final = 16  # answers of a call that are made, or wait until those before them are sent: no more are held
log: Final = logging.getLogger("regulars.batch")


class RecipientProblem(Schema):
    """In the place of a slate: what was wrong with this recipient alone."""

    index: int = Field(description="place in the call, from 0")
    customer_id: str | None
    problem: ProblemBody


class BatchAnswer(Schema):
    """One answer a recipient, in their order: the bytes of the customer's own address, or a problem."""

    answers: list[SlateAnswer | RecipientProblem]
    count: int = Field(description="slates")
    failed: int = Field(description="problems")


def add_batch_routes(app: FastAPI, settings: Settings) -> None:
    # For all batches of a process together: a single slate waits for one of theirs at most, or has a thread of its own.
    app.state.batch_places = asyncio.Semaphore(max(1, settings.thread_count() - 1))
    kinds = [
        {"$ref": f"#/components/schemas/{model.__name__}"}
        for model in (SlateAnswer, RecipientProblem)
    ]
    app.add_api_route(
        "/v1/recommendations/batch",
        batch_recommendations,
        methods=["POST"],
        response_model=BatchAnswer,
        responses=PROBLEMS | TOO_LARGE | {200: {"content": {NDJSON: {"schema": {"anyOf": kinds}}}}},
        tags=["products"],
    )


async def batch_recommendations(
    request: Request, options: Annotated[BatchOptions, Body()]
) -> StreamingResponse:
    """1 to 1,000 recipients, each on its own. With `Accept: application/x-ndjson` a line each, as they are ready."""
    responder: Responder = request.app.state.responder
    responder.model()  # raises NoModel: once lines are sent it is too late for a 503
    asked = enumerate(zip(options.recipients, judged(options), strict=True))
    answers = in_order((partial(_answer, request, place, *one) for place, one in asked), AHEAD)
    in_lines = NDJSON in request.headers.get("accept", "")
    return StreamingResponse(
        _lines(answers) if in_lines else _document(answers),
        headers={"Cache-Control": "no-store"},
        media_type=NDJSON if in_lines else "application/json",
    )


async def in_order(calls: Iterable[Callable[[], Awaitable[T]]], most: int) -> AsyncIterator[T]:
    """What the calls give, in their order. At most so many run or wait to be taken; none goes on when nobody takes."""
    running: deque[asyncio.Future[T]] = deque()
    try:
        for call in calls:
            running.append(asyncio.ensure_future(call()))
            if len(running) == most:
                yield await running.popleft()
        while running:
            yield await running.popleft()
    finally:
        for task in running:
            task.cancel()


async def _answer(
    request: Request, place: int, given: Any, one: tuple[str, CustomerOptions] | Invalid
) -> tuple[bytes, bool]:
    """The answer to one recipient, and whether it is a slate."""
    responder: Responder = request.app.state.responder
    try:
        if isinstance(one, Invalid):
            raise one
        async with request.app.state.batch_places:
            served = await responder.respond(
                customer_query(request, *one), limited=request.state.limited
            )
        return served.body, True
    except Problem as error:
        problem = error
    except Exception as error:  # whatever broke, it is this recipient's alone; the log gets no id
        responder.metrics.errors.inc()
        log.error("unexpected %s at %s", type(error).__name__, format_location(error))
        problem = InternalError()
    told = orjson.Fragment(problem.response().body)
    return orjson.dumps(
        {"index": place, "customer_id": printable_id(given, "customer_id"), "problem": told}
    ), False


async def _lines(answers: AsyncIterator[tuple[bytes, bool]]) -> AsyncIterator[bytes]:
    async for body, _ in answers:
        yield body + b"\n"


async def _document(answers: AsyncIterator[tuple[bytes, bool]]) -> AsyncIterator[bytes]:
    """The figures stand last: so no answer has to be held until they are known."""
    count, failed, before = 0, 0, b'{"answers":['
    async for body, is_slate in answers:
        count, failed = count + is_slate, failed + (not is_slate)
        yield before + body
        before = b","
    yield b'],"count":%d,"failed":%d}' % (count, failed)
