"""Experiments, and the holdout: whose slates differ by chance."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Final

from fastapi import Body, Path, Query, Request, Response
from pydantic import ValidationError

from models.artifact.registry import LONGEST_PIN_SECONDS, Registry
from models.experiments.assignment import derive_key
from models.experiments.experiment import Experiment
from models.experiments.holdout import HOLDOUT
from models.rules.rule_problems import RuleProblem, rule_problems
from models.rules.shop_rules import format_moment, read_moment
from service.errors import PROBLEMS, TOO_LARGE, Conflict, Invalid, NotFound, problem_schema
from service.routes.registration import Operation, Tag
from service.routes.request_context import actor_of, get_responder, read_store, write_store
from service.routes.responses import uncached_json
from service.routes.route_classes import BareRoute, QueryRoute
from service.routes.value_warnings import find_value_warnings
from service.schemas.experiments import (
    ExperimentBody,
    ExperimentDocument,
    ExperimentsAnswer,
    ExperimentState,
    HoldoutBody,
    HoldoutDocument,
    StoredExperiment,
)
from service.schemas.pages import BY_ID, PagingOptions
from service.schemas.parameters import Id
from service.schemas.rules import parse_rule
from service.store.experiments import EXPERIMENTS, HOLDOUTS, read_documents, read_secret
from service.store.offers import OFFERS
from service.store.shop_documents import RULES, Document
from service.store.writer import Change

ExperimentId = Annotated[
    Id,
    Path(
        description="Id of the experiment, which you choose. Unique in the shop.",
        examples=["repeats-at-home"],
    ),
]
MAX_EXPERIMENTS: Final = 200
LATE_SECONDS: Final = 60  # by which a begin may lie in the past: of a clock that is behind
NO_HOLDOUT: Final[Document] = {"share": 0.0, "since": None}


async def get_experiments(request: Request, options: Annotated[PagingOptions, Query()]) -> Response:
    """Return the experiments of the shop, ordered by id."""
    documents = await read_store(request, read_documents)
    page = BY_ID.page(documents.experiments, options)
    return uncached_json({"experiments": page.entries, "next": page.next})


async def get_experiment(request: Request, experiment_id: ExperimentId) -> Response:
    """Return one experiment, and the keys with which a client repeats who is in which part."""
    documents = await read_store(request, read_documents)
    for document in documents.experiments:
        if document["id"] == experiment_id:
            return await _describe(request, document, documents.secret)
    raise NotFound("There is no experiment of that id.")


async def put_experiment(
    request: Request, experiment_id: ExperimentId, content: Annotated[ExperimentBody, Body()]
) -> Response:
    """Create an experiment, or replace the one with this id.

    It holds in the very next answer. Of one that has begun only the end may change, since
    customers would change sides otherwise. Values of `customers` that nobody has stand under
    `warnings`.
    """
    if experiment_id == HOLDOUT:
        raise _invalid([RuleProblem("id", "is the holdout's; use PUT /v1/holdout")])
    await asyncio.to_thread(_check_models, get_responder(request).active.registry, content)
    return await _write(request, partial(_put, experiment_id, content))


async def stop_experiment(request: Request, experiment_id: ExperimentId) -> Response:
    """Stop a running experiment: from the very next answer on nobody is in it.

    What it has shown so far can still be compared.
    """
    return await _write(request, partial(_stop, experiment_id))


async def delete_experiment(request: Request, experiment_id: ExperimentId) -> Response:
    """Delete an experiment that is not running, and return it. Nothing can be compared any more."""
    work = partial(_delete, experiment_id, int(time.time()), actor_of(request))
    return uncached_json({"experiment": await write_store(request, work)})


async def get_holdout(request: Request) -> Response:
    """Return the share of customers who are never personalised, for comparison."""
    documents = await read_store(request, read_documents)
    return _describe_holdout(documents.holdout, documents.secret)


async def put_holdout(request: Request, content: Annotated[HoldoutBody, Body()]) -> Response:
    """Set the share of customers who are never personalised, for comparison.

    Whoever was in it stays in it while the share grows.
    """
    work = partial(_put_holdout, content.share, int(time.time()), actor_of(request))
    return _describe_holdout(*await write_store(request, work))


async def _write(request: Request, work: Callable[[int, str, Change], Document]) -> Response:
    change = partial(_change, work, int(time.time()), actor_of(request))
    document, secret = await write_store(request, change)
    _pin_models(get_responder(request).active.pin, document)
    return await _describe(request, document, secret)


def _change(
    work: Callable[[int, str, Change], Document], now: int, actor: str, change: Change
) -> tuple[Document, bytes]:
    return work(now, actor, change), read_secret(change.connection)


def _put(
    experiment_id: str, content: ExperimentBody, now: int, actor: str, change: Change
) -> Document:
    """Raises Conflict and Invalid."""
    documents = read_documents(change.connection)
    others = [document for document in documents.experiments if document["id"] != experiment_id]
    before = _find(documents.experiments, experiment_id)
    starts = now if before is None else read_moment(before["starts"])
    document = content.document(experiment_id, starts)
    if before is not None and "stopped_variants" in before:
        document["stopped_variants"] = before["stopped_variants"]
    if before == document:
        return document
    if before is not None and read_moment(before["starts"]) <= now:
        _check_begun(before, document, now)
    elif read_moment(document["starts"]) < now - LATE_SECONDS:
        raise _invalid([RuleProblem("starts", "lies in the past: nobody was assigned then")])
    if read_moment(document["ends"]) <= now:
        raise _invalid([RuleProblem("ends", "lies in the past; POST …/stop ends it now")])
    _check_rules(document, set(RULES.read_all(change.connection)))
    _check_offers(document, OFFERS.read_all(change.connection))
    if len(others) >= MAX_EXPERIMENTS:
        raise Conflict(f"A shop may have {MAX_EXPERIMENTS} experiments; delete one that has ended.")
    _check_collisions(document, others, documents.secret)
    EXPERIMENTS.put(change, experiment_id, document, time=now, actor=actor)
    return document


def _check_begun(before: Document, document: Document, now: int) -> None:
    if _state_of(before, now) is not ExperimentState.RUNNING:
        raise Conflict("The experiment has ended; give the new one another id.")
    changed = [name for name in document if document[name] != before.get(name) and name != "ends"]
    changed += [name for name in before if name not in document]
    if changed:
        raise Conflict(
            f"The experiment has begun: only `ends` may change, and this changes "
            f"{', '.join(f'`{name}`' for name in changed)}. Stop it and make another."
        )


def _check_models(registry: Registry, content: ExperimentBody) -> None:
    """Raises Invalid for a version that the registry does not hold."""
    for index, variant in enumerate(content.variants):
        version = variant.model_version
        if version is not None and version not in registry.names():
            field = f"variants[{index}].model_version"
            raise _invalid([RuleProblem(field, f"is {version!r:.100}; the registry has no such")])


def _check_rules(document: Document, known: set[str]) -> None:
    """Raises Invalid for a rule that is none, or that the shop does not have."""
    problems = []
    for index, variant in enumerate(document["variants"]):
        for number, rule in enumerate(variant.get("rules", ())):
            place = f"variants[{index}].rules[{number}]"
            problems += [
                RuleProblem(f"{place}.{problem.field}".strip("."), problem.sentence)
                for problem in _find_problems(rule)
            ]
        for number, rule_id in enumerate(variant.get("without_rules", ())):
            if rule_id not in known:
                place = f"variants[{index}].without_rules[{number}]"
                sentence = f"is {rule_id!r:.100}; the shop has no such rule"
                problems.append(RuleProblem(place, sentence))
    if problems:
        raise _invalid(problems)


def _check_offers(document: Document, offers: Mapping[str, Document]) -> None:
    """Raises Invalid for an offer that the shop does not have, or that stands everywhere."""
    problems = []
    for index, variant in enumerate(document["variants"]):
        for number, offer_id in enumerate(variant.get("offers", ())):
            if offers.get(offer_id, {}).get("in_experiments_only"):
                continue
            sentence = f"is {offer_id!r:.100}; the shop has no such offer"
            if offer_id in offers:
                sentence = f"is {offer_id!r:.100}, which is not `in_experiments_only`; set it there"
            problems.append(RuleProblem(f"variants[{index}].offers[{number}]", sentence))
    if problems:
        raise _invalid(problems)


def _find_problems(rule: Mapping[str, Any]) -> list[RuleProblem]:
    """Return what is wrong with a rule of a variant."""
    fixed = [name for name in ("id", "starts", "ends") if name in rule]
    if fixed:
        sentence = "is the experiment's; leave it out"
        return [RuleProblem(name, sentence) for name in fixed]
    try:
        parse_rule({**rule, "id": "rule"})
    except ValidationError as error:
        return rule_problems(error.errors())
    return []


def _check_collisions(document: Document, others: list[Document], secret: bytes) -> None:
    """Raises Conflict where another experiment has the same customers or the same placements."""
    made = Experiment.read(document, secret, parse_rule)
    for other in others:
        collision = made.find_collision(Experiment.read(other, secret, parse_rule))
        if collision is not None:
            raise Conflict(
                f"It collides with the experiment '{other['id']}', which runs from "
                f"{other['starts']} to {other.get('stopped', other['ends'])}: {collision}. Give it "
                "another part of the layer, other placements, or another time."
            )


def _stop(experiment_id: str, now: int, actor: str, change: Change) -> Document:
    """Raises NotFound and Conflict."""
    document = _require(change, experiment_id)
    if _state_of(document, now) is not ExperimentState.RUNNING:
        raise Conflict("The experiment does not run.")
    stopped = {**document, "stopped": format_moment(now)}
    EXPERIMENTS.put(change, experiment_id, stopped, time=now, actor=actor)
    return stopped


def _delete(experiment_id: str, now: int, actor: str, change: Change) -> Document:
    """Raises NotFound and Conflict."""
    document = _require(change, experiment_id)
    if _state_of(document, now) is ExperimentState.RUNNING:
        raise Conflict("The experiment runs; stop it first.")
    EXPERIMENTS.put(change, experiment_id, None, time=now, actor=actor)
    return document


def _require(change: Change, experiment_id: str) -> Document:
    document = _find(read_documents(change.connection).experiments, experiment_id)
    if document is None:
        raise NotFound("There is no experiment of that id.")
    return document


def _find(documents: tuple[Document, ...], experiment_id: str) -> Document | None:
    return next((one for one in documents if one["id"] == experiment_id), None)


def _put_holdout(
    share: float, now: int, actor: str, change: Change
) -> tuple[Document | None, bytes]:
    before = read_documents(change.connection).holdout
    document: Document | None = None
    if share:
        since = before["since"] if before else format_moment(now)
        document = {"share": share, "since": since}
    HOLDOUTS.put(change, HOLDOUT, document, time=now, actor=actor)
    return document, read_secret(change.connection)


def _pin_models(pin: Callable[[str, int, int], None], document: Document) -> None:
    """Have the versions that answer in an experiment kept until its end."""
    now = int(time.time())
    ends = min(read_moment(document["ends"]), now + LONGEST_PIN_SECONDS)
    for variant in document["variants"]:
        if "model_version" in variant and "stopped" not in document:
            pin(variant["model_version"], ends, now)


async def _describe(request: Request, document: Document, secret: bytes) -> Response:
    content = {
        "experiment": document,
        "state": _state_of(document, int(time.time())),
        "assignment": {
            "layer_key": derive_key(secret, f"layer {document['layer']}").hex(),
            "variants_key": derive_key(secret, f"variants {document['id']}").hex(),
        },
        "warnings": await find_value_warnings(request, document.get("customers", {})),
    }
    return uncached_json(content)


def _describe_holdout(document: Document | None, secret: bytes) -> Response:
    key = derive_key(secret, HOLDOUT).hex()
    return uncached_json({"holdout": document or NO_HOLDOUT, "key": key})


def _state_of(document: Document, now: int) -> ExperimentState:
    if "stopped" in document:
        return ExperimentState.STOPPED
    if now < read_moment(document["starts"]):
        return ExperimentState.PLANNED
    is_running = now < read_moment(document["ends"])
    return ExperimentState.RUNNING if is_running else ExperimentState.ENDED


def _invalid(problems: list[RuleProblem]) -> Invalid:
    errors = [{"field": problem.field, "problem": problem.sentence} for problem in problems]
    detail = "; ".join(f"{error['field']}: {error['problem']}" for error in errors[:5])
    return Invalid(detail, errors=errors[:100])


EXPERIMENT: Final = "/v1/experiments/{experiment_id:id}"
NOT_FOUND: Final = {404: problem_schema("There is no experiment of that id.")}
COLLIDES: Final = {409: problem_schema("It has begun, or collides with another experiment.")}
RUNS: Final = {409: problem_schema("The experiment runs.")}
RUNS_NOT: Final = {409: problem_schema("The experiment does not run.")}
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/experiments",
        get_experiments,
        summary="List experiments",
        tag=Tag.EXPERIMENTS,
        answer=ExperimentsAnswer,
        route_class=QueryRoute,
    ),
    Operation(
        "GET",
        EXPERIMENT,
        get_experiment,
        summary="Read an experiment",
        tag=Tag.EXPERIMENTS,
        answer=ExperimentDocument,
        responses=PROBLEMS | NOT_FOUND,
        route_class=BareRoute,
    ),
    Operation(
        "PUT",
        EXPERIMENT,
        put_experiment,
        summary="Create or replace an experiment",
        tag=Tag.EXPERIMENTS,
        answer=ExperimentDocument,
        responses=PROBLEMS | TOO_LARGE | COLLIDES,
        route_class=BareRoute,
    ),
    Operation(
        "POST",
        f"{EXPERIMENT}/stop",
        stop_experiment,
        summary="Stop a running experiment",
        tag=Tag.EXPERIMENTS,
        answer=ExperimentDocument,
        responses=PROBLEMS | NOT_FOUND | RUNS_NOT,
    ),
    Operation(
        "DELETE",
        EXPERIMENT,
        delete_experiment,
        summary="Delete an experiment",
        tag=Tag.EXPERIMENTS,
        answer=StoredExperiment,
        responses=PROBLEMS | NOT_FOUND | RUNS,
        route_class=BareRoute,
    ),
    Operation(
        "GET",
        "/v1/holdout",
        get_holdout,
        summary="Read the holdout",
        tag=Tag.EXPERIMENTS,
        answer=HoldoutDocument,
    ),
    Operation(
        "PUT",
        "/v1/holdout",
        put_holdout,
        summary="Set the holdout",
        tag=Tag.EXPERIMENTS,
        answer=HoldoutDocument,
        responses=PROBLEMS | TOO_LARGE,
    ),
)
