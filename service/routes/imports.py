"""Webhooks: documents of shop systems, taken as they are sent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

import orjson
from fastapi import Body, Path, Request, Response

from models.data.customers import NO, PERSONALIZE_EMAIL, YES
from models.vendors.vendor import Variants
from service.errors import PROBLEMS, TOO_LARGE, Conflict, Invalid
from service.imports.documents import (
    GivenConsent,
    Imported,
    find_document_shape,
    is_id,
    order_body,
    read_documents,
    redacted_ids,
    unpack,
)
from service.routes.customers import erase_customer, give_consent
from service.routes.deliveries import (
    REDACTED,
    REQUESTED,
    SHOP_REDACTED,
    DeliveryRoute,
    WebhookCall,
    describe_delivery,
)
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder, write_store
from service.routes.responses import JSON
from service.schemas.events import validate_events
from service.schemas.imports import ImportAnswer
from service.schemas.products import validate_products
from service.store.audit import name_customer, record_change
from service.store.deliveries import is_newest, take_delivery
from service.store.events import Event, is_erased, write
from service.store.orders import bring_up_to_date
from service.store.products import Author, Document, delete, put
from service.store.shop_erasure import request_erasure
from service.store.writer import Change

log: Final = logging.getLogger("regulars.imports")
Vendor = Literal["ga4", "google", "klaviyo", "magento", "segment", "shopify", "woocommerce"]
NOTHING: Final[Mapping[str, Any]] = {
    "repeated": False,
    "events": 0,
    "products": 0,
    "consents": 0,
    "erased": 0,
    "exports": [],
    "left_out": {},
    "rejected": [],
}
DOCUMENT_EXAMPLE: Final[dict[str, Any]] = {
    "id": 5001,
    "created_at": "2026-11-28T12:00:00+01:00",
    "financial_status": "paid",
    "currency": "EUR",
    "customer": {"id": 207},
    "line_items": [{"id": 1, "product_id": 788, "quantity": 2, "price": "2.50"}],
}
DELETED: Final = frozenset({"products/delete", "product.deleted"})


async def import_documents(
    request: Request,
    vendor: Annotated[
        Vendor, Path(description="The system that sends the document.", examples=["shopify"])
    ],
    document: Annotated[
        dict[str, Any] | list[Any],
        Body(
            description="What the system sends: one document, or a list of them.",
            examples=[DOCUMENT_EXAMPLE],
        ),
    ],
) -> Response:
    """Take orders, products, customers or events as a shop system sends them, in JSON.

    The system's signature is the key, made with a secret of `REGULARS_IMPORT_SECRETS`; a call
    without one needs a key with the scope `write`. The answer is a 202 once everything is durable.
    A webhook that is sent again changes nothing.
    """
    delivery = await describe_delivery(request, vendor)
    if delivery.topic == SHOP_REDACTED:
        answer = await _note_shop_redaction(request, delivery, document)
    elif delivery.topic in (REDACTED, REQUESTED):
        answer = await _answer_privacy_request(request, delivery, document)
    elif delivery.topic in DELETED and isinstance(document, dict):
        if not is_id(str(document.get("id", ""))):
            raise Invalid("The document names no product.")
        work = partial(_delete_product, delivery, str(document["id"]))
        answer = await write_store(request, work)
    else:
        variants = get_responder(request).settings.import_variants
        # In a thread: a thousand lines take 20 ms
        content = await asyncio.to_thread(_read, delivery, document, variants)
        answer = await write_store(request, partial(_store, delivery, content))
    return Response(orjson.dumps(answer), 202, media_type=JSON)


@dataclass(frozen=True)
class CheckedContent:
    """Hold what a delivery says and may be stored, and the problems of the rest."""

    imported: Imported
    events: list[Event]
    documents: Mapping[str, Document]  # of products, by id
    problems: list[dict[str, str]]


def _read(delivery: WebhookCall, document: Any, variants: Variants) -> CheckedContent:
    """Return what a document, or a list of them, says. Raises Invalid for one of another kind."""
    documents = document if isinstance(document, list) else [document]
    imported = Imported()
    for index, part in enumerate(documents):
        shape = find_document_shape(delivery.vendor, part)
        if shape is None or shape.refusal:
            problem = shape.refusal if shape else "is no order, product, customer or event"
            raise Invalid(
                f"Document {index} {problem} as {delivery.vendor} sends them.",
                errors=[{"field": f"[{index}]", "problem": problem}],
            )
        read_documents(imported, shape, unpack(part, shape), variants)
    orders = [order_body(order, delivery.time) for order in imported.orders]
    checked = validate_events(orders, delivery.time)
    events = validate_events(imported.events, delivery.time)
    products = validate_products(imported.products)
    problems: list[dict[str, str]] = []
    for rejected in (checked.rejected, events.rejected, products.rejected):
        for told in rejected.values():
            problems += told
    accepted = [imported.orders[index] for index in checked.indices]
    return CheckedContent(
        replace(imported, orders=accepted), events.events, products.documents, problems
    )


def _store(delivery: WebhookCall, content: CheckedContent, change: Change) -> dict[str, Any]:
    """Store what a delivery says, unless it was taken before."""
    if not take_delivery(change, delivery.vendor, delivery.name, delivery.time):
        return {**NOTHING, "repeated": True}
    imported, count = content.imported, 0
    for order in imported.orders:
        count += bring_up_to_date(change, order, delivery.vendor, delivery.name, delivery.time)
    written = write(change, content.events)
    count += len(content.events) - len(written.repeated) - len(written.of_erased)
    documents = _find_newest(change, delivery, content)
    if documents:
        put(change, documents, Author(delivery.actor, delivery.time), whole=True)
    return {
        **NOTHING,
        "events": count,
        "products": len(documents),
        "consents": sum(_keep_consent(change, delivery, given) for given in imported.consents),
        "left_out": dict(imported.left_out),
        "rejected": content.problems,
    }


def _find_newest(
    change: Change, delivery: WebhookCall, content: CheckedContent
) -> dict[str, Document]:
    """Return the products of which nothing newer was taken."""
    imported = content.imported
    updated = {
        body["product_id"]: moment
        for body, moment in zip(imported.products, imported.updated, strict=True)
    }
    return {
        product_id: document
        for product_id, document in content.documents.items()
        if is_newest(
            change, delivery.vendor, f"product {product_id}", updated[product_id], delivery.time
        )
    }


def _keep_consent(change: Change, delivery: WebhookCall, given: GivenConsent) -> bool:
    if is_erased(change.connection, given.customer_id):
        return False
    values = {PERSONALIZE_EMAIL: YES if given.allowed else NO}
    told = delivery.time if given.time is None else min(given.time, delivery.time)
    give_consent(change, given.customer_id, values, told, delivery.report)
    return True


def _delete_product(delivery: WebhookCall, product_id: str, change: Change) -> dict[str, Any]:
    if not take_delivery(change, delivery.vendor, delivery.name, delivery.time):
        return {**NOTHING, "repeated": True}
    delete(change, product_id, Author(delivery.actor, delivery.time))
    return {**NOTHING, "products": 1}


async def _answer_privacy_request(
    request: Request, delivery: WebhookCall, document: Any
) -> dict[str, Any]:
    """Erase a customer, or say where the shop reads what is stored about one who asks."""
    ids = redacted_ids(document) if isinstance(document, dict) else []
    if not ids:
        raise Invalid("The document names no customer.")
    if delivery.topic == REQUESTED:
        await write_store(request, partial(_note_request, delivery, ids[0]))
        addresses = [f"/v1/customers/{quote(name, safe='')}/export" for name in ids]
        return {**NOTHING, "exports": addresses}
    for name in ids:
        await erase_customer(request, name, delivery.report)
    return {**NOTHING, "erased": len(ids)}


async def _note_shop_redaction(
    request: Request, delivery: WebhookCall, document: Any
) -> dict[str, Any]:
    """Note that the shop is to be erased. Raises Conflict unless it is the one of the settings.

    Nothing is erased here: the topic is not signed, and no other call could undo it.
    """
    shop = document.get("shop_domain") if isinstance(document, dict) else None
    if not isinstance(shop, str):
        raise Invalid("The document names no shop.")
    own_shop = get_responder(request).settings.shopify_shop
    if own_shop is None or own_shop.lower() != shop.lower():
        log.warning("Shopify asks for the erasure of %.100r, and this shop is %r", shop, own_shop)
        raise Conflict(
            "The request is about another shop than REGULARS_SHOPIFY_SHOP names. Set it to the "
            "domain of this shop, and send the request again."
        )
    work = partial(request_erasure, shop=own_shop, actor=delivery.actor, time=delivery.time)
    is_new = await write_store(request, work)
    log.warning("Shopify asks for the erasure of %s: 'regulars erase-shop' does it", own_shop)
    return {**NOTHING, "repeated": not is_new}


def _note_request(delivery: WebhookCall, customer_id: str, change: Change) -> None:
    record_change(
        change,
        time=delivery.time,
        actor=delivery.actor,
        action="export asked for",
        subject=name_customer(change.connection, customer_id),
    )


OPERATIONS: Final = (
    Operation(
        "POST",
        "/v1/import/{vendor}",
        import_documents,
        summary="Take a webhook of a shop system",
        tag=Tag.EVENTS,
        answer=ImportAnswer,
        status=202,
        responses=PROBLEMS | TOO_LARGE,
        route_class=DeliveryRoute,
    ),
)
