"""Whom a file is for: filters, all of which a customer must meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, partial
from typing import Final

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.data.customers import NEVER_ASKED, PERSONALIZE_EMAIL, PERSONALIZE_WEB, YES
from models.data.events import DAY, PURCHASE
from models.data.history import NEVER, Histories
from models.data.ids import Ids, Strings
from training.errors import InputError
from training.export.current_model import CurrentModel
from training.export.recipients import NO_MOMENT, Recipients
from training.reading.arrow import numbers, texts

TOGETHER: Final = 50_000  # customers whose purchases are looked at at a time
NEW_DAYS: Final = 30  # since the first purchase
ACTIVE: Final = 1.5  # usual intervals since the last purchase
COOLING: Final = 3.0
UNKNOWN_INTERVAL: Final = 30.0  # days, in a shop where nobody has bought twice
MOST_DAYS: Final = 36_500
KNOWN: Final = (
    "bought:DAYS, consent:email, consent:web, consent:given, market:NAME, activity:new, activity:active, "
    "activity:cooling, activity:lapsed, and the kinds of mails in docs/mailings.md"
)

Purchased = NDArray[
    np.int64
]  # (4, p): who of a crowd bought, when, which item, and the code of the order
Chosen = NDArray[np.bool_]
Test = Callable[["Crowd"], Chosen]
Filter = Callable[[CurrentModel], Test]


class Activity(StrEnum):
    NEW = "new"  # bought for the first time in the last NEW_DAYS
    ACTIVE = "active"  # bought within ACTIVE of their usual intervals
    COOLING = "cooling"  # within COOLING
    LAPSED = "lapsed"


@dataclass(frozen=True, eq=False)
class Bought:
    """What r customers have bought: (r,) each, seconds since 1970 or NEVER."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    days: NDArray[np.int64]  # days (UTC) with a purchase


@dataclass(frozen=True, eq=False)
class Crowd:
    """r customers, each at a moment."""

    now: CurrentModel
    user: NDArray[np.int32]  # (r,) in the model, -1 where it knows nothing of them
    place: NDArray[np.int32]  # (r,) in the store
    as_of: NDArray[np.int64]  # (r,) seconds since 1970

    def __len__(self) -> int:
        return len(self.user)

    @cached_property
    def bought(self) -> Bought:
        learned = self._purchases(self.now.recommender.model.histories, self.user)
        told = self._purchases(self.now.live.histories, self.place, self.now.items)
        lines = np.concatenate([learned, told[:, _first_told(told, learned)]], axis=1)
        who, time = lines[:2, self._counts(lines)]
        order = np.lexsort((time, who))
        who, time = who[order], time[order]
        begins = np.append(True, who[1:] != who[:-1])[: len(who)]
        first, last = np.full(len(self), NEVER), np.full(len(self), NEVER)
        first[who[begins]] = time[begins]
        last[who] = time  # of several the last one stays
        days = np.append(True, np.diff(time // DAY) != 0)[: len(who)] | begins
        return Bought(first, last, np.bincount(who[days], minlength=len(self)))

    def _purchases(
        self, histories: Histories, rows: NDArray[np.int32], items: NDArray[np.int32] | None = None
    ) -> Purchased:
        """What the crowd ever bought. `items`: those of the products of these histories."""
        starts = histories.indptr[rows]  # of -1: the end of all, and of no length
        size = np.where(rows < 0, 0, histories.indptr[rows + 1] - starts)
        who = np.repeat(np.arange(len(rows)), size)
        line = np.arange(len(who)) + np.repeat(starts - np.cumsum(size) + size, size)
        events = histories.events
        bought = events.kind[line] == PURCHASE
        who, line = who[bought], line[bought]
        item = events.item[line] if items is None else items[events.item[line]]
        return np.stack([who, events.time[line], item, events.order[line]])[:, item >= 0]

    def _counts(self, purchased: Purchased) -> Chosen:
        """What was bought by then and is not struck out."""
        who, time, item, _ = purchased
        counts: Chosen = time <= self.as_of[who]
        struck = self.now.live.struck
        if len(struck):
            pairs = struck[:, 0].astype(np.int64) << 32 | self.now.items[struck[:, 1]]
            counts &= ~np.isin(self.place[who].astype(np.int64) << 32 | item, pairs)
        return counts


def _first_told(told: Purchased, learned: Purchased) -> Chosen:
    """As models.updates.customer.updated_history: a purchase counts once, by order and product."""
    who, _, item, order = np.concatenate([learned[:, np.isin(learned[0], told[0])], told], axis=1)
    _, line = np.unique(item << 32 | order, return_inverse=True)
    first = np.zeros(len(who), np.bool_)
    first[np.unique(who * len(who) + line, return_index=True)[1]] = True
    counts: Chosen = first[len(who) - told.shape[1] :] | (told[3] == 0)
    return counts


def filter_of(text: str) -> Filter:
    """What is written as in KNOWN. InputError naming the text."""
    name, _, value = text.partition(":")
    if name not in READ:
        raise _wrong(text, f"is no filter; known are {KNOWN}")
    try:
        return READ[name](value)
    except ValueError as expected:
        raise _wrong(text, f"expected {expected}") from None


def chosen(recipients: Recipients, filters: Sequence[Filter], now: CurrentModel) -> Recipients:
    """Those who meet every filter, in their order. InputError for a market of nobody."""
    tests = [one(now) for one in filters]
    user = _places(recipients.ids, now.recommender.model.customers.ids)
    place = _places(recipients.ids, now.live.customers.ids)
    if len(now.live.erased):
        user[[now.live.forgotten(name) for name in recipients.ids]] = -1
    as_of = np.where(recipients.as_of == NO_MOMENT, now.as_of, recipients.as_of)
    kept = np.ones(len(recipients), np.bool_)
    for start in range(0, len(recipients), TOGETHER):
        part = slice(start, start + TOGETHER)
        crowd = Crowd(now, user[part], place[part], as_of[part])
        for test in tests:
            kept[part] &= test(crowd)
    return recipients.at(np.flatnonzero(kept))


def _places(names: Strings, ids: Ids) -> NDArray[np.int32]:
    return numbers(pc.index_in(texts(names), value_set=texts(ids)), np.int32, -1)


def _bought(value: str) -> Filter:
    if not value.isdecimal() or not 1 <= int(value) <= MOST_DAYS:
        raise ValueError(f"a whole number of days from 1 to {MOST_DAYS}, such as bought:90")
    return lambda _: lambda crowd: crowd.bought.last > crowd.as_of - int(value) * DAY


def _consent(value: str) -> Filter:
    purposes = {"email": PERSONALIZE_EMAIL, "web": PERSONALIZE_WEB, "given": PERSONALIZE_EMAIL}
    if value not in purposes:
        raise ValueError(f"one of {', '.join(purposes)}")
    return lambda now: partial(
        _allowed, purposes[value], NEVER_ASKED if value == "given" else now.unasked
    )


def _allowed(purpose: int, unasked: int, crowd: Crowd) -> Chosen:
    """As models.data.customers.Customers.allows, for many."""
    answers, times = [], []
    people = (
        (crowd.now.recommender.model.customers, crowd.user),
        (crowd.now.live.customers, crowd.place),
    )
    for customers, rows in people:
        known = rows >= 0
        answers.append(np.full(len(crowd), NEVER_ASKED, np.uint8))
        times.append(np.zeros(len(crowd), np.int64))
        answers[-1][known] = customers.consent[rows[known], purpose]
        times[-1][known] = customers.consent_time[rows[known], purpose]
    (learned, said), (before, after) = answers, times
    later = (said != NEVER_ASKED) & ((learned == NEVER_ASKED) | (after >= before))
    value = np.where(later, said, learned)
    allowed: Chosen = np.where(value == NEVER_ASKED, unasked, value) == YES
    return allowed


def _market(value: str) -> Filter:
    if not value:
        raise ValueError("the name of a market, such as market:SE")
    return partial(_of_market, value)


def _of_market(name: str, now: CurrentModel) -> Test:
    customers = now.recommender.model.customers
    code = customers.market_names.find(name)
    if code < 0 or not (customers.market == code).any():
        raise _wrong(
            f"market:{name}",
            f"is the market of nobody; known are {', '.join(customers.market_names)}",
        )
    return lambda crowd: (crowd.user >= 0) & (customers.market[crowd.user] == code)


def _activity(value: str) -> Filter:
    if value not in list(Activity):
        raise ValueError(f"one of {', '.join(Activity)}")
    return lambda now: partial(_is, Activity(value), usual_interval(now))


def _is(wanted: Activity, usual_days: float, crowd: Crowd) -> Chosen:
    bought = crowd.bought
    usual = np.where(bought.days > 1, _interval_days(bought), usual_days) * DAY
    since = crowd.as_of - bought.last
    late = np.select(
        [since <= ACTIVE * usual, since <= COOLING * usual],
        [Activity.ACTIVE, Activity.COOLING],
        Activity.LAPSED,
    )
    new = bought.first > crowd.as_of - NEW_DAYS * DAY
    found: Chosen = (bought.days > 0) & (np.where(new, Activity.NEW, late) == wanted)
    return found


def usual_interval(now: CurrentModel) -> float:
    """Days between purchases of the customer in the middle, of those who came again among TOGETHER of the model."""
    customers = len(now.recommender.model.customers)
    user = np.arange(0, customers, max(-(-customers // TOGETHER), 1)).astype(np.int32)
    nobody = np.full(len(user), -1, np.int32)
    bought = Crowd(
        now, user, nobody, np.full(len(user), now.recommender.manifest.data_as_of)
    ).bought
    twice = bought.days > 1
    return float(np.median(_interval_days(bought)[twice])) if twice.any() else UNKNOWN_INTERVAL


def _interval_days(bought: Bought) -> NDArray[np.float64]:
    """Between days with a purchase, on average: (last - first) / (days - 1)."""
    interval: NDArray[np.float64] = (bought.last // DAY - bought.first // DAY) / np.maximum(
        bought.days - 1, 1
    )
    return interval


READ: Final[Mapping[str, Callable[[str], Filter]]] = {
    "bought": _bought,
    "consent": _consent,
    "market": _market,
    "activity": _activity,
}


def _wrong(text: str, problem: str) -> InputError:
    return InputError(f"--audience {text}: {problem}")
