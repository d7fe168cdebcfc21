"""Shops of the deployment: made, changed and ended by whoever may, from the main shop."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Annotated, Any, Final

from fastapi import Body, Path, Query, Request, Response

from models.artifact.registry import Registry
from models.artifact.shops import FOLDER, MAIN, registry_of
from models.data.timestamps import format_timestamp
from models.errors import ArtifactError
from service.errors import (
    PROBLEMS,
    TOO_LARGE,
    Conflict,
    NotFound,
    StoreUnavailable,
    problem_schema,
)
from service.patterns import SHOP_NAME
from service.routes.registration import Operation, Tag
from service.routes.request_context import actor_of, get_responder, write_store
from service.routes.responses import uncached_json
from service.routes.route_classes import QueryRoute
from service.schemas.pages import Listing, PagingOptions
from service.schemas.shops import (
    EndedShopAnswer,
    MadeShopAnswer,
    ShopAnswer,
    ShopBody,
    ShopsAnswer,
)
from service.settings import Settings
from service.shops.lifecycle import end_shop, make_shop
from service.shops.shops import Shops
from service.store.database import StoreDownError
from service.store.shops import ShopRecord, begin_to_end

ShopName = Annotated[
    str,
    Path(pattern=SHOP_NAME, description="Name of the shop, which you choose.", examples=["acme"]),
]
BY_NAME: Final[Listing[ShopRecord]] = Listing(lambda record: (record.name,), (str,))
NO_SHOP: Final = "There is no shop of that name."


async def get_shops(request: Request, options: Annotated[PagingOptions, Query()]) -> Response:
    """Return the shops of the deployment besides the main one, ordered by name."""
    settings, records = get_responder(request).settings, await _shops(request).list_others()
    page = BY_NAME.page(records.values(), options)
    described = await asyncio.to_thread(_describe_all, page.entries, settings)
    return uncached_json({"shops": described, "next": page.next})


async def get_shop(request: Request, name: ShopName) -> Response:
    """Return one shop besides the main one."""
    record = (await _shops(request).list_others()).get(name)
    if record is None:
        raise NotFound(NO_SHOP)
    settings = get_responder(request).settings
    return uncached_json(await asyncio.to_thread(_describe, record, settings))


async def put_shop(request: Request, name: ShopName, body: Annotated[ShopBody, Body()]) -> Response:
    """Make a shop, or replace its settings. It answers from the next call on.

    It has a registry, a store, keys and settings of its own, and nothing of it is seen by another
    shop. Train it by `regulars train --shop NAME`. The settings that it does not name are those of
    the deployment.
    """
    if name == MAIN:
        raise Conflict("The main shop is there already; its settings are those of the deployment.")
    responder = get_responder(request)
    own = body.model_dump(exclude_none=True)["settings"]
    make = partial(make_shop, responder.settings, responder.store, name, own)
    try:
        made = await asyncio.to_thread(make, time=int(time.time()), actor=actor_of(request))
    except (StoreDownError, OSError):
        raise StoreUnavailable from None
    if made.record.ending is not None:
        raise Conflict("The shop is being ended; delete it once more, and make it after that.")
    described = await asyncio.to_thread(_describe, made.record, responder.settings)
    secrets = {"key": made.key, "signing_key": made.signing_key}
    return uncached_json(described | secrets)


async def delete_shop(request: Request, name: ShopName) -> Response:
    """End a shop, and erase everything of it: keys, store, models and reports.

    It answers no more from this moment on. Where the erasure fails half way, delete it again.
    """
    now, actor = int(time.time()), actor_of(request)
    record = await write_store(request, partial(begin_to_end, name=name, time=now, actor=actor))
    if record is None:
        raise NotFound(NO_SHOP)
    await _shops(request).let_go(name)
    responder = get_responder(request)
    end = partial(end_shop, responder.settings, responder.store, record, time=now, actor=actor)
    try:
        receipt = await asyncio.to_thread(end)
    except (StoreDownError, OSError):
        raise StoreUnavailable from None
    if receipt is None:  # two have ended it at once
        raise NotFound(NO_SHOP)
    return uncached_json(receipt)


def _shops(request: Request) -> Shops:
    shops: Shops = request.app.state.shops
    return shops


def _describe_all(records: list[ShopRecord], deployment: Settings) -> list[dict[str, Any]]:
    return [_describe(record, deployment) for record in records]


def _describe(record: ShopRecord, deployment: Settings) -> dict[str, Any]:
    try:
        version = Registry(registry_of(record.name, deployment.registry)).active()
    except ArtifactError:  # what serves says so; this is a list
        version = None
    return {
        "name": record.name,
        "address": f"/{FOLDER}/{record.name}",
        "settings": record.settings,
        "created": format_timestamp(record.created),
        "ending": record.ending is not None,
        "model_version": version,
    }


SHOP: Final = "/v1/shops/{name}"
NOT_FOUND: Final = {404: problem_schema(NO_SHOP)}
IS_ENDING: Final = {409: problem_schema("It is the main shop, or one that is being ended.")}
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/shops",
        get_shops,
        summary="List the other shops of the deployment",
        tag=Tag.OPERATIONS,
        answer=ShopsAnswer,
        route_class=QueryRoute,
        name="shops",
    ),
    Operation(
        "GET",
        SHOP,
        get_shop,
        summary="Read a shop",
        tag=Tag.OPERATIONS,
        answer=ShopAnswer,
        responses=PROBLEMS | NOT_FOUND,
        name="shop",
    ),
    Operation(
        "PUT",
        SHOP,
        put_shop,
        summary="Make a shop, or change its settings",
        tag=Tag.OPERATIONS,
        answer=MadeShopAnswer,
        responses=PROBLEMS | TOO_LARGE | IS_ENDING,
        name="put_shop",
    ),
    Operation(
        "DELETE",
        SHOP,
        delete_shop,
        summary="End a shop and erase everything of it",
        tag=Tag.OPERATIONS,
        answer=EndedShopAnswer,
        responses=PROBLEMS | NOT_FOUND,
        name="end_shop",
    ),
)
