"""What rules would do to a customer's slate, before they are made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import Body, FastAPI, Request, Response
from pydantic import ConfigDict, Field

from models.preview import Preview, preview
from models.recommender import Recommender
from models.rules.shop_rule_json import rule_of
from models.rules.shop_rules import ShopRule, in_force
from models.slate import Slate
from service.answering import customer_view
from service.answering.query import QueryKind, RecommendationQuery, resolve_query
from service.answering.responder import Responder
from service.errors import PROBLEMS, TOO_LARGE, Invalid
from service.schemas.answers import Schema
from service.schemas.parameters import CustomerOptions, Id
from service.schemas.products import TriedRule

MOST_RULES = 20  # tried at once


class PreviewOptions(CustomerOptions):
    """Whose slate, and the rules to try; without `rules` those that the shop has."""

    model_config = ConfigDict(strict=True)
    customer_id: Annotated[
        Id | None, Field(description="whose slate; without one it is what is popular")
    ] = None
    rules: Annotated[
        list[TriedRule] | None,
        Field(max_length=MOST_RULES, description="by default the shop's own"),
    ] = None


class PreviewAnswer(Schema):
    without: list[dict[str, Any]]
    with_rules: list[dict[str, Any]]
    effects: list[dict[str, Any]] = Field(
        description="what each rule alone does to the slate without rules"
    )


def add_preview_routes(app: FastAPI) -> None:
    app.add_api_route(
        "/v1/rules/preview",
        preview_rules,
        methods=["POST"],
        response_model=PreviewAnswer,
        responses=PROBLEMS | TOO_LARGE,
        tags=["rules"],
    )


async def preview_rules(request: Request, options: Annotated[PreviewOptions, Body()]) -> Response:
    """A customer's slate with and without rules, and what each rule removes, brings in and moves."""
    serving: Responder = request.app.state.serving
    body = await asyncio.to_thread(partial(_preview, serving, options))
    return Response(
        orjson.dumps(body), headers={"Cache-Control": "no-store"}, media_type="application/json"
    )


def _preview(serving: Responder, options: PreviewOptions) -> dict[str, Any]:
    person = customer_view.person(
        serving, options.customer_id, options.as_of, order_id=options.order_id
    )
    recommender = person.recommender
    rules = person.request.rules if options.rules is None else _tried(options.rules, options.as_of)
    question = RecommendationQuery(
        QueryKind.CUSTOMER, options, "", customer_id=options.customer_id, repeat=options.repeat
    )
    asked = resolve_query(
        question, recommender.catalogue, rules, person.request.as_of or 0, person.order
    ).request
    asked = recommender.at_home(person.user, asked)
    found = preview(
        recommender, asked, partial(recommender.recommend, options.customer_id, since=person.since)
    )
    return _told(recommender, found)


def _tried(given: Sequence[Mapping[str, Any]], as_of: int | None) -> tuple[ShopRule, ...]:
    """The rules to try, as the shop's own: judged by the clock, or at `as_of`. Raises Invalid."""
    try:
        rules = tuple(map(rule_of, given))
    except ValueError as error:
        raise Invalid(str(error), errors=[{"field": "rules", "problem": str(error)}]) from None
    return in_force(rules, int(time.time())) if as_of is None else rules


def _told(recommender: Recommender, found: Preview) -> dict[str, Any]:
    ids = recommender.catalogue.ids
    return {
        "without": _slate(recommender, found.without),
        "with_rules": _slate(recommender, found.with_rules),
        "effects": [
            {
                "rule_id": effect.rule_id,
                "removed": [ids[item] for item in effect.removed],
                "added": [ids[item] for item in effect.added],
                "moved": [ids[item] for item in effect.moved],
                "kept_out": effect.kept_out,
            }
            for effect in found.effects
        ],
    }


def _slate(recommender: Recommender, slate: Slate) -> list[dict[str, Any]]:
    catalogue = recommender.catalogue
    return [
        {
            "id": catalogue.ids[slot.item],
            "title": catalogue.title[slot.item] or None,
            "source": slot.source,
            "text": slot.reason.text,
        }
        for slot in slate.slots
    ]
