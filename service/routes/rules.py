"""Rules of the shop for what is shown where, and previews of what rules would do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Final

from fastapi import Body, Path, Query, Request, Response
from pydantic import ValidationError

from models.data.timestamps import format_timestamp
from models.languages.languages import Language
from models.preview import Preview, preview
from models.recommender import Recommender
from models.rules.rule_problems import RuleProblem, rule_problems
from models.rules.shop_rules import AnyShopRule, ShopRule, place_of, rules_in_force
from models.rules.unknown_names import find_unknown_in_rule
from models.slate import Slate
from service.answering.customer_view import view_customer
from service.answering.query import AnswerMoment, QueryKind, resolve_query
from service.answering.render import render_reason
from service.answering.responder import Responder
from service.answering.rule_cost import RuleCost, TriedRules, measure_rule_cost
from service.errors import PROBLEMS, TOO_LARGE, Conflict, Invalid, NotFound, problem_schema
from service.routes.queries import build_query
from service.routes.registration import Operation, Tag
from service.routes.request_context import actor_of, get_responder, read_store, write_store
from service.routes.responses import uncached_json
from service.routes.route_classes import BareRoute, QueryRoute
from service.schemas.pages import Listing, PagingOptions
from service.schemas.parameters import Id
from service.schemas.rules import (
    CostUnknown,
    PreviewAnswer,
    PreviewOptions,
    RuleBody,
    RuleCostAnswer,
    RuleCostOptions,
    RuleDocument,
    RulesAnswer,
    StoredRule,
    parse_rule,
)
from service.store.shop_documents import RULES, Document
from service.store.writer import Change

RuleId = Annotated[
    Id,
    Path(description="Id of the rule, which you choose. Unique in the shop.", examples=["no-milk"]),
]
MAX_RULES: Final = 200
MAX_PROBLEMS: Final = 100  # that are told of one rule
DIGITS: Final = 6
# The order of the rules
BY_ORDER: Final[Listing[Any]] = Listing(
    lambda document: place_of(document["id"], document.get("order")), (int, str)
)


async def get_rules(request: Request, options: Annotated[PagingOptions, Query()]) -> Response:
    """Return the rules of the shop in their order, those without one last, by id."""
    documents = await read_store(request, RULES.read_all)
    page = BY_ORDER.page(documents.values(), options)
    return uncached_json({"rules": page.entries, "next": page.next})


async def get_rule(request: Request, rule_id: RuleId) -> Response:
    """Return one rule of the shop."""
    documents = await read_store(request, RULES.read_all)
    if rule_id not in documents:
        raise NotFound("There is no rule of that id.")
    return await _describe(request, documents[rule_id])


async def put_rule(
    request: Request, rule_id: RuleId, content: Annotated[RuleBody, Body()]
) -> Response:
    """Create a rule, or replace the one with this id. It holds in the very next answer.

    Names in it that nothing in the shop bears stand under `warnings`.
    """
    document = _normalize(rule_id, content)
    await _write(request, rule_id, document)
    return await _describe(request, document)


async def delete_rule(request: Request, rule_id: RuleId) -> Response:
    """Delete a rule and return it. It no longer holds in the very next answer."""
    before = await _write(request, rule_id, None)
    if before is None:
        raise NotFound("There is no rule of that id.")
    return uncached_json({"rule": before})


async def _describe(request: Request, document: Document) -> Response:
    responder = get_responder(request)
    rule = _parse(document)
    live = await asyncio.to_thread(responder.computer.find_live, responder.active.current)
    warnings = []
    if live is not None:
        recommender = live.model.recommender
        warnings = await asyncio.to_thread(_find_warnings, rule, recommender, "")
    return uncached_json({"rule": document, "warnings": warnings})


def _find_warnings(rule: ShopRule, recommender: Recommender, place: str) -> list[dict[str, str]]:
    problems = find_unknown_in_rule(rule, recommender.catalogue, recommender.model.customers)
    return _describe_problems(list(problems), place)


def _normalize(rule_id: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of a valid rule. Raises Invalid."""
    if content.get("id", rule_id) != rule_id:
        raise _invalid([RuleProblem("id", "is another one than in the address; leave it out")])
    return _parse({**content, "id": rule_id}).document()


def _parse(content: Mapping[str, Any], place: str = "") -> AnyShopRule:
    """Return the rule that stands at a place of the body. Raises Invalid."""
    try:
        return parse_rule(content)
    except ValidationError as error:
        raise _invalid(rule_problems(error.errors()), place) from None


def _invalid(problems: Sequence[RuleProblem], place: str = "") -> Invalid:
    errors = _describe_problems(problems, place)
    detail = "; ".join(f"{error['field']}: {error['problem']}" for error in errors[:5])
    return Invalid(detail, errors=errors)


def _describe_problems(problems: Sequence[RuleProblem], place: str) -> list[dict[str, str]]:
    """Return the problems of a rule that stands at a place of the body."""
    described = []
    for problem in problems[:MAX_PROBLEMS]:
        field = f"{place}.{problem.field}".strip(".") or "body"
        described.append({"field": field, "problem": problem.sentence})
    return described


async def _write(request: Request, rule_id: str, document: Document | None) -> Document | None:
    """Return the rule as it was before. Raises Conflict."""
    work = partial(_put, rule_id, document, int(time.time()), actor_of(request))
    return await write_store(request, work)


def _put(
    rule_id: str, document: Document | None, now: int, actor: str, change: Change
) -> Document | None:
    if (
        document is not None
        and len(RULES.read_all(change.connection).keys() | {rule_id}) > MAX_RULES
    ):
        raise Conflict(f"A shop may have {MAX_RULES} rules at most; delete one that has ended.")
    return RULES.put(change, rule_id, document, time=now, actor=actor)


async def preview_rules(request: Request, options: Annotated[PreviewOptions, Body()]) -> Response:
    """Return a customer's slate with and without rules, before the rules are made.

    The answer names the products that each rule removes, adds and moves.
    """
    responder = get_responder(request)
    return uncached_json(await asyncio.to_thread(_preview, responder, options))


def _preview(responder: Responder, options: PreviewOptions) -> dict[str, Any]:
    view = view_customer(
        responder.computer,
        responder.model(),
        options.customer_id,
        options.as_of,
        options.placement,
        order_id=options.order_id,
    )
    recommender = view.recommender
    tried, warnings = view.request.rules, []
    if options.rules is not None:
        parsed = [_parse(rule, f"rules[{index}]") for index, rule in enumerate(options.rules)]
        for index, rule in enumerate(parsed):
            warnings += _find_warnings(rule, recommender, f"rules[{index}]")
        # Those that hold now, or all where a moment is named.
        now = int(time.time())
        tried = rules_in_force(parsed, now) if options.as_of is None else tuple(parsed)
        if options.keep_others:
            ids = {rule.id for rule in parsed}
            tried = (*(rule for rule in view.request.rules if rule.id not in ids), *tried)
    query = build_query(
        QueryKind.CUSTOMER, options, "", customer_id=options.customer_id, repeat=options.repeat
    )
    moment = AnswerMoment(view.data_as_of)
    resolved = resolve_query(query, recommender.catalogue, tried, moment, view.order)
    tried_request = replace(resolved.request, groups=view.request.groups)
    slate_request = recommender.at_home(view.user, tried_request)
    recommend = partial(recommender.recommend, options.customer_id, update=view.update)
    previewed = preview(recommender, slate_request, recommend)
    language = responder.presentation.languages.of(responder.settings.default_locale)
    return {**_format_preview(recommender, previewed, language), "warnings": warnings}


async def count_rule_cost(
    request: Request, options: Annotated[RuleCostOptions, Body()]
) -> Response:
    """Return what rules cost in hits, on what customers bought after the model had learned.

    Only customers who allow `measure` are counted, as many as time allows.
    """
    responder, rules = get_responder(request), None
    if options.rules is not None:
        rules = tuple(_parse(rule, f"rules[{at}]") for at, rule in enumerate(options.rules))
    tried = TriedRules(
        rules, options.placement, options.n, options.max_customers, options.max_seconds
    )
    model = responder.model()
    cost = await asyncio.to_thread(measure_rule_cost, responder.computer, model, tried)
    return uncached_json(
        {
            "model_version": model.version,
            "placement": options.placement,
            **_format_cost(cost),
        }
    )


def _format_cost(cost: RuleCost) -> dict[str, Any]:
    difference, unknown = None, None
    told = cost.difference()
    if told is not None:
        difference = dict(zip(("recall", "low", "high"), _round(told), strict=True))
    else:
        nobody_bought = cost.is_whole and not cost.customers
        unknown = CostUnknown.NO_PURCHASES if nobody_bought else CostUnknown.FEW_CUSTOMERS
    counted = {}
    for name, hits in (("without", cost.without), ("with_rules", cost.with_rules)):
        recall = cost.recall(hits)
        rounded = None if recall is None else round(recall, DIGITS)
        counted[name] = {"hits": int(hits.sum()), "recall": rounded}
    return {
        "since": format_timestamp(cost.since),
        "until": None if cost.until is None else format_timestamp(cost.until),
        "n": cost.n,
        "customers": cost.customers,
        "complete": cost.is_whole,
        "changed": cost.changed,
        **counted,
        "difference": difference,
        "unknown": unknown,
    }


def _round(values: Iterable[float]) -> list[float]:
    return [round(value, DIGITS) for value in values]


def _format_preview(
    recommender: Recommender, previewed: Preview, language: Language
) -> dict[str, Any]:
    ids = recommender.catalogue.ids
    effects = [
        {
            "rule_id": effect.rule_id,
            "removed": list(map(ids.__getitem__, effect.removed)),
            "added": list(map(ids.__getitem__, effect.added)),
            "moved": list(map(ids.__getitem__, effect.moved)),
            "kept_out": effect.kept_out,
        }
        for effect in previewed.effects
    ]
    return {
        "without": _format_slate(recommender, previewed.without, language),
        "with_rules": _format_slate(recommender, previewed.with_rules, language),
        "effects": effects,
    }


def _format_slate(
    recommender: Recommender, slate: Slate, language: Language
) -> list[dict[str, Any]]:
    catalogue = recommender.catalogue
    return [
        {
            "id": catalogue.ids[slot.item],
            "title": catalogue.title[slot.item] or None,
            "source": slot.source,
            "reason": render_reason(slot.reason, catalogue, language),
        }
        for slot in slate.slots
    ]


RULE: Final = "/v1/rules/{rule_id:id}"
NOT_FOUND: Final = {404: problem_schema("There is no rule of that id.")}
TOO_MANY_RULES: Final = {409: problem_schema("There are as many rules as there may be.")}
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/rules",
        get_rules,
        summary="List the shop's rules",
        tag=Tag.RULES,
        answer=RulesAnswer,
        route_class=QueryRoute,
    ),
    Operation(
        "GET",
        RULE,
        get_rule,
        summary="Read a rule",
        tag=Tag.RULES,
        answer=RuleDocument,
        responses=PROBLEMS | NOT_FOUND,
        route_class=BareRoute,
    ),
    Operation(
        "PUT",
        RULE,
        put_rule,
        summary="Create or replace a rule",
        tag=Tag.RULES,
        answer=RuleDocument,
        responses=PROBLEMS | TOO_LARGE | TOO_MANY_RULES,
        route_class=BareRoute,
    ),
    Operation(
        "DELETE",
        RULE,
        delete_rule,
        summary="Delete a rule",
        tag=Tag.RULES,
        answer=StoredRule,
        responses=PROBLEMS | NOT_FOUND,
        route_class=BareRoute,
    ),
    Operation(
        "POST",
        "/v1/rules/preview",
        preview_rules,
        summary="Preview rules on a customer's slate",
        tag=Tag.RULES,
        answer=PreviewAnswer,
        responses=PROBLEMS | TOO_LARGE,
    ),
    Operation(
        "POST",
        "/v1/rules/cost",
        count_rule_cost,
        summary="Count what rules cost in hits",
        tag=Tag.RULES,
        answer=RuleCostAnswer,
        responses=PROBLEMS | TOO_LARGE,
    ),
)
