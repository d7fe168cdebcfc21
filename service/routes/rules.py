"""The shop's rules for what is shown where, and what rules would do before they are made."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final

import orjson
from fastapi import Body, FastAPI, Path, Request, Response

from models.preview import Preview, preview
from models.recommender import Recommender
from models.rules.shop_rule_json import RuleError, mapping_of, rule_of
from models.rules.shop_rules import ShopRule, rules_in_force
from models.slate import Slate
from service.answering import customer_view
from service.answering.query import QueryKind, resolve_query
from service.answering.responder import Responder
from service.errors import PROBLEMS, TOO_LARGE, Conflict, Invalid, NotFound, problem_schema
from service.routes.queries import build_query
from service.routes.route_classes import BareRoute
from service.routes.store_calls import actor_of, durable, looked_up
from service.schemas.parameters import Id
from service.schemas.rules import PreviewAnswer, PreviewOptions, RuleBody, RuleDocument, RulesAnswer
from service.store import rules

RuleId = Annotated[Id, Path(description="made by the caller, unique in the shop")]
MOST_RULES: Final = 200
FIELD: Final = re.compile(r"`(\w+)`")  # the sentence about what is wrong with a rule begins with it
NOT_FOUND: Final[dict[int | str, dict[str, Any]]] = {
    404: problem_schema("There is none of that id")
}
FULL: Final[dict[int | str, dict[str, Any]]] = {
    409: problem_schema("There are as many rules as there may be")
}


def add_rule_routes(app: FastAPI) -> None:
    add = partial(app.router.add_api_route, tags=["rules"], route_class_override=BareRoute)
    add("/v1/rules", get_rules, methods=["GET"], response_model=RulesAnswer, responses=PROBLEMS)
    path = "/v1/rules/{rule_id:id}"
    add(
        path, get_rule, methods=["GET"], response_model=RuleDocument, responses=PROBLEMS | NOT_FOUND
    )
    add(
        path,
        put_rule,
        methods=["PUT"],
        response_model=RuleDocument,
        responses=PROBLEMS | TOO_LARGE | FULL,
    )
    add(
        path,
        delete_rule,
        methods=["DELETE"],
        response_model=RuleDocument,
        responses=PROBLEMS | NOT_FOUND,
    )
    app.add_api_route(
        "/v1/rules/preview",
        preview_rules,
        methods=["POST"],
        response_model=PreviewAnswer,
        responses=PROBLEMS | TOO_LARGE,
        tags=["rules"],
    )


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


def _put_rule(rule_id: str, document: Any, now: int, actor: str, change: Any) -> Any:
    if document is not None and len(rules.of(change.connection).keys() | {rule_id}) > MOST_RULES:
        raise Conflict(f"A shop may have {MOST_RULES} rules at most; delete one that has ended.")
    return rules.put(change, rule_id, document, time=now, actor=actor)


def _json(body: Any) -> Response:
    return Response(
        orjson.dumps(body), headers={"Cache-Control": "no-store"}, media_type="application/json"
    )


async def preview_rules(request: Request, options: Annotated[PreviewOptions, Body()]) -> Response:
    """A customer's slate with and without rules, and what each rule removes, brings in and moves."""
    responder: Responder = request.app.state.responder
    body = await asyncio.to_thread(partial(_preview, responder, options))
    return Response(
        orjson.dumps(body), headers={"Cache-Control": "no-store"}, media_type="application/json"
    )


def _preview(responder: Responder, options: PreviewOptions) -> dict[str, Any]:
    person = customer_view.person(
        responder, options.customer_id, options.as_of, order_id=options.order_id
    )
    recommender = person.recommender
    rules = person.request.rules if options.rules is None else _tried(options.rules, options.as_of)
    query = build_query(
        QueryKind.CUSTOMER, options, "", customer_id=options.customer_id, repeat=options.repeat
    )
    asked = resolve_query(
        query, recommender.catalogue, rules, person.request.as_of or 0, person.order
    ).request
    asked = recommender.at_home(person.user, asked)
    found = preview(
        recommender, asked, partial(recommender.recommend, options.customer_id, update=person.since)
    )
    return _told(recommender, found)


def _tried(given: Sequence[Mapping[str, Any]], as_of: int | None) -> tuple[ShopRule, ...]:
    """The rules to try, as the shop's own: judged by the clock, or at `as_of`. Raises Invalid."""
    try:
        rules = tuple(map(rule_of, given))
    except ValueError as error:
        raise Invalid(str(error), errors=[{"field": "rules", "problem": str(error)}]) from None
    return rules_in_force(rules, int(time.time())) if as_of is None else rules


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
