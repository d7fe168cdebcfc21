"""Blocks of mails that a marketer sets: how slates look in them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final

from fastapi import Body, Path, Query, Request, Response

from service.errors import PROBLEMS, TOO_LARGE, Conflict, NotFound, problem_schema
from service.patterns import PLACEMENT
from service.routes.registration import Operation, Tag
from service.routes.request_context import actor_of, read_store, write_store
from service.routes.responses import uncached_json
from service.routes.route_classes import BareRoute, QueryRoute
from service.schemas.blocks import (
    BlockAnswer,
    BlockBody,
    BlocksAnswer,
    StoredBlock,
    find_illegible,
)
from service.schemas.pages import Listing, PagingOptions
from service.store.shop_documents import BLOCKS, Document
from service.store.writer import Change

BlockName = Annotated[
    str,
    Path(
        pattern=PLACEMENT,
        description="Name of the block, which you choose. Unique in the shop.",
        examples=["weekly"],
    ),
]
BY_NAME: Final[Listing[Mapping[str, Any]]] = Listing(lambda block: (block["name"],), (str,))
MAX_BLOCKS: Final = 200
NO_BLOCK: Final = "There is no block of that name."


async def get_blocks(request: Request, options: Annotated[PagingOptions, Query()]) -> Response:
    """Return the blocks of the shop, ordered by name."""
    documents = await read_store(request, BLOCKS.read_all)
    blocks = [{"name": name, **document} for name, document in documents.items()]
    page = BY_NAME.page(blocks, options)
    return uncached_json({"blocks": page.entries, "next": page.next})


async def get_block(request: Request, name: BlockName) -> Response:
    """Return one block of the shop."""
    return _describe(name, await read_block(request, name))


async def read_block(request: Request, name: str) -> BlockBody:
    """Return a block of the shop. Raises NotFound and StoreUnavailable."""
    document = (await read_store(request, BLOCKS.read_all)).get(name)
    if document is None:
        raise NotFound(f"{NO_BLOCK} Make it with PUT /v1/blocks/{name}.")
    return BlockBody.model_validate(document)


async def put_block(
    request: Request, name: BlockName, content: Annotated[BlockBody, Body()]
) -> Response:
    """Create a block, or replace the one with this name. The very next mail looks like it.

    Colours that are hard to tell apart stand under `warnings`.
    """
    await _write(request, name, content.model_dump(mode="json"))
    return _describe(name, content)


async def delete_block(request: Request, name: BlockName) -> Response:
    """Delete a block and return it. Mails that still ask for it are answered with a 404."""
    before = await _write(request, name, None)
    if before is None:
        raise NotFound(NO_BLOCK)
    return uncached_json({"name": name, **before})


def _describe(name: str, block: BlockBody) -> Response:
    warnings = find_illegible(block.colors, "colors")
    if block.dark_colors is not None:
        warnings += find_illegible(block.dark_colors, "dark_colors")
    content = {"name": name, **block.model_dump(mode="json")}
    return uncached_json({"block": content, "warnings": warnings})


async def _write(request: Request, name: str, document: Document | None) -> Document | None:
    """Return the block as it was before. Raises Conflict."""
    work = partial(_put, name, document, int(time.time()), actor_of(request))
    return await write_store(request, work)


def _put(
    name: str, document: Document | None, now: int, actor: str, change: Change
) -> Document | None:
    names = BLOCKS.read_texts(change.connection).keys() | {name}
    if document is not None and len(names) > MAX_BLOCKS:
        raise Conflict(f"A shop may have {MAX_BLOCKS} blocks at most; delete one first.")
    return BLOCKS.put(change, name, document, time=now, actor=actor)


BLOCK: Final = "/v1/blocks/{name}"
NOT_FOUND: Final = {404: problem_schema(NO_BLOCK)}
TOO_MANY_BLOCKS: Final = {409: problem_schema("There are as many blocks as there may be.")}
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/blocks",
        get_blocks,
        summary="List blocks of mails",
        tag=Tag.MAILS,
        answer=BlocksAnswer,
        route_class=QueryRoute,
    ),
    Operation(
        "GET",
        BLOCK,
        get_block,
        summary="Read a block of mails",
        tag=Tag.MAILS,
        answer=BlockAnswer,
        responses=PROBLEMS | NOT_FOUND,
        route_class=BareRoute,
    ),
    Operation(
        "PUT",
        BLOCK,
        put_block,
        summary="Create or replace a block of mails",
        tag=Tag.MAILS,
        answer=BlockAnswer,
        responses=PROBLEMS | TOO_LARGE | TOO_MANY_BLOCKS,
        route_class=BareRoute,
    ),
    Operation(
        "DELETE",
        BLOCK,
        delete_block,
        summary="Delete a block of mails",
        tag=Tag.MAILS,
        answer=StoredBlock,
        responses=PROBLEMS | NOT_FOUND,
        route_class=BareRoute,
    ),
)
