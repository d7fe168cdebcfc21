"""Look again at a store, for customers who were erased or said no while a training ran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from models.data.customers import NO, TRAIN, Customers
from models.data.history import Histories
from models.data.ids import Ids, Strings
from models.model import Model
from models.sources.co_purchases import CoPurchases
from training.reading.service_store import Tombstones, open_store, training_customers

NOBODY: Final = Tombstones(b"", frozenset())


@dataclass(frozen=True)
class Refusals:
    """Hold who is erased, and who said no to training, at one moment."""

    tombstones: Tombstones
    noes: Mapping[str, int]  # customer id -> when it was said, seconds since 1970

    @classmethod
    def read(cls, url: str) -> Self:
        """Read them from a store. Raises InputError where it cannot be read."""
        columns = training_customers.c
        said_no = select(columns.customer_id, columns.train_time).where(columns.train == NO)
        with open_store(url, "--purchases") as store, store.connection.begin():
            noes = {row.customer_id: row.train_time for row in store.connection.execute(said_no)}
            return cls(store.tombstones(), noes)


class RefusalWatch:
    """A watch of a store for refusals. Begin it before the store is read."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._seen = Refusals.read(url) if url else Refusals(NOBODY, {})

    def leave_out(self, model: Model) -> Model:
        """Return a model without who refused since the last look; the same one where nobody did.

        An erased customer is not in it at all; one who said no to training has no history and no
        order in it.
        What was summed up over all customers stays as it is. Raises InputError where the store
        cannot be read.
        """
        if self._url is None:
            return model
        seen, self._seen = self._seen, Refusals.read(self._url)
        now = self._seen
        ids = model.customers.ids
        erased = np.zeros(len(ids), bool)
        if now.tombstones.hashes != seen.tombstones.hashes:
            erased[:] = [now.tombstones.cover(customer_id) for customer_id in ids]
        silent = np.zeros(len(ids), bool)
        for customer_id, time in now.noes.items():
            if seen.noes.get(customer_id) != time and (user := ids.find(customer_id)) >= 0:
                silent[user] = True
        if not (erased | silent).any():
            return model
        return replace(
            model,
            customers=_without(model.customers, erased, silent),
            histories=_without_events(model.histories, erased, silent),
            orders=_without_orders(model.orders, erased, silent),
        )


def _without(
    customers: Customers, erased: NDArray[np.bool_], silent: NDArray[np.bool_]
) -> Customers:
    kept = np.flatnonzero(~erased)
    consent = np.array(customers.consent)
    consent[silent, TRAIN] = NO
    said = customers.preferences
    if len(said):
        said = Strings.of(said[user] for user in kept.tolist())
    return Customers(
        preferences=said,
        ids=Ids.of(customers.ids[user] for user in kept.tolist()),
        consent=consent[kept],
        consent_time=customers.consent_time[kept],
        market=customers.market[kept],
        market_names=customers.market_names,
        columns=customers.columns.without(silent).at(kept),
    )


def _without_orders(
    orders: CoPurchases, erased: NDArray[np.bool_], silent: NDArray[np.bool_]
) -> CoPurchases:
    lists = orders.lists.without(erased | silent)
    moved = np.append(np.cumsum(~erased) - 1, -1).astype(np.int32)  # the last one for guests
    return replace(orders, lists=replace(lists, user=moved[lists.user]))


def _without_events(
    histories: Histories, erased: NDArray[np.bool_], silent: NDArray[np.bool_]
) -> Histories:
    counts = np.diff(histories.indptr)
    refused = erased | silent
    rows = ~refused.repeat(counts)
    kept_counts = np.where(refused, 0, counts)[~erased]
    indptr = np.concatenate([[0], np.cumsum(kept_counts)]).astype(np.int64)
    return Histories(indptr, histories.events.at(rows))
