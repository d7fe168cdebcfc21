"""The catalogue as the shop changes it, and the shop's rules for what is shown where."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final

import orjson
from fastapi import Body, FastAPI, Path, Query, Request, Response
from pydantic import Field

from models.rules.shop_rule_json import RuleError, mapping_of, rule_of
from service.answering.responder import Responder
from service.errors import PROBLEMS, TOO_LARGE, Conflict, Invalid, NotFound, problem_schema
from service.routes.route_classes import BareRoute, ProductId
from service.routes.store_calls import actor_of, durable, looked_up
from service.schemas.answers import Schema
from service.schemas.parameters import Id, ParameterModel
from service.schemas.products import ProductFields, ProductsBody, RuleBody
from service.store import audit, products, rules

RuleId = Annotated[Id, Path(description="made by the caller, unique in the shop")]
MOST_RULES: Final = 200
FIELD: Final = re.compile(r"`(\w+)`")  # the sentence about what is wrong with a rule begins with it
NOT_FOUND: Final[dict[int | str, dict[str, Any]]] = {
    404: problem_schema("There is none of that id")
}

FULL: Final[dict[int | str, dict[str, Any]]] = {
    409: problem_schema("There are as many rules as there may be")
}


class AuditOptions(ParameterModel):
    n: Annotated[int, Field(ge=1, le=1000, description="how many changes")] = 100
    below: Annotated[
        int | None, Field(ge=1, le=2**62, description="changes numbered below, for the next page")
    ] = None


class ProductsAnswer(Schema):
    written: int


class ProductDocument(Schema):
    product_id: str
    document: dict[str, Any]


class RuleDocument(Schema):
    rule: dict[str, Any]


class RulesAnswer(Schema):
    rules: list[dict[str, Any]]


class AuditAnswer(Schema):
    changes: list[dict[str, Any]]


def add_catalogue_routes(app: FastAPI) -> None:
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
    add = partial(app.router.add_api_route, tags=["rules"], route_class_override=BareRoute)
    add("/v1/rules", get_rules, methods=["GET"], response_model=RulesAnswer, responses=PROBLEMS)
    path = "/v1/rules/{rule_id:id}"
    add(
        path, get_rule, methods=["GET"], response_model=RuleDocument, responses=PROBLEMS | NOT_FOUND
    )
    add(path, put_rule, methods=["PUT"], response_model=RuleDocument, responses=write | FULL)
    add(
        path,
        delete_rule,
        methods=["DELETE"],
        response_model=RuleDocument,
        responses=PROBLEMS | NOT_FOUND,
    )
    add("/v1/audit", get_audit, methods=["GET"], response_model=AuditAnswer, responses=PROBLEMS)


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
    serving: Responder = request.app.state.serving
    model = serving.active.current
    learned = model is not None and model.recommender.catalogue.ids.find(product_id) >= 0
    document = await durable(request, partial(_patch_product, product_id, fields, learned))
    return _json({"product_id": product_id, "document": document})


async def get_product(request: Request, product_id: ProductId) -> Response:
    """What was said of a product here; what only training read is not in it."""
    found = await looked_up(request, partial(_product, product_id))
    return _json({"product_id": product_id, "document": found})


async def get_rules(request: Request) -> Response:
    """Every rule, by id."""
    found = await looked_up(request, rules.of)
    return _json({"rules": list(found.values())})


async def get_rule(request: Request, rule_id: RuleId) -> Response:
    """One rule."""
    found = (await looked_up(request, rules.of)).get(rule_id)
    if found is None:
        raise NotFound("There is no rule of that id.")
    return _json({"rule": found})


async def put_rule(
    request: Request, rule_id: RuleId, content: Annotated[RuleBody, Body()]
) -> Response:
    """A rule, new or in the place of the one of this id. It holds in the next answer."""
    document = _checked(rule_id, content)
    await durable(
        request, partial(_put_rule, rule_id, document, int(time.time()), actor_of(request))
    )
    return _json({"rule": document})


async def delete_rule(request: Request, rule_id: RuleId) -> Response:
    """The rule is gone from the next answer."""
    before = await durable(
        request, partial(_put_rule, rule_id, None, int(time.time()), actor_of(request))
    )
    if before is None:
        raise NotFound("There is no rule of that id.")
    return _json({"rule": before})


async def get_audit(request: Request, options: Annotated[AuditOptions, Query()]) -> Response:
    """Who changed what, newest first."""
    found = await looked_up(request, partial(audit.newest, most=options.n, below=options.below))
    return _json({"changes": found})


def _checked(rule_id: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a rule. Raises Invalid."""
    try:
        if content.get("id", rule_id) != rule_id:
            raise RuleError("`id` is another one than in the address")
        document = mapping_of(rule_of({**content, "id": rule_id}))
        orjson.dumps(document)  # a half of a surrogate pair is no text
    except (ValueError, TypeError) as error:
        named = FIELD.match(str(error))
        problem = {"field": named[1] if named else "body", "problem": str(error)}
        raise Invalid(str(error), errors=[problem]) from None
    return document


def _put_products(documents: dict[str, Any], change: Any) -> Any:
    return products.put(change, documents, whole=True, time=int(time.time()))


def _patch_product(product_id: str, fields: dict[str, Any], learned: bool, change: Any) -> Any:
    if not learned and product_id not in products.of(change.connection, [product_id]):
        raise NotFound("There is no product of that id; PUT /v1/products makes new ones.")
    return products.put(change, {product_id: fields}, whole=False, time=int(time.time()))[
        product_id
    ]


def _put_rule(rule_id: str, document: Any, now: int, actor: str, change: Any) -> Any:
    if document is not None and len(rules.of(change.connection).keys() | {rule_id}) > MOST_RULES:
        raise Conflict(f"A shop may have {MOST_RULES} rules at most; delete one that has ended.")
    return rules.put(change, rule_id, document, time=now, actor=actor)


def _product(product_id: str, connection: Any) -> Any:
    found = products.of(connection, [product_id]).get(product_id)
    if found is None:
        raise NotFound("Nothing was said of this product here.")
    return found


def _json(body: Any) -> Response:
    return Response(
        orjson.dumps(body), headers={"Cache-Control": "no-store"}, media_type="application/json"
    )
