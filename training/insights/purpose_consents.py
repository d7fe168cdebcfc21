"""Who allows a purpose, by the answers that a model has learned and those of the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from sqlalchemy import select

from models.data.customers import MEASURE, NEVER_ASKED, NO, YES
from models.recommender import Recommender
from training.reading.service_store import (
    NOTHING_LOST,
    LostConsents,
    StoreReader,
    Tombstones,
    consents,
)

Answer = tuple[int, int]  # of models.data.customers, and when: seconds since 1970
NO_ANSWER: Final[Answer] = (NEVER_ASKED, 0)
NOBODY_ERASED: Final = Tombstones(b"", frozenset())


@dataclass(frozen=True)
class PurposeConsents:
    """Hold the answers about a purpose."""

    purpose: int  # of models.data.customers
    answers: Mapping[str, int]  # YES or NO, of everyone who was asked
    unasked: int  # YES or NO: of all others
    lost: LostConsents
    tombstones: Tombstones

    @classmethod
    def read(
        cls,
        store: StoreReader | None,
        learned: Recommender | None,
        unasked: int,
        purpose: int = MEASURE,
    ) -> Self:
        """Read the answers of a store and of a model, where there are such.

        The later of two answers counts, the store's of two at the same time. A no that came after
        the training is later than anything that was learned.
        """
        answers = _learned_answers(learned, purpose)
        if store is None:
            values = {customer_id: value for customer_id, (value, _) in answers.items()}
            return cls(purpose, values, unasked, NOTHING_LOST, NOBODY_ERASED)
        position = _learned_number(store, learned)
        columns = (consents.c[name] for name in ("customer_id", "value", "time", "number"))
        query = select(*columns).where(consents.c.purpose == purpose)
        for customer_id, value, time, number in store.connection.execute(query):
            is_later = time >= answers.get(customer_id, NO_ANSWER)[1]
            if is_later or (value == NO and number > position):
                answers[customer_id] = (value, time)
        values = {customer_id: value for customer_id, (value, _) in answers.items()}
        return cls(purpose, values, unasked, store.lost_consents(), store.tombstones())

    def refused(self, customer_ids: Iterable[str]) -> list[str]:
        """Return those of some customers who do not allow the purpose, or were erased."""
        return [customer_id for customer_id in customer_ids if not self._allows(customer_id)]

    def _allows(self, customer_id: str) -> bool:
        if self.answers.get(customer_id, self.unasked) != YES:
            return False
        return not (
            self.lost.cover(customer_id, self.purpose) or self.tombstones.cover(customer_id)
        )


def _learned_answers(learned: Recommender | None, purpose: int) -> dict[str, Answer]:
    if learned is None:
        return {}
    customers = learned.model.customers
    answers = customers.consent[:, purpose]
    users = np.flatnonzero(answers != NEVER_ASKED)
    return {
        customers.ids[user]: (int(answers[user]), int(customers.consent_time[user, purpose]))
        for user in users.tolist()
    }


def _learned_number(store: StoreReader, learned: Recommender | None) -> int:
    """Return up to which number of this store a model has learned; 0 for nothing of it."""
    if learned is None or not learned.manifest.event_mark:
        return 0
    manifest = learned.manifest
    held = store.holds(manifest.event_position, manifest.event_mark)
    return manifest.event_position if held else 0
