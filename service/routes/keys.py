"""API keys: who may call, made and revoked while the service runs."""

from __future__ import annotations

import time
from functools import partial
from typing import Annotated, Final

from fastapi import Body, Path, Query, Request, Response

from service.errors import PROBLEMS, TOO_LARGE, Forbidden, NotFound, problem_schema
from service.http.api_keys import create_key, describe_key
from service.http.authorization import Scope, get_caller
from service.patterns import NO_NUL
from service.routes.registration import Operation, Tag
from service.routes.request_context import actor_of, get_shop, read_store, write_store
from service.routes.responses import uncached_json
from service.routes.route_classes import QueryRoute
from service.schemas.keys import KeyAnswer, KeyBody, KeysAnswer, NewKeyAnswer
from service.schemas.pages import Listing, PagingOptions
from service.store import keys
from service.store.keys import StoredKey

KeyId = Annotated[
    str,
    Path(
        min_length=1,
        max_length=100,
        pattern=NO_NUL,
        description="Id of the key, as `GET /v1/keys` lists it.",
        examples=["1a2b3c4d5e6f"],
    ),
]
BY_KEY_ID: Final[Listing[StoredKey]] = Listing(lambda key: (key.key_id,), (str,))


async def get_keys(request: Request, options: Annotated[PagingOptions, Query()]) -> Response:
    """Return every key there ever was, without its secret, ordered by id.

    `REGULARS_API_KEY` is no key of the store, and not among them.
    """
    page = BY_KEY_ID.page(await read_store(request, keys.list_all), options)
    return uncached_json({"keys": list(map(describe_key, page.entries)), "next": page.next})


async def post_key(request: Request, options: Annotated[KeyBody, Body()]) -> Response:
    """Make a key. Its secret is in this answer alone, and stored nowhere.

    From the first key on, nobody calls without one. The scope `shops` gives who has it.
    """
    if Scope.SHOPS in options.scopes and Scope.SHOPS not in get_caller(request).scopes:
        raise Forbidden("This key lacks the scope 'shops', so it gives it to no other.")
    now, shop = int(time.time()), get_shop(request).name
    key = create_key(options.name, options.scopes, options.calls_a_minute, now, shop=shop)
    await write_store(request, partial(keys.add, key=key.stored, actor=actor_of(request)))
    return uncached_json({"key": describe_key(key.stored), "secret": key.text})


async def delete_key(request: Request, key_id: KeyId) -> Response:
    """Revoke a key: its very next call is refused. Its row stays, so that the log can be read."""
    revoke = partial(keys.revoke, key_id=key_id, actor=actor_of(request), time=int(time.time()))
    if not await write_store(request, revoke):
        raise NotFound("There is no key of that id.")
    stored = {key.key_id: key for key in await read_store(request, keys.list_all)}
    return uncached_json({"key": describe_key(stored[key_id])})


UNKNOWN_KEY: Final = {404: problem_schema("There is no key of that id.")}
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/keys",
        get_keys,
        summary="List the API keys",
        tag=Tag.OPERATIONS,
        answer=KeysAnswer,
        route_class=QueryRoute,
    ),
    Operation(
        "POST",
        "/v1/keys",
        post_key,
        summary="Make an API key",
        tag=Tag.OPERATIONS,
        answer=NewKeyAnswer,
        responses=PROBLEMS | TOO_LARGE,
        name="make_key",
    ),
    Operation(
        "DELETE",
        "/v1/keys/{key_id}",
        delete_key,
        summary="Revoke an API key",
        tag=Tag.OPERATIONS,
        answer=KeyAnswer,
        responses=PROBLEMS | UNKNOWN_KEY,
        name="revoke_key",
    ),
)
