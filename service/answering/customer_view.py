"""One person: what is known of them, in words that they understand."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import orjson
from sqlalchemy import Connection, select

from models.artifact.files import Manifest
from models.artifact.registry import Registry
from models.assembly.cards import card
from models.assembly.reasons import buy_again
from models.data.customers import NO, PERSONALIZE_EMAIL, PERSONALIZE_WEB, TRAIN, YES
from models.data.events import DAY, KINDS
from models.data.history import NEVER
from models.data.timestamps import format_timestamp
from models.errors import ArtifactError
from models.ranking.context import RankingContext
from models.ranking.replenishment import due
from models.recommender import NOBODY, Recommender
from models.rules.filters import Repeat
from models.slate import Slate, SlateRequest
from models.updates.customer import CustomerUpdate, allows
from service.answering.query import EMAIL
from service.answering.responder import Responder
from service.errors import Gone, StoreUnavailable
from service.store import consents, events
from service.store.tables import events as rows
from service.store.tables import sessions, slates

MAX_AGE_DAYS: Final = 30  # training removes older versions, unless one is served
ANSWERS: Final = {YES: True, NO: False}
USED_FOR: Final = {
    TRAIN: "To learn, together with what all customers bought, which products go together",
    PERSONALIZE_WEB: "To choose the products that the shop's pages show you",
    PERSONALIZE_EMAIL: "To choose the products in mails to you",
}


@dataclass(frozen=True)
class CustomerView:
    customer_id: str | None
    recommender: Recommender
    request: SlateRequest
    since: CustomerUpdate
    consent: Mapping[int, tuple[int, int]]  # what the store holds
    data_as_of: int  # the newest event of the model and the store, seconds since 1970
    user: int  # -1: the model has not learned of them
    order: tuple[str, ...] = ()  # products of the order asked about

    @property
    def case(self) -> RankingContext:
        return self.recommender.build_context(self.user, self.request, self.since)

    def allows(self, purpose: int) -> bool:
        return allows(self.recommender.model.customers, self.user, purpose, self.since)


def person(
    responder: Responder,
    customer_id: str | None,
    as_of: int | None,
    placement: str | None = None,
    order_id: str | None = None,
) -> CustomerView:
    """In a thread: a customer as an answer would see them now. Raises StoreUnavailable and NoModel."""
    looked_up = responder.computer.look_up(responder.model(), customer_id, order_id)
    if looked_up is None:
        raise StoreUnavailable
    shop, visitor = looked_up
    recommender = shop.model.recommender
    told = responder.computer.knowledge_of(shop, customer_id, visitor).update
    newest = max(recommender.manifest.data_as_of, visitor.position.newest or 0)
    user = (
        NOBODY
        if customer_id is None or told.forgotten
        else recommender.model.customers.ids.find(customer_id)
    )
    rules = shop.with_rules_at(int(time.time())).rules if as_of is None else shop.rules
    request = SlateRequest(
        as_of=newest if as_of is None else as_of,
        placement=placement,
        purpose=PERSONALIZE_EMAIL if (placement or "").startswith(EMAIL) else PERSONALIZE_WEB,
        rules=rules,
    )
    return CustomerView(
        customer_id=customer_id,
        recommender=recommender,
        request=recommender.at_home(user, request),
        since=told,
        consent=visitor.consents,
        data_as_of=newest,
        user=user,
        order=tuple(visitor.order),
    )


def due_told(
    person: CustomerView, n: int, ahead_days: float, locale: str, shop_url: str | None = None
) -> dict[str, Any]:
    """What is due; nothing for who does not want to be personalised there."""
    found = (
        _due(person, n, ahead_days, locale, shop_url)
        if person.allows(person.request.purpose)
        else []
    )
    return {
        "customer_id": person.customer_id,
        "data_as_of": format_timestamp(person.data_as_of),
        "count": len(found),
        "recommendations": found,
    }


def _due(
    person: CustomerView, n: int, ahead_days: float, locale: str, shop_url: str | None
) -> list[dict[str, Any]]:
    case, recommender = person.case, person.recommender
    removed = recommender.find_removed(case, replace(person.request, repeat=Repeat.INCLUDE))
    return [
        {
            "id": recommender.catalogue.ids[one.item],
            "purchases": one.lines,
            "last_purchase": format_timestamp(one.last),
            "interval_days": round(one.interval_days, 1),
            "due": format_timestamp(one.due),
            "reason": buy_again(case.pairs, one.item, case.as_of).text,
            **card(recommender.catalogue, one.item, locale, shop_url),
        }
        for one in due(case, removed, recommender.model, n, ahead_days)
    ]


def profile(person: CustomerView, n: int) -> dict[str, Any]:
    """What is known, what it is used for, and why the slate of now is what it is."""
    case, recommender = person.case, person.recommender
    pairs, catalogue = case.pairs, recommender.catalogue
    bought = pairs.last != NEVER
    order = np.lexsort((pairs.item, -(pairs.long + pairs.recent)))[:n]
    slate = recommender.recommend(person.customer_id, person.request, person.since)
    known = len(recommender.find_events(person.user, person.request, person.since))
    return {
        "customer_id": person.customer_id,
        "consent": _consent(person),
        "used_for": [
            text for purpose, text in USED_FOR.items() if known and person.allows(purpose)
        ],
        "known": {
            "events": known,
            "products_bought": int(bought.sum()),
            "first_purchase": format_timestamp(int(pairs.first[bought].min()))
            if bought.any()
            else None,
            "last_purchase": format_timestamp(int(pairs.last[bought].max()))
            if bought.any()
            else None,
            "market": person.request.filters.market,
            "products_not_used": [catalogue.ids[item] for item in person.since.unused.tolist()],
        },
        "products": [
            {
                "id": catalogue.ids[item],
                "title": catalogue.title[item] or None,
                "purchases": int(pairs.lines[place]),
                "text": _known_of(case, place),
            }
            for place, item in zip(order.tolist(), pairs.item[order].tolist(), strict=True)
        ],
        "slate": _slate_told(recommender, slate),
    }


def _known_of(case: RankingContext, place: int) -> str:
    """What is known of a customer and the product of one of their pairs."""
    pairs = case.pairs
    if pairs.refused[place]:
        return "You do not want to see this"
    if pairs.in_cart[place]:
        return "This is in your cart"
    if pairs.last[place] == NEVER:
        return "You looked at this"
    return buy_again(pairs, int(pairs.item[place]), case.as_of).text


def _slate_told(recommender: Recommender, slate: Slate) -> dict[str, Any]:
    catalogue = recommender.catalogue
    return {
        "strategy": slate.strategy,
        "fallback_reason": slate.fallback_reason,
        "recommendations": [
            {
                "id": catalogue.ids[slot.item],
                "title": catalogue.title[slot.item] or None,
                "why": slot.reason.text,
                "because_of": [catalogue.ids[item] for item in slot.reason.items],
            }
            for slot in slate.slots
        ],
    }


def _consent(person: CustomerView) -> dict[str, Any]:
    told = consent_told(person.consent)
    return {
        name: {**told[name], "holds": person.allows(purpose) and not person.since.forgotten}
        for purpose, name in enumerate(consents.PURPOSES)
    }


def consent_told(now: Mapping[int, tuple[int, int]]) -> dict[str, Any]:
    """By purpose: true, false or null where the store holds no answer, and when it was given."""
    told = {}
    for purpose, name in enumerate(consents.PURPOSES):
        value, said = now.get(purpose, (0, 0))
        told[name] = {
            "given": ANSWERS.get(value),
            "time": format_timestamp(said) if value else None,
        }
    return told


def learned_told(person: CustomerView) -> dict[str, Any]:
    """What the served model holds of a person."""
    recommender = person.recommender
    version = recommender.manifest.version
    if person.user == NOBODY:
        return {"model_version": version, "events": []}
    customers = recommender.model.customers
    history, ids = recommender.model.histories.of(person.user), recommender.catalogue.ids
    columns = (
        history.item.tolist(),
        history.time.tolist(),
        history.kind.tolist(),
        history.weight.tolist(),
    )
    return {
        "model_version": version,
        "market": person.request.filters.market,
        "consent": {
            name: ANSWERS.get(value)
            for name, value in zip(
                consents.PURPOSES, customers.consent[person.user].tolist(), strict=True
            )
        },
        "events": [
            {
                "product_id": ids[item],
                "time": format_timestamp(when),
                "kind": KINDS[kind],
                "weight": round(weight, 4),
            }
            for item, when, kind, weight in zip(*columns, strict=True)
        ],
    }


def held(connection: Connection, customer_id: str) -> dict[str, Any]:
    """Everything that the store holds under an id."""
    visits = (
        connection.execute(
            select(sessions.c.session_id).where(sessions.c.customer_id == customer_id)
        )
        .scalars()
        .all()
    )
    theirs = (rows.c.customer_id == customer_id) | (
        rows.c.customer_id.is_(None) & rows.c.session_id.in_(visits)
    )
    found = connection.execute(
        select(*rows.columns).where(theirs).order_by(rows.c.number)
    ).mappings()
    mails = select(slates.c.campaign_id, slates.c.time, slates.c.document).where(
        slates.c.customer_id == customer_id
    )
    return {
        "consent": consent_told(consents.of(connection, customer_id)),
        "products_not_used": events.unused_of(connection, customer_id),
        "sessions": list(visits),
        "events": [_event_told(dict(row)) for row in found],
        "mails": [
            {
                "campaign": campaign,
                "time": format_timestamp(time),
                **_showed(orjson.loads(document)),
            }
            for campaign, time, document in connection.execute(mails.order_by(slates.c.time))
        ],
    }


def _showed(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {"showed": facts["products"], "showed_also": facts["also"]}


def _event_told(row: Mapping[str, Any]) -> dict[str, Any]:
    given = {
        str(name): value
        for name, value in row.items()
        if value is not None and name not in ("number", "line")
    }
    return {**given, "kind": KINDS[row["kind"]], "time": format_timestamp(row["time"])}


def refuse_forgotten(connection: Connection, customer_id: str) -> None:
    """Raises Gone."""
    if events.is_erased(connection, customer_id):
        raise Gone


def versions_with(registry: Registry, customer_id: str) -> list[Manifest]:
    """The versions on disk whose history knows the id, newest first."""
    found = []
    for manifest in registry.versions():
        try:
            customers = Recommender.load(registry.path(manifest.version)).model.customers
        except ArtifactError:
            continue  # damaged: it will not be served, and it is pruned like the others
        if customers.ids.find(customer_id) >= 0:
            found.append(manifest)
    return found


def receipt(
    counts: Mapping[str, int], versions: Iterable[Manifest], now: int, ttl_seconds: int
) -> dict[str, Any]:
    """What was deleted, and what goes when."""
    holding = [
        {
            "version": manifest.version,
            "pruned_by": format_timestamp(max(manifest.created + MAX_AGE_DAYS * DAY, now)),
        }
        for manifest in versions
    ]
    last = max((one["pruned_by"] for one in holding), default=None)
    return {
        "deleted": dict(counts),
        "forgotten": format_timestamp(now),
        "versions_with_history": holding,
        "last_pruned_by": last,
        "text": (
            "No answer uses what these versions hold from now on. Cached answers are void now and gone in "
            f"{ttl_seconds} seconds. Training leaves this customer out whatever file they come from, and removes "
            f"versions that are older than {MAX_AGE_DAYS} days when it publishes."
        ),
    }
