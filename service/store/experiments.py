"""Experiments and the holdout as the store holds them, with the secret that assigns by chance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from models.experiments.holdout import HOLDOUT
from models.rules.shop_rules import format_moment, read_moment
from service.store.shop_documents import Document, ShopDocuments
from service.store.tables import experiments, secrets
from service.store.writer import Change

ASSIGNING_KEY: Final = "experiments"  # name in the table `secrets`
EXPERIMENTS: Final = ShopDocuments(experiments, "experiment")
HOLDOUTS: Final = ShopDocuments(experiments, HOLDOUT)  # one document, among the experiments
GUARDRAIL: Final = "guardrail"  # who stops a variant that does harm, for the audit log
VARIANT_STOPPED: Final = "variant stopped"


@dataclass(frozen=True)
class ExperimentDocuments:
    """Hold what the store knows of experiments."""

    secret: bytes
    experiments: tuple[Document, ...]  # ordered by id
    holdout: Document | None


def read_documents(connection: Connection) -> ExperimentDocuments:
    documents = EXPERIMENTS.read_all(connection)
    holdout = documents.pop(HOLDOUT, None)
    return ExperimentDocuments(read_secret(connection), tuple(documents.values()), holdout)


def read_secret(connection: Connection) -> bytes:
    """Return the secret of this store that all keys of assignments are derived from."""
    query = select(secrets.c.value).where(secrets.c.name == ASSIGNING_KEY)
    return bytes(connection.execute(query).scalar_one())


def served_versions(connection: Connection, now: int) -> set[str]:
    """Return the versions of models that variants of running experiments answer with."""
    versions = set()
    for document in read_documents(connection).experiments:
        if read_moment(document["ends"]) > now and "stopped" not in document:
            variants = document["variants"]
            versions |= {part["model_version"] for part in variants if "model_version" in part}
    return versions


@dataclass(frozen=True)
class HarmfulVariant:
    """Hold a variant that crossed a guardrail."""

    experiment_id: str
    starts: int  # of the experiment: another one may have its id by now
    variant: str
    facts: Mapping[str, Any]  # what was crossed, and how far: JSON values


def find_unstopped(
    connection: Connection, harmful: Iterable[HarmfulVariant], now: int
) -> list[HarmfulVariant]:
    """Return those of some variants that are still running."""
    documents = {document["id"]: document for document in read_documents(connection).experiments}
    return [one for one in harmful if _runs(documents.get(one.experiment_id), one, now)]


def stop_variants(change: Change, harmful: Iterable[HarmfulVariant], now: int) -> list[str]:
    """Stop variants that are still running, for good; return what was stopped, for the log."""
    stopped = []
    for one in find_unstopped(change.connection, harmful, now):
        document = EXPERIMENTS.read_all(change.connection)[one.experiment_id]
        stop = {"variant": one.variant, "stopped": format_moment(now), **one.facts}
        stops = [*document.get("stopped_variants", ()), stop]
        changed = {**document, "stopped_variants": stops}
        EXPERIMENTS.put(
            change, one.experiment_id, changed, time=now, actor=GUARDRAIL, action=VARIANT_STOPPED
        )
        stopped.append(f"{one.experiment_id}, variant {one.variant}: {one.facts['metric']}")
    return stopped


def _runs(document: Document | None, one: HarmfulVariant, now: int) -> bool:
    if document is None or read_moment(document["starts"]) != one.starts:
        return False
    is_running = now < read_moment(document.get("stopped", document["ends"]))
    is_stopped = one.variant in {stop["variant"] for stop in document.get("stopped_variants", ())}
    # The control is what the others are compared with: nothing stops it but the experiment's end
    others = [part["name"] for part in document["variants"][1:]]
    return is_running and not is_stopped and one.variant in others
