"""Choose the customers of a file by filters, all of which they must meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, partial
from typing import Final

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.data.customer_figures import CustomerFigures
from models.data.customers import (
    NEVER_ASKED,
    PERSONALIZE_EMAIL,
    PERSONALIZE_WEB,
    TRAIN,
    YES,
    Customers,
)
from models.data.events import DAY, PURCHASE
from models.data.history import LATEST, NEVER, Histories
from models.data.ids import Ids, Strings
from models.data.segments import SEGMENTS, Segment
from models.rules.filter_language import (
    FilterError,
    FilterExpression,
    check_filter,
    parse_filter,
)
from models.rules.filter_mask import find_matching, find_unknown_attributes
from training.errors import InputError
from training.export.current_model import CurrentModel
from training.export.recipients import NO_TIME, Recipients
from training.reading.arrow import to_arrow, to_numbers

BATCH_CUSTOMERS: Final = 50_000
NEW_DAYS: Final = 30  # since the first purchase
ACTIVE_INTERVALS: Final = 1.5  # usual intervals since the last purchase
COOLING_INTERVALS: Final = 3.0
UNKNOWN_INTERVAL_DAYS: Final = 30.0  # in a shop where nobody has bought twice
LONGEST_DAYS: Final = 36_500
FILTERS_TEXT: Final = (
    "bought:DAYS, bought:DAYS:EXPRESSION (docs/filter.md), consent:email, consent:web, "
    "consent:given, market:NAME, activity:new, activity:active, activity:cooling, "
    f"activity:lapsed, segment:NAME ({', '.join(SEGMENTS)}), column:NAME=VALUE, and the kinds of "
    "mails in "
    "docs/mailings.md"
)

Flags = NDArray[np.bool_]
Test = Callable[["CustomerBatch"], Flags]
Filter = Callable[[CurrentModel], Test]


class Activity(StrEnum):
    """A class of customers who have bought, by how long ago they last did."""

    NEW = "new"  # bought for the first time in the last NEW_DAYS
    ACTIVE = "active"  # within ACTIVE_INTERVALS
    COOLING = "cooling"  # within COOLING_INTERVALS
    LAPSED = "lapsed"


@dataclass(frozen=True, eq=False)
class BuyingTimes:
    """Hold when r customers have bought: (r,) each, seconds since 1970 or NEVER."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    days: NDArray[np.int64]  # number of days (UTC) with a purchase

    @property
    def interval_days(self) -> NDArray[np.float64]:
        """Return mean days between days with a purchase: (last - first) / (days - 1)."""
        span = self.last // DAY - self.first // DAY
        interval: NDArray[np.float64] = span / np.maximum(self.days - 1, 1)
        return interval


@dataclass(frozen=True, eq=False)
class BoughtLines:
    """Hold p lines that customers of a batch bought."""

    row: NDArray[np.int64]  # (p,) of the customer in the batch
    time: NDArray[np.int64]  # (p,) seconds since 1970
    item: NDArray[np.int64]  # (p,)
    order: NDArray[np.int64]  # (p,) code of the order, 0 without one

    def __len__(self) -> int:
        return len(self.row)

    def at(self, lines: Flags) -> BoughtLines:
        """Return these lines."""
        return BoughtLines(self.row[lines], self.time[lines], self.item[lines], self.order[lines])

    def followed_by(self, other: BoughtLines) -> BoughtLines:
        """Return these lines and then the others."""
        return BoughtLines(
            np.concatenate([self.row, other.row]),
            np.concatenate([self.time, other.time]),
            np.concatenate([self.item, other.item]),
            np.concatenate([self.order, other.order]),
        )


@dataclass(frozen=True, eq=False)
class CustomerBatch:
    """A batch of r customers, each at a moment."""

    current: CurrentModel
    user: NDArray[np.int32]  # (r,) in the model, -1 for customers it does not know
    store_row: NDArray[np.int32]  # (r,) in the snapshot of the store, -1 likewise
    as_of: NDArray[np.int64]  # (r,) seconds since 1970
    events_until: NDArray[np.int64]  # (r,) what they did up to it counts

    def __len__(self) -> int:
        return len(self.user)

    @cached_property
    def ids(self) -> list[str]:
        """Return the id of each; empty for who is neither in the model nor in the store."""
        learned = self.current.recommender.model.customers.ids
        stored = self.current.snapshot.customers.ids
        return [
            learned[user] if user >= 0 else stored[row] if row >= 0 else ""
            for user, row in zip(self.user.tolist(), self.store_row.tolist(), strict=True)
        ]

    @cached_property
    def counted_lines(self) -> BoughtLines:
        """Find what each has bought, as far as it counts."""
        learned = self._bought_lines(self.current.recommender.model.histories, self.user)
        reported = self._bought_lines(
            self.current.snapshot.histories, self.store_row, self.current.items
        )
        lines = learned.followed_by(reported.at(_unknown_to(learned, reported)))
        return lines.at(self._counts(lines))

    @cached_property
    def buying_times(self) -> BuyingTimes:
        """Find when each has bought."""
        lines = self.counted_lines
        order = np.lexsort((lines.time, lines.row))
        row, time = lines.row[order], lines.time[order]
        begins_row = np.append(True, row[1:] != row[:-1])[: len(row)]
        begins_day = np.append(True, np.diff(time // DAY) != 0)[: len(row)] | begins_row
        first, last = np.full(len(self), NEVER), np.full(len(self), NEVER)
        first[row[begins_row]] = time[begins_row]
        last[row] = time  # of several the last one stays
        return BuyingTimes(first, last, np.bincount(row[begins_day], minlength=len(self)))

    def last_bought(self, items: Flags) -> NDArray[np.int64]:
        """Find when each last bought one of these products (items,): (r,), NEVER for none."""
        lines = self.counted_lines
        lines = lines.at(items[lines.item])
        last = np.full(len(self), NEVER)
        np.maximum.at(last, lines.row, lines.time)
        return last

    def _bought_lines(
        self,
        histories: Histories,
        history_rows: NDArray[np.int32],
        items: NDArray[np.int32] | None = None,
    ) -> BoughtLines:
        """Find all purchases of the batch. `items`: those of the products that events index."""
        starts = histories.indptr[history_rows]  # of -1: the end of all, and of no length
        sizes = np.where(history_rows < 0, 0, histories.indptr[history_rows + 1] - starts)
        row = np.repeat(np.arange(len(history_rows)), sizes)
        line = np.arange(len(row)) + np.repeat(starts - np.cumsum(sizes) + sizes, sizes)
        events = histories.events
        bought = events.kind[line] == PURCHASE
        row, line = row[bought], line[bought]
        item = events.item[line] if items is None else items[events.item[line]]
        lines = BoughtLines(
            row, events.time[line], item.astype(np.int64), events.order[line].astype(np.int64)
        )
        return lines.at(item >= 0)

    def _counts(self, lines: BoughtLines) -> Flags:
        """Return which lines count by their time and are not struck out."""
        counts: Flags = lines.time <= self.events_until[lines.row]
        struck = self.current.snapshot.struck
        if len(struck):
            struck_pairs = _pair_key(struck[:, 0], self.current.items[struck[:, 1]])
            bought_pairs = _pair_key(self.store_row[lines.row], lines.item)
            counts &= ~np.isin(bought_pairs, struck_pairs)
        return counts


def _pair_key(first: NDArray[np.int32], second: NDArray[np.integer]) -> NDArray[np.int64]:
    key: NDArray[np.int64] = first.astype(np.int64) << 32 | second
    return key


def _unknown_to(learned: BoughtLines, reported: BoughtLines) -> Flags:
    """Return which reported lines are new: of one customer, order and product one line counts.

    models.updates.customer.update_history does the same for one customer.
    """
    same_customers = learned.at(np.isin(learned.row, reported.row))
    lines = same_customers.followed_by(reported)
    _, line_key = np.unique(lines.item << 32 | lines.order, return_inverse=True)
    _, first_lines = np.unique(lines.row * len(lines) + line_key, return_index=True)
    is_first = np.zeros(len(lines), np.bool_)
    is_first[first_lines] = True
    counts: Flags = is_first[len(same_customers) :] | (reported.order == 0)
    return counts


def filter_of(text: str) -> Filter:
    """Return the filter that a text such as those of FILTERS_TEXT names.

    Raises InputError naming the text.
    """
    name, _, value = text.partition(":")
    if name not in FILTERS:
        raise _error(text, f"is no filter; known are {FILTERS_TEXT}")
    try:
        return FILTERS[name](value)
    except FilterError as error:
        raise _error(text, f"its filter is wrong {error}") from None
    except ValueError as expected:
        raise _error(text, f"expected {expected}") from None


def choose(recipients: Recipients, filters: Sequence[Filter], current: CurrentModel) -> Recipients:
    """Return the recipients who meet every filter, in their order.

    Raises InputError for a market without customers.
    """
    tests = [bind(current) for bind in filters]
    user = _find_all(recipients.ids, current.recommender.model.customers.ids)
    store_row = _find_all(recipients.ids, current.snapshot.customers.ids)
    if len(current.snapshot.erased):
        user[[current.snapshot.forgotten(customer_id) for customer_id in recipients.ids]] = -1
    at_shop_time = recipients.as_of == NO_TIME
    as_of = np.where(at_shop_time, current.as_of, recipients.as_of)
    events_until = np.where(at_shop_time, LATEST, recipients.as_of)
    meets_all = np.ones(len(recipients), np.bool_)
    for start in range(0, len(recipients), BATCH_CUSTOMERS):
        rows = slice(start, start + BATCH_CUSTOMERS)
        batch = CustomerBatch(current, user[rows], store_row[rows], as_of[rows], events_until[rows])
        for test in tests:
            meets_all[rows] &= test(batch)
    return recipients.at(np.flatnonzero(meets_all))


def _find_all(names: Strings, ids: Ids) -> NDArray[np.int32]:
    return to_numbers(pc.index_in(to_arrow(names), value_set=to_arrow(ids)), np.int32, -1)


def _bought_filter(value: str) -> Filter:
    days, _, products = value.partition(":")
    if not days.isdecimal() or not 1 <= int(days) <= LONGEST_DAYS:
        raise ValueError(f"a whole number of days from 1 to {LONGEST_DAYS}, such as bought:90")
    seconds = int(days) * DAY
    if not products:
        return lambda _: partial(_bought_within, seconds)
    return partial(_bought_products_test, seconds, parse_filter(check_filter(products)))


def _bought_products_test(
    seconds: int, expression: FilterExpression, current: CurrentModel
) -> Test:
    catalogue = current.recommender.catalogue
    if unknown := find_unknown_attributes(expression, catalogue):
        raise InputError(f"--audience bought: no product has {', '.join(unknown)}")
    return partial(_bought_products_within, seconds, find_matching(expression, catalogue))


def _bought_products_within(seconds: int, items: Flags, batch: CustomerBatch) -> Flags:
    recent: Flags = batch.last_bought(items) > batch.as_of - seconds
    return recent


def _bought_within(seconds: int, batch: CustomerBatch) -> Flags:
    recent: Flags = batch.buying_times.last > batch.as_of - seconds
    return recent


def _consent_filter(value: str) -> Filter:
    purposes = {"email": PERSONALIZE_EMAIL, "web": PERSONALIZE_WEB, "given": PERSONALIZE_EMAIL}
    if value not in purposes:
        raise ValueError(f"one of {', '.join(purposes)}")
    purpose = purposes[value]
    if value == "given":
        return lambda _: partial(_allows, purpose, NEVER_ASKED)
    return lambda current: partial(_allows, purpose, current.unasked)


def _allows(purpose: int, unasked: int, batch: CustomerBatch) -> Flags:
    """Return whether the later answer is a yes, as models.updates.customer.allows does for one."""
    customers = batch.current.recommender.model.customers
    learned, learned_time = _answers(customers, purpose, batch.user)
    reported, reported_time = _answers(batch.current.snapshot.customers, purpose, batch.store_row)
    is_later = (learned == NEVER_ASKED) | (reported_time >= learned_time)
    answer = np.where((reported != NEVER_ASKED) & is_later, reported, learned)
    allowed: Flags = np.where(answer == NEVER_ASKED, unasked, answer) == YES
    return allowed


def _answers(
    customers: Customers, purpose: int, rows: NDArray[np.int32]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the consent of each of these rows and its time; NEVER_ASKED at 0 for row -1."""
    known = rows >= 0
    answers = np.full(len(rows), NEVER_ASKED, np.uint8)
    times = np.zeros(len(rows), np.int64)
    answers[known] = customers.consent[rows[known], purpose]
    times[known] = customers.consent_time[rows[known], purpose]
    return answers, times


def _market_filter(value: str) -> Filter:
    if not value:
        raise ValueError("the name of a market, such as market:SE")
    return partial(_market_test, value)


def _market_test(name: str, current: CurrentModel) -> Test:
    customers = current.recommender.model.customers
    code = customers.market_names.find(name)
    if code < 0 or not (customers.market == code).any():
        known = ", ".join(customers.market_names)
        raise _error(f"market:{name}", f"is the market of nobody; known are {known}")
    return partial(_in_market, code)


def _in_market(code: int, batch: CustomerBatch) -> Flags:
    market = batch.current.recommender.model.customers.market
    inside: Flags = (batch.user >= 0) & (market[batch.user] == code)
    return inside


def _segment_filter(value: str) -> Filter:
    if value not in SEGMENTS:
        raise ValueError(f"one of {', '.join(SEGMENTS)}")
    return partial(_segment_test, Segment(value))


def _segment_test(segment: Segment, current: CurrentModel) -> Test:
    if current.figures is None:
        problem = "nobody is in a segment yet; compute them with: regulars insights"
        raise _error(f"segment:{segment}", problem)
    return partial(_in_segment, SEGMENTS.index(segment), current.figures, current.unasked)


def _in_segment(code: int, figures: CustomerFigures, unasked: int, batch: CustomerBatch) -> Flags:
    """Return who is in a segment, allows what it is made of, and mails that act on it."""
    allowed = _allows(TRAIN, unasked, batch) & _allows(PERSONALIZE_EMAIL, unasked, batch)
    inside: Flags = allowed & (figures.find_segments(batch.ids) == code)
    return inside


def _column_filter(value: str) -> Filter:
    name, separator, wanted = value.partition("=")
    if not (name and separator and wanted):
        raise ValueError("a column of the customers file and a value, such as column:tier=gold")
    return partial(_column_test, name, wanted)


def _column_test(name: str, value: str, current: CurrentModel) -> Test:
    columns = current.recommender.model.customers.columns
    known = columns.values_of(name)
    if name not in list(columns.names):
        listed = ", ".join(columns.names) or "none"
        problem = f"the model knows no such column; [customers] columns named: {listed}"
        raise _error(f"column:{name}={value}", problem)
    if value not in known:
        problem = f"is the {name} of nobody; known are {', '.join(known)}"
        raise _error(f"column:{name}={value}", problem)
    column, code = list(columns.names).index(name), columns.values.find(value)
    return partial(_has_value, column, code, current.unasked)


def _has_value(column: int, code: int, unasked: int, batch: CustomerBatch) -> Flags:
    """Return who has a value in a column, and allows what acting on it takes."""
    codes = batch.current.recommender.model.customers.columns.code
    allowed = _allows(TRAIN, unasked, batch) & _allows(PERSONALIZE_EMAIL, unasked, batch)
    inside: Flags = allowed & (batch.user >= 0) & (codes[batch.user, column] == code)
    return inside


def _activity_filter(value: str) -> Filter:
    if value not in list(Activity):
        raise ValueError(f"one of {', '.join(Activity)}")
    activity = Activity(value)
    return lambda current: partial(_has_activity, activity, usual_interval_days(current))


def _has_activity(activity: Activity, usual_days: float, batch: CustomerBatch) -> Flags:
    times = batch.buying_times
    interval = np.where(times.days > 1, times.interval_days, usual_days) * DAY
    silence = batch.as_of - times.last
    classes = np.select(
        [silence <= ACTIVE_INTERVALS * interval, silence <= COOLING_INTERVALS * interval],
        [Activity.ACTIVE, Activity.COOLING],
        Activity.LAPSED,
    )
    is_new = times.first > batch.as_of - NEW_DAYS * DAY
    classes = np.where(is_new, Activity.NEW, classes)
    matches: Flags = (times.days > 0) & (classes == activity)
    return matches


def usual_interval_days(current: CurrentModel) -> float:
    """Return the median interval between purchases of customers who came again.

    At most BATCH_CUSTOMERS of the model are looked at.
    """
    customers = len(current.recommender.model.customers)
    step = max(-(-customers // BATCH_CUSTOMERS), 1)
    user = np.arange(0, customers, step).astype(np.int32)
    not_in_store = np.full(len(user), -1, np.int32)
    as_of = np.full(len(user), current.recommender.manifest.data_as_of)
    times = CustomerBatch(current, user, not_in_store, as_of, as_of).buying_times
    came_again = times.days > 1
    if not came_again.any():
        return UNKNOWN_INTERVAL_DAYS
    return float(np.median(times.interval_days[came_again]))


FILTERS: Final[Mapping[str, Callable[[str], Filter]]] = {
    "bought": _bought_filter,
    "consent": _consent_filter,
    "market": _market_filter,
    "activity": _activity_filter,
    "segment": _segment_filter,
    "column": _column_filter,
}


def _error(text: str, problem: str) -> InputError:
    return InputError(f"--audience {text}: {problem}")
