"""Bundles that the shop puts together, and how they are shown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final

from fastapi import Body, Path, Query, Request, Response

from models.bundles.figures import build_unit
from models.bundles.offers import find_problem
from models.rules.eligibility import find_allowed
from models.rules.shop_bundles import ShopBundle
from models.rules.shop_rules import is_in_force
from models.rules.unknown_names import find_unknown_products
from models.slate import SlateRequest
from service.answering.answer import prepare_answer
from service.answering.query import AS_LEARNED, QueryKind, RecommendationQuery
from service.answering.responder import Responder
from service.errors import PROBLEMS, TOO_LARGE, Conflict, NotFound, problem_schema
from service.model.live_catalogue import LiveCatalogue
from service.routes.registration import Operation, Tag
from service.routes.request_context import actor_of, get_responder, read_store, write_store
from service.routes.responses import uncached_json
from service.routes.route_classes import BareRoute, QueryRoute
from service.schemas.bundles import BundleBody, BundleDocument, BundlesAnswer, StoredBundle
from service.schemas.pages import BY_ID, PagingOptions
from service.schemas.parameters import Id
from service.store.shop_documents import BUNDLES, Document
from service.store.writer import Change

BundleId = Annotated[
    Id,
    Path(
        description="Id of the bundle, which you choose. Unique in the shop.",
        examples=["milk-bananas"],
    ),
]
MAX_BUNDLES: Final = 1_000


async def get_bundles(request: Request, options: Annotated[PagingOptions, Query()]) -> Response:
    """Return the bundles that the shop has put together, ordered by id."""
    documents = await read_store(request, BUNDLES.read_all)
    bundles = [{"id": bundle_id, **document} for bundle_id, document in documents.items()]
    page = BY_ID.page(bundles, options)
    return uncached_json({"bundles": page.entries, "next": page.next})


async def get_bundle(request: Request, bundle_id: BundleId) -> Response:
    """Return a bundle of the shop, with its figures, or why it is not shown."""
    document = (await read_store(request, BUNDLES.read_all)).get(bundle_id)
    if document is None:
        raise NotFound("There is no bundle of that id.")
    return await _describe(request, bundle_id, document)


async def put_bundle(
    request: Request, bundle_id: BundleId, content: Annotated[BundleBody, Body()]
) -> Response:
    """Create a bundle, or replace the one with this id. It is shown in the very next answer."""
    document = content.document()
    await _write(request, bundle_id, document)
    return await _describe(request, bundle_id, document)


async def delete_bundle(request: Request, bundle_id: BundleId) -> Response:
    """Delete a bundle and return it. It is no longer shown in the very next answer."""
    before = await _write(request, bundle_id, None)
    if before is None:
        raise NotFound("There is no bundle of that id.")
    return uncached_json({"bundle": {"id": bundle_id, **before}})


async def _write(request: Request, bundle_id: str, document: Document | None) -> Document | None:
    """Return the bundle as it was before. Raises Conflict."""
    work = partial(_put, bundle_id, document, int(time.time()), actor_of(request))
    return await write_store(request, work)


def _put(
    bundle_id: str, document: Document | None, now: int, actor: str, change: Change
) -> Document | None:
    names = BUNDLES.read_texts(change.connection).keys() | {bundle_id}
    if document is not None and len(names) > MAX_BUNDLES:
        raise Conflict(
            f"A shop may have {MAX_BUNDLES:,} bundles at most; delete one that has ended."
        )
    return BUNDLES.put(change, bundle_id, document, time=now, actor=actor)


async def _describe(request: Request, bundle_id: str, document: Mapping[str, Any]) -> Response:
    responder = get_responder(request)
    bundle = BundleBody.model_validate(document).build(bundle_id)
    shown = await asyncio.to_thread(_describe_shown, responder, bundle)
    return uncached_json({"bundle": {"id": bundle_id, **document}, **shown})


def _describe_shown(responder: Responder, bundle: ShopBundle) -> dict[str, Any]:
    """Return the unit with its first product as anchor, or why it is not shown."""
    live, clock = responder.computer.find_live(responder.active.current), int(time.time())
    if live is None:
        return {"unit": None, "problem": NOT_SERVED, "warnings": []}
    live = live.with_rules_at(clock)
    catalogue = live.model.recommender.catalogue
    unknown = find_unknown_products(bundle.products, "products", catalogue)
    warnings = [{"field": each.field, "problem": each.sentence} for each in unknown]
    problem = _find_problem(live, bundle, clock)
    if problem is not None:
        return {"unit": None, "problem": problem, "warnings": warnings}
    recommender, locale = live.model.recommender, responder.settings.default_locale
    query = RecommendationQuery(QueryKind.BUNDLES, locale, product_id=bundle.products[0])
    _, renderer = prepare_answer(live, query, responder.presentation, AS_LEARNED)
    first, *rest = recommender.catalogue.ids.find_all(bundle.products).tolist()
    unit = build_unit(recommender.model, [first], rest, offer=bundle)
    return {"unit": renderer.render_bundle(unit), "problem": None, "warnings": warnings}


def _find_problem(live: LiveCatalogue, bundle: ShopBundle, clock: int) -> str | None:
    if not is_in_force(bundle.starts, bundle.ends, clock):
        return "It has not begun yet, or it has ended."
    recommender = live.model.recommender
    request = SlateRequest(as_of=live.model.shop_time.moment, rules=live.rules)
    sellable = find_allowed(recommender.find_unavailable(request))
    return find_problem(recommender.model, bundle, sellable)


NOT_SERVED: Final = "No model is served yet, or the store does not answer."
BUNDLE: Final = "/v1/bundles/{bundle_id:id}"
NOT_FOUND: Final = {404: problem_schema("There is no bundle of that id.")}
TOO_MANY_BUNDLES: Final = {409: problem_schema("There are as many bundles as there may be.")}
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/bundles",
        get_bundles,
        summary="List the shop's own bundles",
        tag=Tag.RULES,
        answer=BundlesAnswer,
        route_class=QueryRoute,
    ),
    Operation(
        "GET",
        BUNDLE,
        get_bundle,
        summary="Read a bundle of the shop",
        tag=Tag.RULES,
        answer=BundleDocument,
        responses=PROBLEMS | NOT_FOUND,
        route_class=BareRoute,
    ),
    Operation(
        "PUT",
        BUNDLE,
        put_bundle,
        summary="Create or replace a bundle of the shop",
        tag=Tag.RULES,
        answer=BundleDocument,
        responses=PROBLEMS | TOO_LARGE | TOO_MANY_BUNDLES,
        route_class=BareRoute,
    ),
    Operation(
        "DELETE",
        BUNDLE,
        delete_bundle,
        summary="Delete a bundle of the shop",
        tag=Tag.RULES,
        answer=StoredBundle,
        responses=PROBLEMS | NOT_FOUND,
        route_class=BareRoute,
    ),
)
