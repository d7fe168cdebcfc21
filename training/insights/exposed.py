"""Who was exposed to an experiment: customers who got or saw a slate of it."""

from __future__ import annotations

from collections.abc import Mapping

import ibis

from training.insights.purpose_consents import PurposeConsents
from training.insights.records import read_records
from training.reading.duckdb import Workspace
from training.reading.service_store import StoreReader


def read_exposed(
    workspace: Workspace, store: StoreReader, measured: PurposeConsents, since: int
) -> Mapping[str, set[str]]:
    """Return the customers who were exposed to each experiment, by its id.

    Deliveries that were recorded count, mails that were fetched, and what pages reported as seen or
    clicked; of each from `since` on, seconds since 1970.
    """
    records = read_records(workspace, store, measured, since, since)
    slates = records.shown.filter(records.shown.experiment.notnull()).select("slate", "experiment")
    parts = [records.deliveries.inner_join(slates, "slate"), records.mails]
    parts += [table.mutate(experiment="id_experiment") for table in (records.seen, records.clicks)]
    pairs = ibis.union(*[part.select("experiment", "viewer") for part in parts], distinct=True)
    customers = pairs.filter(pairs.experiment.notnull() & pairs.viewer.startswith("c"))
    exposed: dict[str, set[str]] = {}
    for row in workspace.connection.to_pyarrow(customers).to_pylist():
        exposed.setdefault(row["experiment"], set()).add(row["viewer"][1:])
    return exposed
