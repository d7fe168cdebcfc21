"""A model fitted by the definitions, with loops and dictionaries: slow, and short enough to read.

Tests of `models` take their models from here. Training fits the same models with sparse matrices;
tests/training/fitting/test_fit.py holds it against these loops.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.data.daily_sales import DailySales
from models.data.events import DAY, KINDS, PURCHASE, RETURN, Events
from models.data.history import NEVER, Histories
from models.data.product_stats import ProductStats
from models.data.title_words import code_family
from models.model import LearnedRanker, Model
from models.settings import (
    BundleSettings,
    FactorSettings,
    HistorySettings,
    KindWeights,
    ModelSettings,
    NeighbourSettings,
    RepeatSettings,
)
from models.sources.als import ItemFactors
from models.sources.co_purchases import CoPurchases, OrderLists
from models.sources.item_neighbours import ItemNeighbours
from models.sources.repurchase import Repurchases
from models.sources.substitutes import Substitutes
from tests.support.shop import CodedLine, ShopRecords

VISIT: Final = {
    KINDS.index(kind) for kind in ("view", "cart", "wishlist", "remove_from_cart", "click")
}
NEVER_AGAIN_DAYS: Final = 36_500.0
Pair = tuple[int, int]  # a customer and a product, or two products


@dataclass
class Order:
    items: set[int]  # those learned from
    customer: int = -1  # -1 is a guest
    time: int = 0


@dataclass
class Habit:
    """What one customer did with one product."""

    purchases: int = 0
    kept: float = 0.0  # purchases less what was sent back
    first: int = NEVER
    last: int = NEVER


def fit_literally(
    records: ShopRecords, settings: ModelSettings, lesson: LearnedRanker | None = None
) -> Model:
    rows, n_items = records.coded_lines, len(records.product_ids)
    as_of = find_shop_time(rows)
    learned = find_learned(rows, settings.history.min_lines)

    def interest(half_life_days: float) -> dict[Pair, float]:
        return sum_interest(rows, learned, as_of, half_life_days, settings.history)

    tastes = interest(settings.factors.half_life_days)
    confidence = {pair: 1 + settings.factors.alpha * value for pair, value in tastes.items()}
    shape = (len(records.customer_ids), n_items)
    factors = fit_item_factors(confidence, shape, learned, settings.factors, settings.seed)
    neighbours = fit_item_neighbours(
        interest(settings.neighbours.half_life_days), n_items, settings.neighbours
    )
    orders = collect_orders(rows, learned)
    co_purchases = fit_co_purchases(orders, n_items, as_of, settings.bundles)
    stats = fit_product_stats(records)
    return Model(
        customers=records.build_customers(),
        catalogue=records.catalogue,
        traits=stats,
        histories=build_histories(records),
        factors=factors.longest_first(),
        neighbours=neighbours,
        orders=co_purchases,
        substitutes=fit_substitutes(
            orders,
            co_purchases,
            neighbours,
            records.catalogue,
            stats.family.tolist(),
            settings.bundles,
        ),
        sales=count_daily_sales(records),
        repeats=fit_repurchases(collect_habits(rows), stats.category.tolist(), settings.repeats),
        lesson=lesson or LearnedRanker.none(),
    )


def find_shop_time(rows: Iterable[CodedLine]) -> int:
    """Go forward day by day; a day that few bought on waits for one on which more do."""
    days: dict[int, list[CodedLine]] = {}
    for row in rows:
        if row.kind == PURCHASE:
            days.setdefault(row.time // DAY, []).append(row)
    passed: list[int] = []  # lines of each day before
    waiting: list[int] = []
    shop_time = 0
    for day in sorted(days):
        sold = days[day]
        waiting.append(len(sold))
        buyers = {row.user if row.user >= 0 else ("guest", row.order) for row in sold}
        usual = sum(passed[-28:]) / len(passed[-28:]) if passed else 0
        if day < min(days) + 7 or len(buyers) >= 3 or len(sold) >= usual / 10:
            passed, waiting = passed + waiting, []
            shop_time = max(row.time for row in sold)
    return shop_time


def find_learned(rows: Iterable[CodedLine], min_lines: int) -> set[int]:
    lines = Counter(row.item for row in rows if row.kind == PURCHASE)
    return {item for item, count in lines.items() if count >= min_lines}


def build_histories(records: ShopRecords) -> Histories:
    rows = [row for row in records.coded_lines if row.user >= 0]
    lengths = Counter(row.user for row in rows)
    indptr = [0]
    for user in range(len(records.customer_ids)):
        indptr.append(indptr[-1] + lengths[user])
    events = Events(
        item=np.array([row.item for row in rows], np.int32),
        time=np.array([row.time for row in rows], np.int64),
        kind=np.array([row.kind for row in rows], np.uint8),
        weight=np.array([row.weight for row in rows], np.float32),
        order=np.array([row.order_code for row in rows], np.uint32),
    )
    return Histories(np.array(indptr, np.int64), events)


def count_daily_sales(records: ShopRecords) -> DailySales:
    rows = records.coded_lines
    shop_time = find_shop_time(rows)
    bought = [row for row in rows if row.kind == PURCHASE and row.time <= shop_time]
    late = [row for row in bought if row.time > shop_time - 7 * DAY]
    late.sort(key=lambda row: row.time)
    lines = Counter((row.time // DAY, row.market, row.item) for row in bought)
    cells = sorted(lines)
    first_day, last_day = cells[0][0], cells[-1][0]
    per_day = Counter(day for day, _, _ in cells)
    indptr = [0]
    for day in range(first_day, last_day + 1):
        indptr.append(indptr[-1] + per_day[day])
    return DailySales(
        first_day=np.array([first_day], np.int64),
        newest=np.array([shop_time], np.int64),
        indptr=np.array(indptr, np.int64),
        item=np.array([item for _, _, item in cells], np.int32),
        market=np.array([market for _, market, _ in cells], np.int32),
        lines=np.array([lines[cell] for cell in cells], np.float32),
        late_time=np.array([row.time for row in late], np.int64),
        late_item=np.array([row.item for row in late], np.int32),
        late_market=np.array([row.market for row in late], np.int32),
    )


def weight_of(kind: str, weights: KindWeights) -> float:
    """Return the weight of an event in the interest of its customer."""
    undone = {"return": "purchase", "remove_from_cart": "cart"}
    weight: float = getattr(weights, undone.get(kind, kind), 0.0)
    return weight


def decay(age: int, half_life_days: float) -> float:
    return 2.0 ** (-max(age, 0) / (DAY * half_life_days))


def sum_interest(
    rows: Iterable[CodedLine],
    learned: set[int],
    as_of: int,
    half_life_days: float,
    history: HistorySettings,
) -> dict[Pair, float]:
    """Return the decayed interest of customers in products, where it is above 0."""
    sums: dict[Pair, float] = defaultdict(float)
    for row in rows:
        if row.user >= 0 and row.item in learned:
            age, weight = as_of - row.time, weight_of(KINDS[row.kind], history.kind_weights)
            if row.kind in VISIT:
                weight += (1 - weight) * decay(age, history.visit_half_life_days)
            sums[row.user, row.item] += row.weight * weight * decay(age, half_life_days)
    return {pair: value for pair, value in sums.items() if value > 0}


def fit_item_factors(
    confidence: Mapping[Pair, float],
    shape: tuple[int, int],
    learned: set[int],
    settings: FactorSettings,
    seed: int,
) -> ItemFactors:
    """Solve every least-squares problem exactly, from the same small factors as implicit."""
    n_customers, n_items = shape
    items = np.array(sorted(learned), np.int32)
    column_of = np.full(n_items, -1, np.int32)
    column_of[items] = range(len(items))
    of_customer: list[dict[int, float]] = [{} for _ in range(n_customers)]
    of_item: list[dict[int, float]] = [{} for _ in items]
    for (user, item), value in confidence.items():
        column = int(column_of[item])
        of_customer[user][column] = of_item[column][user] = value
    random = np.random.default_rng(seed)
    random.random((n_customers, settings.factors), np.float32)  # customers, who are solved first
    y = random.random((len(items), settings.factors), np.float32).astype(np.float64) * 0.01
    for _ in range(settings.iterations):
        x = solve_factors(of_customer, y, settings.regularization)
        y = solve_factors(of_item, x, settings.regularization)
    gram = y.T @ y + settings.regularization * np.eye(settings.factors)
    return ItemFactors(y.T.astype(np.float32), gram.astype(np.float32), items, column_of)


def solve_factors(
    observed: Sequence[Mapping[int, float]], y: NDArray[np.float64], regularization: float
) -> NDArray[np.float64]:
    """Return x_u = (YᵀY + Yᵀ(Cᵘ - I)Y + λI)⁻¹ YᵀCᵘp(u) of every row u."""
    gram = y.T @ y + regularization * np.eye(y.shape[1])
    x = np.zeros((len(observed), y.shape[1]))
    for row, confidences in enumerate(observed):
        left, right = gram.copy(), np.zeros(y.shape[1])
        for column, confidence in confidences.items():
            left += (confidence - 1) * np.outer(y[column], y[column])
            right += confidence * y[column]
        x[row] = np.linalg.solve(left, right)
    return x


def fit_item_neighbours(
    interest: Mapping[Pair, float], n_items: int, settings: NeighbourSettings
) -> ItemNeighbours:
    """Keep the largest Σ_u w_ui w_uj / size_u^a / |i|^(2b) / |j|^(2c) of every i."""
    weights: dict[int, dict[int, float]] = defaultdict(dict)
    square: dict[int, float] = defaultdict(float)
    for (user, item), value in interest.items():
        weights[user][item] = value**settings.power
        square[item] += weights[user][item] ** 2
    products: dict[Pair, float] = defaultdict(float)
    customers: Counter[Pair] = Counter()
    for basket in weights.values():
        size = sum(basket.values()) ** settings.customer_norm
        for i in basket:
            for j in basket:
                products[i, j] += basket[i] * basket[j] / size
                customers[i, j] += 1
    similar: list[dict[int, float]] = [{} for _ in range(n_items)]
    for (i, j), product in products.items():
        norm = square[i] ** settings.item_norm * square[j] ** settings.neighbour_norm
        similar[i][j] = product / norm
    for i, row in enumerate(similar):
        # A product is among its own nearest, or takes the place of one of them.
        nearest = sorted(row, key=lambda j: (-row[j], j))[: settings.neighbours + 1]
        shared = [j for j in nearest if j != i and customers[i, j] >= settings.min_customers]
        similar[i] = {j: row[j] for j in shared[: settings.neighbours]}
    indptr, item = join_rows(similar)
    values = [row[j] for row in similar for j in sorted(row)]
    return ItemNeighbours(indptr, item, np.array(values, np.float32))


def collect_orders(rows: Iterable[CodedLine], learned: set[int]) -> list[Order]:
    bought = [row for row in rows if row.kind == PURCHASE]
    orders = [Order(set()) for _ in range(1 + max((row.order for row in bought), default=-1))]
    for row in bought:
        order = orders[row.order]
        order.customer, order.time = row.user, row.time
        if row.item in learned:
            order.items.add(row.item)
    return orders


def fit_co_purchases(
    orders: Sequence[Order], n_items: int, as_of: int, settings: BundleSettings
) -> CoPurchases:
    """Count pairs of products in orders; an order of s products is worth (s - 1)^-power to each."""
    together: Counter[Pair] = Counter()
    weighted: dict[Pair, float] = defaultdict(float)
    degree: dict[int, float] = defaultdict(float)
    recent: dict[int, float] = defaultdict(float)
    for order in orders:
        age_weight = decay(as_of - order.time, settings.half_life_days)
        for a in order.items:
            recent[a] += age_weight
        if 1 < len(order.items) <= settings.largest_order:
            worth = age_weight * (len(order.items) - 1) ** -settings.size_power
            for a, b in permutations(order.items, 2):
                together[a, b] += 1
                weighted[a, b] += worth
                degree[a] += worth
    lift, all_degrees = {}, sum(degree.values())
    for a, b in together:
        expected = degree[a] * degree[b] / all_degrees + settings.lift_damping
        lift[a, b] = (weighted[a, b] + settings.lift_damping) / expected
    partners: list[dict[int, float]] = [{} for _ in range(n_items)]
    for a, b in together:
        if together[a, b] >= settings.min_support:
            partners[a][b] = weighted[a, b] * math.sqrt(lift[a, b])
    strength = {}
    for a, row in enumerate(partners):
        strongest = sorted(row, key=lambda b: (-row[b], b))[: settings.neighbours]
        partners[a] = {b: row[b] for b in strongest}
        damped = recent[a] + settings.confidence_damping
        confidence = {b: weighted[a, b] / damped for b in strongest}
        total = sum(confidence[b] * lift[a, b] ** settings.lift_weight for b in strongest)
        strength |= {(a, b): confidence[b] / math.sqrt(total) for b in strongest}
    indptr, item = join_rows(partners)
    kept = sorted(strength)
    counts = Counter(item for order in orders for item in order.items)
    return CoPurchases(
        indptr=indptr,
        item=item,
        strength=np.array([strength[pair] for pair in kept], np.float32),
        log_lift=np.array([math.log(lift[pair]) for pair in kept], np.float32),
        together=np.array([together[pair] for pair in kept], np.int32),
        orders=np.array([counts[item] for item in range(n_items)], np.int32),
        total=np.array([len(orders)], np.int64),
        lists=list_orders(orders, n_items, settings),
    )


def list_orders(orders: Sequence[Order], n_items: int, settings: BundleSettings) -> OrderLists:
    """Number the orders that pairs are counted in, and list them by product."""
    counted = [order for order in orders if 1 < len(order.items) <= settings.largest_order]
    lists: list[dict[int, float]] = [{} for _ in range(n_items)]
    for number, order in enumerate(counted):
        for item in order.items:
            lists[item][number] = 1
    users = np.array([order.customer for order in counted], np.int32)
    return OrderLists(*join_rows(lists), users)


def fit_substitutes(
    orders: Sequence[Order],
    co_purchases: CoPurchases,
    neighbours: ItemNeighbours,
    catalogue: Catalogue,
    family: Sequence[int],
    settings: BundleSettings,
) -> Substitutes:
    """Find products that are alike and stand in one order less often than chance would have it."""
    orders = [order for order in orders if order.customer >= 0 and order.items]
    together = Counter(pair for order in orders for pair in combinations(sorted(order.items), 2))
    of_customer: dict[int, list[Order]] = defaultdict(list)
    for order in orders:
        of_customer[order.customer].append(order)
    expected: dict[Pair, float] = defaultdict(float)
    for own in of_customer.values():
        # The orders that would hold both: n_a n_b Σ s² / (Σ s)²
        sizes = [len(order.items) for order in own]
        spread = sum(size**2 for size in sizes) / sum(sizes) ** 2
        counts = Counter(item for order in own for item in order.items)
        for a, b in combinations(sorted(counts), 2):
            expected[a, b] += counts[a] * counts[b] * spread
    substitutes: list[dict[int, float]] = [{} for _ in range(len(catalogue))]
    damping = settings.substitute_damping
    for a, b in find_tied(co_purchases) | find_tied(neighbours):
        ratio = (together[a, b] + damping) / (expected[a, b] + damping)
        if ratio < settings.substitute_ratio and are_alike(catalogue, a, b):
            substitutes[a][b] = substitutes[b][a] = ratio
    groups = []
    for codes in (catalogue.category.tolist(), family):
        # The pairs of each category, or family, that orders hold, and would hold by chance
        held, by_chance = (dict.fromkeys(codes, damping) for _ in range(2))
        for pairs, sums in ((together, held), (expected, by_chance)):
            for (a, b), count in pairs.items():
                if codes[a] == codes[b]:
                    sums[codes[a]] += count
        ratio = settings.substitute_ratio
        apart = [code for code in held if code >= 0 and held[code] < ratio * by_chance[code]]
        groups.append(np.array(sorted(apart), np.int32))
    return Substitutes(*join_rows(substitutes), *groups)


def find_tied(links: CoPurchases | ItemNeighbours) -> set[Pair]:
    tied = set()
    for a in range(len(links.indptr) - 1):
        for b in links.item[links.indptr[a] : links.indptr[a + 1]].tolist():
            tied.add((min(a, b), max(a, b)))
    return tied


def are_alike(catalogue: Catalogue, a: int, b: int) -> bool:
    """Return whether both are of one category, or, without one, share half the words of a title."""
    if catalogue.category[a] >= 0 and catalogue.category[b] >= 0:
        return bool(catalogue.category[a] == catalogue.category[b])
    words_a, words_b = (set(find_words(catalogue.title[item])) for item in (a, b))
    shared = len(words_a & words_b)
    return shared > 0 and shared >= min(len(words_a), len(words_b)) / 2


def find_words(title: str) -> tuple[str, ...]:
    """Return the runs of three letters and more, of any script."""
    return tuple(run for run in re.split(r"[\W\d_]+", title.lower()) if len(run) >= 3)


def fit_product_stats(records: ShopRecords) -> ProductStats:
    rows, catalogue = records.coded_lines, records.catalogue
    items = range(len(catalogue))
    bought = [row for row in rows if row.kind == PURCHASE]
    lines = Counter(row.item for row in bought)
    returns = Counter(row.item for row in rows if row.kind == RETURN)
    buyers = {(row.user, row.item) for row in bought if row.user >= 0}
    customers = Counter(item for _, item in buyers)
    first_sold: dict[int, int] = {}
    for row in bought:
        first_sold[row.item] = min(row.time, first_sold.get(row.item, row.time))
    titles = [find_words(title) for title in catalogue.title]
    category = catalogue.category.tolist()
    if max(category, default=-1) < 0:
        category = find_category_words(titles)
    names = {-1: "", **dict(enumerate(catalogue.category_names))}
    family = [
        code_family(names[code], words)
        for code, words in zip(catalogue.category.tolist(), titles, strict=True)
    ]
    log_price = find_log_prices(bought, catalogue)
    by_category: dict[int, list[float]] = defaultdict(list)
    for code, price in zip(category, log_price, strict=True):
        if not math.isnan(price):
            by_category[code].append(price)
    usual = {code: statistics.fmean(prices) for code, prices in by_category.items()}
    relative = [log_price[item] - usual.get(category[item], 0) for item in items]
    return ProductStats(
        category=np.array(category, np.int32),
        family=np.array(family, np.int32),
        log_price=np.array(log_price, np.float32),
        price_in_category=np.array(relative, np.float32),
        customers=np.array([customers[item] for item in items], np.float32),
        first_sold=np.array([first_sold.get(item, NEVER) for item in items], np.int64),
        return_rate=np.array([returns[item] / max(lines[item], 1) for item in items], np.float32),
    )


def find_category_words(titles: Sequence[tuple[str, ...]]) -> list[int]:
    """Return the code of each title's most shared word that 3 titles, or up to a tenth, share."""
    shared = Counter(word for words in titles for word in set(words))
    codes: dict[str, int] = {}
    category = []
    for words in titles:
        telling = [word for word in words if 3 <= shared[word] <= max(0.1 * len(titles), 3)]
        best = max(telling, key=lambda word: (shared[word], word), default="")
        category.append(codes.setdefault(best, len(codes)) if best else -1)
    return category


def find_log_prices(bought: Iterable[CodedLine], catalogue: Catalogue) -> list[float]:
    """Return ln of the usual price paid, or else listed, over the median of what was sold."""
    paid: dict[int, list[float]] = defaultdict(list)
    sold = set()
    for row in bought:
        sold.add(row.item)
        if row.price > 0:
            paid[row.item].append(math.log(row.price))
    prices = [math.log(price) if price > 0 else math.nan for price in catalogue.price.tolist()]
    for item, logs in paid.items():
        prices[item] = statistics.fmean(logs)
    of_sold = [prices[item] for item in sold if not math.isnan(prices[item])]
    middle = statistics.median(of_sold) if of_sold else 0.0
    return [price - middle for price in prices]


def collect_habits(rows: Iterable[CodedLine]) -> dict[Pair, Habit]:
    habits: dict[Pair, Habit] = defaultdict(Habit)
    for row in rows:
        if row.user >= 0 and row.kind in (PURCHASE, RETURN):
            habit = habits[row.user, row.item]
            habit.kept += row.weight
            if row.kind == PURCHASE:
                habit.purchases += 1
                habit.first = row.time if habit.first == NEVER else min(habit.first, row.time)
                habit.last = max(habit.last, row.time)
    return habits


def fit_repurchases(
    habits: Mapping[Pair, Habit], category: Sequence[int], settings: RepeatSettings
) -> Repurchases:
    """Draw each product's rate and interval to its category's, and the category's to the shop's."""
    kept = {}
    for (_user, item), habit in habits.items():
        if habit.purchases and round(habit.kept, 3) > 0:
            kept.setdefault(item, []).append(habit)
    again, customers = Counter[int](), Counter[int]()
    days: dict[int, float] = defaultdict(float)
    gaps = Counter[int]()
    for item, of_item in kept.items():
        for habit in of_item:
            again[item] += round(habit.kept, 3) > 1
            customers[item] += 1
            days[item] += (habit.last - habit.first) / DAY
            gaps[item] += habit.purchases - 1
    average = again.total() / customers.total() if customers.total() else 0.0
    typical = sum(days.values()) / gaps.total() if gaps.total() else NEVER_AGAIN_DAYS
    priors = (settings.category_prior, settings.rate_prior)
    rate = draw_to_category(again, customers, category, average, priors)
    priors = (settings.category_prior, settings.interval_prior)
    interval = draw_to_category(days, gaps, category, typical, priors)
    return Repurchases(
        rate=np.array(rate, np.float32),
        average=np.array([average], np.float32),
        interval=np.array(interval, np.float32),
    )


def draw_to_category(
    amounts: Mapping[int, float],
    counts: Mapping[int, float],
    category: Sequence[int],
    average: float,
    priors: tuple[float, float],
) -> list[float]:
    """Return (amount + prior · usual) / (count + prior) of every product; NaN for 0 / 0."""
    usual = {}
    for code in set(category):
        members = [item for item, other in enumerate(category) if other == code]
        amount = sum(amounts.get(item, 0) for item in members)
        count = sum(counts.get(item, 0) for item in members)
        usual[code] = (amount + priors[0] * average) / (count + priors[0])
    drawn = []
    for item, code in enumerate(category):
        count = counts.get(item, 0) + priors[1]
        amount = amounts.get(item, 0) + priors[1] * usual[code]
        drawn.append(amount / count if count else math.nan)
    return drawn


def join_rows(rows: Sequence[Mapping[int, float]]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return where each row's items begin, and the items of one row after another's, sorted."""
    indptr, items = [0], []
    for row in rows:
        items += sorted(row)
        indptr.append(len(items))
    return np.array(indptr, np.int64), np.array(items, np.int32)
