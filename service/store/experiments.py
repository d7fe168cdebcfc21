"""Experiments and the holdout as the store holds them, with the secret that assigns by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from models.experiments.holdout import HOLDOUT
from models.rules.shop_rules import read_moment
from service.store.shop_documents import Document, ShopDocuments
from service.store.tables import experiments, secrets

ASSIGNING_KEY: Final = "experiments"  # name in the table `secrets`
EXPERIMENTS: Final = ShopDocuments(experiments, "experiment")
HOLDOUTS: Final = ShopDocuments(experiments, HOLDOUT)  # one document, among the experiments


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
