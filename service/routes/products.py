"""The catalogue as the shop changes it."""

from __future__ import annotations

import time
from functools import partial
from typing import Annotated, Any, Final

import orjson
from fastapi import Body, FastAPI, Request, Response

from service.answering.responder import Responder
from service.errors import PROBLEMS, TOO_LARGE, NotFound, problem_schema
from service.routes.route_classes import BareRoute, ProductId
from service.routes.store_calls import durable, looked_up
from service.schemas.answers import Schema
from service.schemas.products import ProductFields, ProductsBody
from service.store import products

NOT_FOUND: Final[dict[int | str, dict[str, Any]]] = {
    404: problem_schema("There is none of that id")
}


class ProductsAnswer(Schema):
    written: int


class ProductDocument(Schema):
    product_id: str
    document: dict[str, Any]


def add_product_routes(app: FastAPI) -> None:
    write = PROBLEMS | TOO_LARGE
    add = partial(app.router.add_api_route, tags=["catalogue"], route_class_override=BareRoute)
    add(
        "/v1/products",
        put_products,
        methods=["PUT"],
        response_model=ProductsAnswer,
        responses=write,
    )
    path = "/v1/products/{product_id:id}"
    add(
        path,
        patch_product,
        methods=["PATCH"],
        response_model=ProductDocument,
        responses=write | NOT_FOUND,
    )
    add(
        path,
        get_product,
        methods=["GET"],
        response_model=ProductDocument,
        responses=PROBLEMS | NOT_FOUND,
    )


async def put_products(request: Request, options: Annotated[ProductsBody, Body()]) -> Response:
    """1 to 1,000 whole products, new or in the place of what was known. They show in the next answer."""
    documents = {product.product_id: product.document() for product in options.products}
    await durable(request, partial(_put_products, documents))
    return _json({"written": len(documents)})


async def patch_product(
    request: Request, product_id: ProductId, options: Annotated[ProductFields, Body()]
) -> Response:
    """Some fields of one product: sold out, back, dearer, hidden. They show in the next answer."""
    fields = options.model_dump(mode="json", exclude_unset=True)
    responder: Responder = request.app.state.responder
    model = responder.active.current
    learned = model is not None and model.recommender.catalogue.ids.find(product_id) >= 0
    document = await durable(request, partial(_patch_product, product_id, fields, learned))
    return _json({"product_id": product_id, "document": document})


async def get_product(request: Request, product_id: ProductId) -> Response:
    """What was said of a product here; what only training read is not in it."""
    found = await looked_up(request, partial(_product, product_id))
    return _json({"product_id": product_id, "document": found})


def _put_products(documents: dict[str, Any], change: Any) -> Any:
    return products.put(change, documents, whole=True, time=int(time.time()))


def _patch_product(product_id: str, fields: dict[str, Any], learned: bool, change: Any) -> Any:
    if not learned and product_id not in products.of(change.connection, [product_id]):
        raise NotFound("There is no product of that id; PUT /v1/products makes new ones.")
    return products.put(change, {product_id: fields}, whole=False, time=int(time.time()))[
        product_id
    ]


def _product(product_id: str, connection: Any) -> Any:
    found = products.of(connection, [product_id]).get(product_id)
    if found is None:
        raise NotFound("Nothing was said of this product here.")
    return found


def _json(body: Any) -> Response:
    return Response(
        orjson.dumps(body), headers={"Cache-Control": "no-store"}, media_type="application/json"
    )
