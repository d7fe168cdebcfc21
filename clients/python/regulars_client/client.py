"""Clients that send calls, with and without `await`. Both have the methods of `Methods`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, ParamSpec, Self, TypeVar, cast, overload

import httpx2

from regulars_client import calls
from regulars_client.call import Call
from regulars_client.delivery import Delivery, deliver
from regulars_client.errors import NoAnswerError, RegularsError, ServiceError
from regulars_client.event_queue import EventQueue
from regulars_client.retry import Outcome, Retry, read_retry_after

Takes = ParamSpec("Takes")
Answer = TypeVar("Answer")
TIMEOUT_SECONDS: Final = 15.0  # a store that is away is told after 10


class Method(Generic[Takes, Answer]):
    """Make a method of both clients from a function that describes a call."""

    def __init__(self, describe: Callable[Takes, Call[Answer]]) -> None:
        self._describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, client: Client, owner: object) -> Callable[Takes, Answer]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: object) -> Callable[Takes, Awaitable[Answer]]: ...
    @overload
    def __get__(self, client: None, owner: object) -> Self: ...
    def __get__(self, client: Client | AsyncClient | None, owner: object) -> Any:
        if client is None:
            return self

        def send(*ids: Takes.args, **options: Takes.kwargs) -> Any:
            return client.send(self._describe(*ids, **options))

        send.__doc__ = self.__doc__
        return send


class Methods:
    """List the calls that storefronts and mail systems make."""

    slate = Method(calls.slate)
    visit = Method(calls.visit)
    page = Method(calls.page)
    rank = Method(calls.rank)
    batch = Method(calls.batch)
    similar = Method(calls.similar)
    bundles = Method(calls.bundles)
    basket_bundles = Method(calls.basket_bundles)
    popular = Method(calls.popular)
    shop_list = Method(calls.shop_list)
    recently_viewed = Method(calls.recently_viewed)
    replenishment = Method(calls.replenishment)
    follow_up = Method(calls.follow_up)
    report = Method(calls.report)
    put_products = Method(calls.put_products)
    product = Method(calls.product)
    change_product = Method(calls.change_product)
    delete_product = Method(calls.delete_product)
    set_consent = Method(calls.set_consent)
    preferences = Method(calls.preferences)
    set_preferences = Method(calls.set_preferences)
    delete_preferences = Method(calls.delete_preferences)
    set_unused = Method(calls.set_unused)
    profile = Method(calls.profile)
    forget = Method(calls.forget)
    token = Method(calls.token)


class Client(Methods):
    """Call the service. Threads may share one.

    `key`: an API key, or a customer's token.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retry: Retry | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._retry = retry or Retry()
        self._http = httpx2.Client(headers=_headers(key), timeout=timeout_seconds)

    def send(self, call: Call[Answer]) -> Answer:
        """Send a call, and again as `retry` says. Raises ServiceError and NoAnswerError."""
        attempt = 1
        while True:
            outcome = self._send_once(call)
            pause = self._retry.pause(call, attempt, outcome)
            if pause is None:
                return cast(Answer, _read(outcome))
            time.sleep(pause)
            attempt += 1

    def _send_once(self, call: Call[Any]) -> Outcome:
        try:
            return self._http.request(call.method, self._url + call.path, **_content(call))
        except httpx2.TransportError as error:
            return error

    def deliver(self, queue: EventQueue) -> Delivery:
        """Report all that waits in a queue. What raises leaves what is left of it there."""
        steps = deliver(queue)
        try:
            call = next(steps)
            while True:
                try:
                    answer = self.send(call)
                except RegularsError as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(answer)
        except StopIteration as ended:
            return _counted(ended)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient(Methods):
    """Call the service from a loop. Tasks may share one.

    `key`: an API key, or a customer's token.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retry: Retry | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._retry = retry or Retry()
        self._http = httpx2.AsyncClient(headers=_headers(key), timeout=timeout_seconds)

    async def send(self, call: Call[Answer]) -> Answer:
        """Send a call, and again as `retry` says. Raises ServiceError and NoAnswerError."""
        attempt = 1
        while True:
            outcome = await self._send_once(call)
            pause = self._retry.pause(call, attempt, outcome)
            if pause is None:
                return cast(Answer, _read(outcome))
            await asyncio.sleep(pause)
            attempt += 1

    async def _send_once(self, call: Call[Any]) -> Outcome:
        try:
            return await self._http.request(call.method, self._url + call.path, **_content(call))
        except httpx2.TransportError as error:
            return error

    async def deliver(self, queue: EventQueue) -> Delivery:
        """Report all that waits in a queue. What raises leaves what is left of it there.

        The file of the queue is read and written in the loop, for milliseconds.
        """
        steps = deliver(queue)
        try:
            call = next(steps)
            while True:
                try:
                    answer = await self.send(call)
                except RegularsError as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(answer)
        except StopIteration as ended:
            return _counted(ended)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _headers(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def _content(call: Call[Any]) -> dict[str, Any]:
    if call.options is None:
        return {}
    return {"params" if call.method == "GET" else "json": call.options}


def _read(outcome: Outcome) -> Any:
    """Return what a call was answered with. Raises ServiceError and NoAnswerError."""
    if not isinstance(outcome, httpx2.Response):
        raise NoAnswerError(f"{type(outcome).__name__}: {outcome}") from outcome
    try:
        content = outcome.json()
    except ValueError as error:
        if outcome.is_success:
            raise NoAnswerError("the answer is no JSON; is this the service?") from error
        content = None
    if outcome.is_success:
        return content
    problem = content if isinstance(content, dict) else {}
    raise ServiceError(
        status=outcome.status_code,
        kind=str(problem.get("type", "")).rpartition(":")[2],
        detail=str(problem.get("detail") or outcome.reason_phrase),
        errors=problem.get("errors") or (),
        retry_after=read_retry_after(outcome),
    )


def _counted(ended: StopIteration) -> Delivery:
    counts: Delivery = ended.value
    return counts
