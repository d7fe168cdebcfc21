"""Draw the order lines of a seeded shop, a chunk of customers at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.shapes import YEAR_DAYS
from training.synthetic.shop import (
    END,
    FAVOURITES,
    REGULARS,
    SOUTHERN_SHARE,
    Floats,
    Ints,
    SyntheticShop,
    shares,
)

Flags = NDArray[np.bool_]

DAY: Final = 86_400  # seconds
OPENS: Final = 7 * 3600  # seconds of the day
CLOSES: Final = 22 * 3600
TASTE_SHARES: Final = (0.5, 0.3, 0.2)  # of a customer's wishes, for each favourite category
FAVOURITE_SHARE: Final = 0.8  # of wishes, from a favourite category
SHORTEST_RUN: Final = 3  # purchases of a regular product
SEASON_POWER: Final = 6  # to which the chance of a wish is taken in a shop of strong seasons
ALIVE_SHARE: Final = 0.8  # of runs that still go on at the end
NEW_VISIT_CHANCE: Final = 0.25  # that a line opens a visit
PAIR_CHANCE: Final = 1 / 3  # that a later line of a visit is the pair of the line before
PROMOTED_SHARE: Final = 0.1
RETURNED_SHARE: Final = 0.02
GUEST_SHARE: Final = 0.05
CHUNK_LINES: Final = 1_000_000  # made at a time; another number is another shop


@dataclass(frozen=True, eq=False)
class Lines:
    """Hold n order lines."""

    visitor: Ints  # tells customers and guests of the chunk apart
    customer: Ints  # -1 for guests
    market: Ints
    product: Ints
    time: Ints  # seconds since 1970
    order: Ints
    quantity: Ints
    unit_price: Floats


class _Visitors(NamedTuple):
    """Hold customers and guests of a chunk."""

    customer: Ints  # -1 for guests
    market: Ints


class _Wishes(NamedTuple):
    """Hold what is bought on which day, sorted by visitor and day."""

    visitor: Ints  # row of the visitors
    product: Ints
    day: Ints


def order_lines(
    shop: SyntheticShop, purchases: int, seed: int, chunk: int = CHUNK_LINES
) -> Iterator[Lines]:
    """Yield all lines, customer by customer, then the guests.

    They come about `chunk` at a time, which is part of the seed.
    """
    guest_lines = round(purchases * GUEST_SHARE)
    customer_lines = purchases - guest_lines
    # Rounded running totals: whole numbers of lines, in proportion to activity, with the exact sum
    totals = np.rint(np.cumsum(shop.activity) * customer_lines).astype(np.int64)
    bounds = np.concatenate([[0], totals])
    bounds[-1] = customer_lines
    order, stream, first = 1, 3, 0
    while first < len(shop.market):
        end = int(np.searchsorted(bounds, bounds[first] + chunk, side="right")) - 1
        end = max(first + 1, end)
        rng = np.random.default_rng([seed, stream])
        counts = np.diff(bounds[first : end + 1])
        lines = _customer_lines(shop, np.arange(first, end), counts, order, rng)
        yield lines
        order, stream, first = order + len(lines.order), stream + 1, end
    for start in range(0, guest_lines, chunk):
        rng = np.random.default_rng([seed, stream])
        yield _guest_lines(shop, min(chunk, guest_lines - start), order, rng)
        order, stream = order + chunk, stream + 1


def _customer_lines(
    shop: SyntheticShop, members: Ints, counts: Ints, order: int, rng: Generator
) -> Lines:
    """Draw `counts` lines of each member: runs of regulars, lines by taste, and returns of both."""
    returned = np.minimum(rng.binomial(counts, RETURNED_SHARE), counts // 2)
    bought = counts - returned
    runs = _runs(shop, members, bought)
    regular = _regular_wishes(shop, members, runs, rng)
    visitor = np.repeat(np.arange(len(members)), bought - runs.sum(axis=1))
    day, is_paired = _visits(visitor, shop.days, rng)
    tastes, market = shop.favourites[members[visitor]], shop.market[members[visitor]]
    product = _choices(shop, tastes, market, day, is_paired, rng)
    if shop.shape.pantry:
        product = shop.choose_from_pantry(members[visitor], rng)
    if shop.shape.once:
        product = shop.choose_once(visitor, product, rng)
    wishes = _sorted_wishes(regular, _Wishes(visitor, product, day))
    wishes = _shaped(shop, wishes, rng)
    lines = _priced(shop, _Visitors(members, shop.market[members]), wishes, order, rng)
    return _with_returns(lines, returned, rng)


def _guest_lines(shop: SyntheticShop, count: int, order: int, rng: Generator) -> Lines:
    """Draw orders of guests: one visit each, by a taste of the moment."""
    visitor = np.cumsum(rng.random(count) < NEW_VISIT_CHANCE).astype(np.int64)
    guests = int(visitor[-1]) + 1
    market = (rng.random(guests) < SOUTHERN_SHARE).astype(np.int64)
    tastes = rng.choice(len(shop.category_share), (guests, FAVOURITES), p=shop.category_share)
    day = rng.integers(0, shop.days, guests)[visitor]
    is_paired = _pairable(np.diff(visitor, prepend=-1) > 0, rng)
    product = _choices(shop, tastes[visitor], market[visitor], day, is_paired, rng)
    visitors = _Visitors(np.full(guests, -1), market)
    wishes = _shaped(shop, _Wishes(visitor, product, day), rng)
    return _priced(shop, visitors, wishes, order, rng)


def _shaped(shop: SyntheticShop, wishes: _Wishes, rng: Generator) -> _Wishes:
    """Return the wishes as the shape of the shop has them: of what is sold that day."""
    product = shop.replaced(wishes.product, wishes.day)
    if shop.shape.dominant_share:
        opens = np.diff(wishes.visitor, prepend=-1) != 0
        opens |= np.diff(wishes.day, prepend=-1) != 0
        drawn = opens & (rng.random(len(product)) < shop.shape.dominant_share)
        product = np.where(drawn, shop.ranked[0], product)
    return wishes._replace(product=product)


def _runs(shop: SyntheticShop, members: Ints, bought: Ints) -> Ints:
    """Count purchases of each regular of each member: (members, 3), 0 or at least SHORTEST_RUN."""
    left = (bought * shop.shape.regular_share).astype(np.int64)
    runs = np.zeros((len(members), REGULARS), np.int64)
    for slot in range(REGULARS):
        regular = shop.regulars[members, slot]
        possible = shop.days // np.maximum(1, shop.interval_days[regular])
        run = np.minimum(np.where(regular >= 0, possible, 0), left)
        runs[:, slot] = np.where(run >= SHORTEST_RUN, run, 0)
        left -= runs[:, slot]
    return runs


def _regular_wishes(shop: SyntheticShop, members: Ints, runs: Ints, rng: Generator) -> _Wishes:
    """Draw every purchase of a run."""
    row, slot = np.nonzero(runs)
    length, product = runs[row, slot], shop.regulars[members[row], slot]
    interval = shop.interval_days[product]
    is_alive = rng.random(len(row)) < ALIVE_SHARE
    days = shop.days
    alive_last = rng.integers(days - interval, days)
    lapsed_last = rng.integers((length - 1) * interval, days)
    last = np.where(is_alive, alive_last, lapsed_last)
    run = np.repeat(np.arange(len(row)), length)
    before_last = np.repeat(np.cumsum(length), length) - 1 - np.arange(len(run))
    late = np.rint(interval[run] * rng.uniform(-0.1, 0.1, len(run))).astype(np.int64)
    day = np.clip(last[run] - before_last * interval[run] + late, 0, days - 1)
    return _Wishes(row[run], product[run], day)


def _sorted_wishes(first: _Wishes, second: _Wishes) -> _Wishes:
    visitor = np.concatenate([first.visitor, second.visitor])
    product = np.concatenate([first.product, second.product])
    day = np.concatenate([first.day, second.day])
    order = np.lexsort((product, day, visitor))
    return _Wishes(visitor[order], product[order], day[order])


def _visits(owner: Ints, days: int, rng: Generator) -> tuple[Ints, Flags]:
    """Split lines, sorted by owner, into visits.

    Returns the day of each line, and which lines are to be the pair of the line before.
    """
    opens = (rng.random(len(owner)) < NEW_VISIT_CHANCE) | (np.diff(owner, prepend=-1) > 0)
    visit = np.cumsum(opens) - 1
    day = rng.integers(0, days, len(owner))[visit]
    return day, _pairable(opens, rng)


def _pairable(opens: Flags, rng: Generator) -> Flags:
    """Draw lines that follow another in their visit, with PAIR_CHANCE, and never two in a row."""
    drawn = ~opens & (rng.random(len(opens)) < PAIR_CHANCE)
    drawn[1:] &= ~drawn[:-1]
    return drawn


def _choices(
    shop: SyntheticShop, tastes: Ints, market: Ints, day: Ints, is_paired: Flags, rng: Generator
) -> Ints:
    """Draw the product of each line.

    It is of the tastes of its customer (n, 3), in season, or the pair of the line before.
    """
    n, k = len(day), len(shop.category_share)
    taste = np.searchsorted(np.cumsum(TASTE_SHARES)[:-1], rng.random(n))
    category = tastes[np.arange(n), taste]
    elsewhere = rng.random(n) >= FAVOURITE_SHARE
    category[elsewhere] = rng.choice(k, int(elsewhere.sum()), p=shop.category_share)
    power = SEASON_POWER if shop.shape.seasonal else 1
    off_season = rng.random(n) >= in_season(shop.peak_day[category], market, day) ** power
    evergreen = (shop.peak_day == 0) * shop.category_share
    if evergreen.any():
        instead = rng.choice(k, int(off_season.sum()), p=shares(evergreen))
    else:
        instead = _choose_in_season(shop, market[off_season], day[off_season], power, rng)
    category[off_season] = instead
    product = shop.choose(category, rng)
    paired = np.flatnonzero(is_paired)
    pair = shop.pair[product[paired - 1]]
    product[paired] = np.where(pair >= 0, pair, product[paired])
    return product


def _choose_in_season(
    shop: SyntheticShop, market: Ints, day: Ints, power: int, rng: Generator
) -> Ints:
    """Draw a category of each line, by how much it sells that day."""
    k, row = len(shop.category_share), 2 * day + market
    of_row = np.arange(2 * shop.days)
    chance = in_season(shop.peak_day, of_row[:, None] % 2, of_row[:, None] // 2) ** power
    cumulative = np.cumsum(chance * shop.category_share, axis=1)
    cumulative = cumulative / cumulative[:, -1:] + of_row[:, None]  # each row after the one before
    place = np.searchsorted(cumulative.ravel(), row + rng.random(len(row)))
    return np.minimum(place - row * k, k - 1)


def in_season(peak: Ints, market: Ints, day: Ints) -> Floats:
    """Return the chance that a wish is bought that day.

    1 without season, else 0.05 to 1, in the south half a year later.
    """
    angle = 2 * np.pi * (day - peak - market * YEAR_DAYS / 2) / YEAR_DAYS
    return np.where(peak > 0, 0.525 + 0.475 * np.cos(angle), 1.0)


def _priced(
    shop: SyntheticShop, visitors: _Visitors, wishes: _Wishes, order: int, rng: Generator
) -> Lines:
    """Make orders with times, quantities and prices; `order`: the number of the first."""
    visitor, product, day = wishes
    n = len(visitor)
    opens = (np.diff(visitor, prepend=-1) != 0) | (np.diff(day, prepend=-1) != 0)
    visit = np.cumsum(opens) - 1
    # Between opening and closing, so that a return can follow on the same day
    time = END + (day - shop.days) * DAY + rng.integers(OPENS, CLOSES, n)[visit]
    discount = np.where(rng.random(n) < PROMOTED_SHARE, 0.8, 1.0)
    return Lines(
        visitor=visitor,
        customer=visitors.customer[visitor],
        market=visitors.market[visitor],
        product=product,
        time=time,
        order=order + visit,
        quantity=np.minimum(rng.geometric(0.75, n), 6),
        unit_price=np.maximum(0.01, np.round(shop.price[product] * discount, 2)),
    )


def _with_returns(lines: Lines, returned: Ints, rng: Generator) -> Lines:
    """Append `returned` lines of each visitor.

    Each undoes another purchase, 3 to 20 days later, within the data.
    """
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
