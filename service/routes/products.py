"""Catalogue calls: products as the shop reports them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final

from fastapi import Body, Request, Response
from sqlalchemy import Connection

from service.errors import PROBLEMS, TOO_LARGE, NotFound, problem_schema
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder, read_store, write_store
from service.routes.responses import uncached_json
from service.routes.route_classes import BareRoute, ProductId
from service.schemas.products import ProductDocument, ProductFields, ProductsAnswer, ProductsBody
from service.store import products
from service.store.products import Document
from service.store.writer import Change


async def put_products(request: Request, options: Annotated[ProductsBody, Body()]) -> Response:
    """Store 1 to 1,000 whole products; each is new or replaces what was known.

    They show in the very next answer.
    """
    documents = {product.product_id: product.document() for product in options.products}
    await write_store(request, partial(_put, documents))
    return uncached_json({"written": len(documents)})


async def patch_product(
    request: Request, product_id: ProductId, options: Annotated[ProductFields, Body()]
) -> Response:
    """Change some fields of a product, such as price, stock or whether it is hidden.

    The change shows in the very next answer.
    """
    fields = options.model_dump(mode="json", exclude_unset=True)
    model = get_responder(request).active.current
    learned = model is not None and model.recommender.catalogue.ids.find(product_id) >= 0
    document = await write_store(request, partial(_patch, product_id, fields, learned))
    return uncached_json({"product_id": product_id, "document": document})


async def get_product(request: Request, product_id: ProductId) -> Response:
    """Return what the shop reported here about a product.

    Fields that only the products file of the training holds are not in it.
    """
    document = await read_store(request, partial(_read, product_id))
    return uncached_json({"product_id": product_id, "document": document})


def _put(documents: Mapping[str, Document], change: Change) -> None:
    products.put(change, documents, whole=True, time=int(time.time()))


def _patch(product_id: str, fields: dict[str, Any], learned: bool, change: Change) -> Document:
    if not learned and product_id not in products.read(change.connection, [product_id]):
        raise NotFound("There is no product of that id; PUT /v1/products makes new ones.")
    documents = products.put(change, {product_id: fields}, whole=False, time=int(time.time()))
    return documents[product_id]


def _read(product_id: str, connection: Connection) -> Document:
    document = products.read(connection, [product_id]).get(product_id)
    if document is None:
        raise NotFound("Nothing was said of this product here.")
    return document


PRODUCT: Final = "/v1/products/{product_id:id}"
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
        summary="Read what was reported about a product",
        tag=Tag.CATALOGUE,
        answer=ProductDocument,
        responses=PROBLEMS | NOT_FOUND,
        route_class=BareRoute,
    ),
)
