"""Mails that a campaign would send now: whose are due, why, and what they would show."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import orjson

from models.data.ids import Ids
from models.mail.mailings import Mailing
from models.slate import Strategy
from service.answering.query import RecommendationQuery
from service.answering.responder import Responder
from service.errors import StoreUnavailable

MOST_LOOKED_AT: Final = 200  # customers, of whom few may be due
PERSONAL: Final = (Strategy.PERSONAL, Strategy.SESSION)
# The number of a customer's newest event, below 0, or 0 for one the model alone knows; the id
Place = tuple[int, str]


@dataclass(frozen=True)
class DueMails:
    """Hold the mails that are due of the customers who were looked at."""

    mails: list[dict[str, Any]]  # answers to their queries
    looked_at: int
    last: Place | None  # of them; None: there are no others


def find_due_mails(
    responder: Responder,
    query: RecommendationQuery,
    mailing: Mailing,
    told: Sequence[tuple[int, str]],
    after: Place | None,
    limit: int,
) -> DueMails:
    """Return at most `limit` mails that are due, by the path that sends them; in a thread.

    `told`: the newest change and the id of customers whom the shop told of. A mail that goes to all
    is due for those whose slate would be personal. Raises NoModel and StoreUnavailable.
    """
    model = responder.model()
    candidates = iter_candidates(model.recommender.model.customers.ids, told, after)
    mails, looked_at, last = [], 0, None
    for place in islice(candidates, MOST_LOOKED_AT):
        computed = responder.compute_recorded(model, query.about(customer_id=place[1]))
        if computed.stamp is None:
            raise StoreUnavailable
        looked_at, last = looked_at + 1, place
        answer = orjson.loads(computed.answer.body_for(place[1]))
        goes_to_all = mailing.find_occasion is None and answer["strategy"] in PERSONAL
        if answer["occasion"] or goes_to_all:
            mails.append(answer)
        if len(mails) == limit:
            break
    return DueMails(mails, looked_at, last if next(candidates, None) else None)


def iter_candidates(
    learned: Ids, told: Sequence[tuple[int, str]], after: Place | None
) -> Iterator[Place]:
    """Yield the places of customers: whom the shop told of last, then the others, by their ids.

    `learned`: the ids of those the model knows, sorted.
    """
    places = [(-number, customer_id) for number, customer_id in told]
    yield from (place for place in places if after is None or place > after)
    seen = {customer_id for _, customer_id in told}
    start = bisect_right(learned, after[1]) if after is not None and after[0] == 0 else 0
    for index in range(start, len(learned)):
        if learned[index] not in seen:
            yield 0, learned[index]
