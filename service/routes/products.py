"""Catalogue calls: products as the shop reports them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Set
from functools import partial
from typing import Annotated, Any, Final

from fastapi import Body, Request, Response
from sqlalchemy import Connection

from models.assembly.cards import build_card
from service.answering.responder import Responder
from service.errors import PROBLEMS, TOO_LARGE, NotFound, describe_rejected, problem_schema
from service.routes.registration import Operation, Tag
from service.routes.request_context import actor_of, get_responder, read_store, write_store
from service.routes.responses import uncached_json
from service.routes.route_classes import BareRoute, ProductId
from service.schemas.products import (
    KnownProduct,
    ProductDocument,
    ProductFields,
    ProductsAnswer,
    ProductsBody,
    validate_products,
)
from service.store.products import Author, Document, delete, is_deleted, put, read
from service.store.writer import Change


async def put_products(request: Request, options: Annotated[ProductsBody, Body()]) -> Response:
    """Store 1 to 1,000 whole products; each is new or replaces what was known.

    They show in the very next answer. A product that is invalid is listed under `rejected`, and
    does not affect the others.
    """
    bodies = options.products
    # In a thread: a thousand take 20 ms.
    validated = await asyncio.to_thread(validate_products, bodies)
    if validated.documents:
        documents = validated.documents
        learned = _find_learned(request, documents)
        work = partial(
            put, documents=documents, author=_author(request), whole=True, learned=learned
        )
        await write_store(request, work)
    rejected = describe_rejected(bodies, validated.rejected, "product_id")
    return uncached_json({"written": len(validated.documents), "rejected": rejected})


async def patch_product(
    request: Request, product_id: ProductId, options: Annotated[ProductFields, Body()]
) -> Response:
    """Change some fields of a product, such as price, stock or whether it is hidden.

    The change shows in the very next answer.
    """
    work = partial(
        _patch,
        product_id=product_id,
        fields=options.model_dump(mode="json", exclude_unset=True),
        learned=_find_learned(request, [product_id]),
        author=_author(request),
    )
    document = await write_store(request, work)
    return uncached_json({"product_id": product_id, "document": document})


async def get_product(request: Request, product_id: ProductId) -> Response:
    """Return a product as slates show it, and what the shop reported here about it.

    Every product that is learned or was reported can be read, until it is deleted.
    """
    responder = get_responder(request)
    document = await read_store(request, partial(_read, product_id))
    card = await asyncio.to_thread(_build_card, responder, product_id)
    if document is None and card is None:
        raise NotFound(NO_PRODUCT)
    return uncached_json({"product_id": product_id, "card": card, "document": document or {}})


async def delete_product(request: Request, product_id: ProductId) -> Response:
    """Delete a product that the shop no longer has, and return what was reported here about it.

    It is in no answer from the very next one on, whatever model is served, until a `PUT` brings it
    back. What customers did with it stays in their history.
    """
    work = partial(
        _delete,
        product_id=product_id,
        learned=_find_learned(request, [product_id]),
        author=_author(request),
    )
    document = await write_store(request, work)
    return uncached_json({"product_id": product_id, "document": document})


def _author(request: Request) -> Author:
    return Author(actor_of(request), int(time.time()))


def _find_learned(request: Request, product_ids: Iterable[str]) -> frozenset[str]:
    """Return those of some products that the model in service has learned."""
    model, ids = get_responder(request).active.current, list(product_ids)
    if model is None:
        return frozenset()
    items = model.recommender.catalogue.ids.find_all(ids).tolist()
    return frozenset(name for name, item in zip(ids, items, strict=True) if item >= 0)


def _patch(
    change: Change, product_id: str, fields: dict[str, Any], learned: Set[str], author: Author
) -> Document:
    _require(change.connection, product_id, learned)
    documents = {product_id: fields}
    return put(change, documents, author, whole=False, learned=learned)[product_id]


def _delete(change: Change, product_id: str, learned: Set[str], author: Author) -> Document:
    _require(change.connection, product_id, learned)
    return delete(change, product_id, author)


def _require(connection: Connection, product_id: str, learned: Set[str]) -> None:
    """Raise NotFound unless a product is known."""
    if _read(product_id, connection) is None and product_id not in learned:
        raise NotFound(NO_PRODUCT)


def _read(product_id: str, connection: Connection) -> Document | None:
    """Return what was reported about a product. Raises NotFound where it is deleted."""
    document = read(connection, [product_id]).get(product_id)
    if is_deleted(document):
        raise NotFound("The product was deleted; PUT /v1/products brings it back.")
    return document


def _build_card(responder: Responder, product_id: str) -> dict[str, Any] | None:
    """Return what slates show of a product; None where it is not known or no model is served."""
    live = responder.computer.find_live(responder.active.current)
    if live is None:
        return None
    catalogue, settings = live.model.recommender.catalogue, responder.settings
    item = catalogue.ids.find(product_id)
    if item < 0:
        return None
    shop_url = responder.presentation.links.shop_url
    return build_card(catalogue, item, settings.default_locale, shop_url)


PRODUCT: Final = "/v1/products/{product_id:id}"
NO_PRODUCT: Final = "There is no product of that id; PUT /v1/products makes new ones."
NOT_FOUND: Final = {404: problem_schema("There is no product of that id.")}
OPERATIONS: Final = (
    Operation(
        "PUT",
        "/v1/products",
        put_products,
        summary="Create or replace products",
        tag=Tag.CATALOGUE,
        answer=ProductsAnswer,
        responses=PROBLEMS | TOO_LARGE,
        route_class=BareRoute,
    ),
    Operation(
        "PATCH",
        PRODUCT,
        patch_product,
        summary="Change fields of a product",
        tag=Tag.CATALOGUE,
        answer=ProductDocument,
        responses=PROBLEMS | TOO_LARGE | NOT_FOUND,
        route_class=BareRoute,
    ),
    Operation(
        "GET",
        PRODUCT,
        get_product,
        summary="Read a product",
        tag=Tag.CATALOGUE,
        answer=KnownProduct,
        responses=PROBLEMS | NOT_FOUND,
        route_class=BareRoute,
    ),
    Operation(
        "DELETE",
        PRODUCT,
        delete_product,
        summary="Delete a product",
        tag=Tag.CATALOGUE,
        answer=ProductDocument,
        responses=PROBLEMS | NOT_FOUND,
        route_class=BareRoute,
    ),
)
