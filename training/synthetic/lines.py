"""The order lines of a seeded shop, a chunk of customers at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.shop import (
    END,
    FAVOURITES,
    REGULARS,
    SOUTHERN,
    YEAR,
    Floats,
    Ints,
    SyntheticShop,
    shares,
)

Flags = NDArray[np.bool_]

DAY: Final = 86_400  # seconds
OPEN, CLOSED = 7 * 3600, 22 * 3600  # seconds of the day
TASTE: Final = (0.5, 0.3, 0.2)  # how a customer's wishes divide among the favourite categories
FAITHFUL: Final = 0.8  # wishes from a favourite category
REGULAR_SHARE, RUN_AT_LEAST, STILL_GOING = 0.4, 3, 0.8
NEW_VISIT, PAIRED = (
    0.25,
    1 / 3,
)  # chance that a line opens a visit; that a later one is the pair of the line before
PROMOTED, RETURNED, GUESTS = 0.1, 0.02, 0.05
CHUNK: Final = 1_000_000  # lines made at a time; another number is another shop


@dataclass(frozen=True, eq=False)
class Lines:
    """n order lines. `customer` is -1 for guests, `visitor` tells customers and guests of the chunk apart."""

    visitor: Ints
    customer: Ints
    market: Ints
    product: Ints
    time: Ints  # seconds since 1970
    order: Ints
    quantity: Ints
    unit_price: Floats


def order_lines(
    shop: SyntheticShop, purchases: int, seed: int, chunk: int = CHUNK
) -> Iterator[Lines]:
    """All lines, customer by customer, then the guests; about `chunk` at a time, which is part of the seed."""
    guest_lines = round(purchases * GUESTS)
    # Rounded running totals: whole numbers of lines, in proportion to activity, with the exact sum
    bounds = np.concatenate(
        [[0], np.rint(np.cumsum(shop.activity) * (purchases - guest_lines)).astype(np.int64)]
    )
    bounds[-1] = purchases - guest_lines
    order, number, first = 1, 3, 0
    while first < len(shop.market):
        last = max(first + 1, int(np.searchsorted(bounds, bounds[first] + chunk, side="right")) - 1)
        rng = np.random.default_rng([seed, number])
        members = np.arange(first, last)
        lines = _customer_lines(shop, members, np.diff(bounds[first : last + 1]), order, rng)
        yield lines
        order, number, first = order + len(lines.order), number + 1, last
    for done in range(0, guest_lines, chunk):
        rng = np.random.default_rng([seed, number])
        yield _guest_lines(shop, min(chunk, guest_lines - done), order, rng)
        order, number = order + chunk, number + 1


def _customer_lines(
    shop: SyntheticShop, members: Ints, counts: Ints, order: int, rng: Generator
) -> Lines:
    """`counts` lines of each member: runs of regulars, lines by taste, and returns of both."""
    returned = np.minimum(rng.binomial(counts, RETURNED), counts // 2)
    bought = counts - returned
    runs = _runs(shop, members, bought)
    owner, product, day = _regular_lines(shop, members, runs, rng)
    free = np.repeat(np.arange(len(members)), bought - runs.sum(axis=1))
    free_day, free_pair = _visits(free, shop.days, rng)
    free_product = _choices(
        shop, shop.favourites[members[free]], shop.market[members[free]], free_day, free_pair, rng
    )
    visitor = np.concatenate([owner, free])
    product, day = np.concatenate([product, free_product]), np.concatenate([day, free_day])
    by_visit = np.lexsort((product, day, visitor))
    lines = _priced(
        shop,
        visitor[by_visit],
        members,
        shop.market[members],
        product[by_visit],
        day[by_visit],
        order,
        rng,
    )
    return _with_returns(lines, returned, rng)


def _guest_lines(shop: SyntheticShop, count: int, order: int, rng: Generator) -> Lines:
    """Orders of guests: one visit each, by a taste of the moment."""
    visitor = np.cumsum(rng.random(count) < NEW_VISIT).astype(np.int64)
    guests = int(visitor[-1]) + 1
    market = (rng.random(guests) < SOUTHERN).astype(np.int64)
    tastes = rng.choice(len(shop.category_share), (guests, FAVOURITES), p=shop.category_share)
    day = rng.integers(0, shop.days, guests)[visitor]
    paired = _pairable(np.diff(visitor, prepend=-1) > 0, rng)
    product = _choices(shop, tastes[visitor], market[visitor], day, paired, rng)
    return _priced(shop, visitor, np.full(guests, -1), market, product, day, order, rng)


def _runs(shop: SyntheticShop, members: Ints, bought: Ints) -> Ints:
    """Purchases of each regular of each member: (members, 3), 0 or at least RUN_AT_LEAST."""
    left = (bought * REGULAR_SHARE).astype(np.int64)
    runs = np.zeros((len(members), REGULARS), np.int64)
    for slot in range(REGULARS):
        regular = shop.regulars[members, slot]
        fits = np.where(regular >= 0, shop.days // np.maximum(1, shop.interval_days[regular]), 0)
        run = np.minimum(fits, left)
        runs[:, slot] = np.where(run >= RUN_AT_LEAST, run, 0)
        left -= runs[:, slot]
    return runs


def _regular_lines(
    shop: SyntheticShop, members: Ints, runs: Ints, rng: Generator
) -> tuple[Ints, Ints, Ints]:
    """Row in `members`, product and day of every purchase of a run."""
    row, slot = np.nonzero(runs)
    length, product = runs[row, slot], shop.regulars[members[row], slot]
    interval = shop.interval_days[product]
    alive = rng.random(len(row)) < STILL_GOING
    days = shop.days
    last = np.where(
        alive, rng.integers(days - interval, days), rng.integers((length - 1) * interval, days)
    )
    run = np.repeat(np.arange(len(row)), length)
    before_last = np.repeat(np.cumsum(length), length) - 1 - np.arange(len(run))
    late = np.rint(interval[run] * rng.uniform(-0.1, 0.1, len(run))).astype(np.int64)
    day = np.clip(last[run] - before_last * interval[run] + late, 0, days - 1)
    return row[run], product[run], day


def _visits(owner: Ints, days: int, rng: Generator) -> tuple[Ints, Flags]:
    """Split lines, sorted by owner, into visits: the day of each line, and which are to be pairs of the line before."""
    opens = (rng.random(len(owner)) < NEW_VISIT) | (np.diff(owner, prepend=-1) > 0)
    visit = np.cumsum(opens) - 1
    day = rng.integers(0, days, len(owner))[visit]
    return day, _pairable(opens, rng)


def _pairable(opens: Flags, rng: Generator) -> Flags:
    """Lines that follow another in their visit, drawn with PAIRED, and never two in a row."""
    drawn = ~opens & (rng.random(len(opens)) < PAIRED)
    drawn[1:] &= ~drawn[:-1]
    return drawn


def _choices(
    shop: SyntheticShop, tastes: Ints, market: Ints, day: Ints, paired: Flags, rng: Generator
) -> Ints:
    """The product of each line, from the tastes of its customer (n, 3), in season, or the pair of the line before."""
    n, k = len(day), len(shop.category_share)
    taste = np.searchsorted(np.cumsum(TASTE)[:-1], rng.random(n))
    category = tastes[np.arange(n), taste]
    elsewhere = rng.random(n) >= FAITHFUL
    category[elsewhere] = rng.choice(k, int(elsewhere.sum()), p=shop.category_share)
    off_season = rng.random(n) >= in_season(shop.peak_day[category], market, day)
    evergreen = (shop.peak_day == 0) * shop.category_share
    instead = shares(
        evergreen if evergreen.any() else shop.category_share
    )  # a tiny shop has seasons alone
    category[off_season] = rng.choice(k, int(off_season.sum()), p=instead)
    product = shop.choose(category, rng)
    follows = np.flatnonzero(paired)
    pair = shop.pair[product[follows - 1]]
    product[follows] = np.where(pair >= 0, pair, product[follows])
    return product


def in_season(peak: Ints, market: Ints, day: Ints) -> Floats:
    """Chance that a wish is bought that day: 1 without season, else 0.05 to 1, in the south half a year later."""
    angle = 2 * np.pi * (day - peak - market * YEAR / 2) / YEAR
    return np.where(peak > 0, 0.525 + 0.475 * np.cos(angle), 1.0)


def _priced(
    shop: SyntheticShop,
    visitor: Ints,
    customer: Ints,
    market: Ints,
    product: Ints,
    day: Ints,
    order: int,
    rng: Generator,
) -> Lines:
    """Lines, sorted by visitor and day, become orders with times and prices. `customer` and `market` are by visitor."""
    n = len(visitor)
    opens = (np.diff(visitor, prepend=-1) != 0) | (np.diff(day, prepend=-1) != 0)
    number = np.cumsum(opens) - 1
    # Between 7 and 22 o'clock, so that a return can follow on the same day
    time = END + (day - shop.days) * DAY + rng.integers(OPEN, CLOSED, n)[number]
    discount = np.where(rng.random(n) < PROMOTED, 0.8, 1.0)
    return Lines(
        visitor=visitor,
        customer=customer[visitor],
        market=market[visitor],
        product=product,
        time=time,
        order=order + number,
        quantity=np.minimum(rng.geometric(0.75, n), 6),
        unit_price=np.maximum(0.01, np.round(shop.price[product] * discount, 2)),
    )


def _with_returns(lines: Lines, returned: Ints, rng: Generator) -> Lines:
    """Append `returned` lines of each visitor, each undoing another purchase, 3 to 20 days later, within the data."""
    n = len(lines.visitor)
    shuffled = np.lexsort((rng.random(n), lines.visitor))
    first = np.searchsorted(lines.visitor, np.arange(len(returned)))
    undone = shuffled[np.arange(n) - first[lines.visitor] < returned[lines.visitor]]
    later = lines.time[undone] + rng.integers(3 * DAY, 20 * DAY, len(undone))
    return Lines(
        visitor=np.append(lines.visitor, lines.visitor[undone]),
        customer=np.append(lines.customer, lines.customer[undone]),
        market=np.append(lines.market, lines.market[undone]),
        product=np.append(lines.product, lines.product[undone]),
        time=np.append(lines.time, np.minimum(later, END - 1)),
        order=np.append(lines.order, lines.order[undone]),
        quantity=np.append(lines.quantity, -lines.quantity[undone]),
        unit_price=np.append(lines.unit_price, lines.unit_price[undone]),
    )
