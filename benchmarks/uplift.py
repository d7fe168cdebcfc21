"""What recommendations earn, in a shop where it is known: by attribution, and by the holdout.

python -m benchmarks.uplift --seeds 200

Some of its customers buy because of a slate. Most of what they buy they would have bought anyway,
and slates show that too. Everything is computed by the product: the store is real, and so are the
holdout's assignment, the attribution and the comparison.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import Connection, insert, update

from models.data.customers import YES
from models.data.events import DAY, HOUR, KINDS, PURCHASE
from models.data.timestamps import format_timestamp
from models.experiments.holdout import HOLDOUT, Holdout
from service.signing import recommendation_ids
from service.signing.recommendation_ids import RecommendationId
from service.store import tables
from service.store.experiments import ASSIGNING_KEY, read_secret
from service.store.exposures import name_slate
from service.store.store import Store
from training.cli.experiments import compute_experiments
from training.cli.insights import compute_attribution
from training.insights.attribution import Windows
from training.insights.experiments import HOLDOUT_DAYS, PERSONALISED
from training.insights.source import InsightSource
from training.progress import Reporter
from training.reading.purchases import read_purchases

NOW: Final = 1_800_000_000
SINCE: Final = NOW - HOLDOUT_DAYS * DAY  # when the holdout began
DAYS_BEFORE: Final = 2 * HOLDOUT_DAYS  # of orders that are known from before
PRODUCTS: Final = 200
USUAL: Final = 5  # products that a customer buys anyway; their slate shows them
OTHERS: Final = 5  # products of their slate that they do not know
ORDERS_A_DAY: Final = 0.05  # mean over the customers, who differ
LOOKS: Final = 1.0  # visits without an order, for each with one
MOVED: Final = 0.06  # of the personal slates, those after which an order is made because of them
CLICKING: Final = 0.3  # of the products bought anyway, those that were clicked on in a slate
CLICK: Final = KINDS.index("click")
SECRET: Final = b"benchmark"
Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Behaviour:
    """Hold what n things that customers did: one product each."""

    customer: Numbers  # (n,)
    product: Numbers  # (n,)
    time: Numbers  # (n,) seconds since 1970

    def at(self, rows: NDArray[Any]) -> Behaviour:
        return Behaviour(self.customer[rows], self.product[rows], self.time[rows])


@dataclass(frozen=True, eq=False)
class KnownShop:
    """Hold a shop of which it is known who bought because of a slate."""

    slates: Numbers  # (customers + 1, USUAL + OTHERS) products; the last is what is popular
    held_out: NDArray[np.bool_]  # (customers,)
    prices: NDArray[np.float64]  # (PRODUCTS,)
    visits: Behaviour  # since the holdout began; their products are not used
    anyway: Behaviour  # orders that are made whatever is shown
    moved: Behaviour  # orders that slates have led to; of those held out none
    clicks: Behaviour
    rate: NDArray[np.float64]  # (customers,) orders a day

    @property
    def moved_revenue(self) -> float:
        return float(self.prices[self.moved.product].sum())

    def expect_orders(self) -> NDArray[np.float64]:
        """Return how many orders personal slates lead each compared customer to.

        Compared is who had bought before the holdout began.
        """
        rate: NDArray[np.float64] = self.rate[self._find_compared()]
        return rate * HOLDOUT_DAYS * (1 + LOOKS) * MOVED

    def expect_revenue(self) -> NDArray[np.float64]:
        """Return how much money these are: any product of the slate that they do not know."""
        price = self.prices[self.slates[:-1, USUAL:]].mean(axis=1)
        expected: NDArray[np.float64] = self.expect_orders() * price[self._find_compared()]
        return expected

    def _find_compared(self) -> Numbers:
        return np.unique(self.anyway.customer[self.anyway.time < SINCE])


def simulate(customers: int, held_out: NDArray[np.bool_], seed: int) -> KnownShop:
    """Return a shop whose customers differ in how often they order and in what."""
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(3, PRODUCTS + 3)
    usual = random.choice(PRODUCTS, (customers, USUAL), p=weights / weights.sum())
    others = random.integers(0, PRODUCTS, (customers, OTHERS))
    popular = np.arange(USUAL + OTHERS)
    prices = np.round(random.lognormal(2.0, 0.5, PRODUCTS), 2)
    rate = random.gamma(2.0, ORDERS_A_DAY / 2, customers)
    orders = np.repeat(np.arange(customers), random.poisson(rate * (DAYS_BEFORE + HOLDOUT_DAYS)))
    first = SINCE - DAYS_BEFORE * DAY
    time = random.integers(first, NOW - 2 * HOUR, len(orders))
    product = usual[orders, random.integers(0, USUAL, len(orders))]
    anyway = Behaviour(orders, product, time + HOUR)
    ordering = anyway.at(time >= SINCE)
    looks = np.repeat(np.arange(customers), random.poisson(rate * HOLDOUT_DAYS * LOOKS))
    visits = Behaviour(
        np.concatenate([ordering.customer, looks]),
        np.concatenate([ordering.product, np.zeros_like(looks)]),
        np.concatenate([ordering.time - HOUR, random.integers(SINCE, NOW - 2 * HOUR, len(looks))]),
    )
    is_moved = (random.random(len(visits.time)) < MOVED) & ~held_out[visits.customer]
    moving = visits.at(is_moved)
    wanted = others[moving.customer, random.integers(0, OTHERS, len(moving.time))]
    moved = Behaviour(moving.customer, wanted, moving.time + HOUR // 2)
    clicked = ordering.at(random.random(len(ordering.time)) < CLICKING)
    clicked = clicked.at(~held_out[clicked.customer] | (clicked.product < len(popular)))
    clicks = Behaviour(
        np.concatenate([clicked.customer, moved.customer]),
        np.concatenate([clicked.product, moved.product]),
        np.concatenate([clicked.time, moved.time]) - HOUR // 4,
    )
    slates = np.concatenate([np.concatenate([usual, others], axis=1), popular[None]])
    return KnownShop(slates, held_out, prices, visits, anyway, moved, clicks, rate)


def make_store(folder: Path, customers: int, seed: int, share: float) -> tuple[str, KnownShop]:
    """Return the address of a store with a holdout and what the shop's customers did."""
    url = f"sqlite:///{folder / 'store.db'}"
    store = Store(url, folder / "run")
    store.write(lambda change: _seed_assignment(change.connection, seed)).result(60)
    document = {"share": share, "since": format_timestamp(SINCE)}
    holdout = Holdout.read(document, store.read(read_secret))
    held_out = np.array([holdout.holds(_name(number)) for number in range(customers)], np.bool_)
    shop = simulate(customers, held_out, seed)
    store.write(lambda change: _fill(change.connection, shop, document)).result(60)
    store.close()
    return url, shop


def _seed_assignment(connection: Connection, seed: int) -> None:
    """Have the same customers held out in every run: a store draws its secret by chance."""
    secret = np.random.default_rng(seed).bytes(32)
    assigning = tables.secrets.c.name == ASSIGNING_KEY
    connection.execute(update(tables.secrets).where(assigning).values(value=secret))


def _fill(connection: Connection, shop: KnownShop, holdout: dict[str, Any]) -> None:
    text = orjson.dumps(holdout).decode()
    row = {"experiment_id": HOLDOUT, "document": text, "number": 1}
    connection.execute(insert(tables.experiments), [row])
    ids = [_sign(number) for number in range(len(shop.slates))]
    popular = len(ids) - 1
    connection.execute(insert(tables.shown_slates), list(_list_slates(shop, ids)))
    seen = np.where(shop.held_out, popular, np.arange(len(shop.held_out)))
    visits = zip(shop.visits.customer.tolist(), shop.visits.time.tolist(), strict=True)
    delivered = [
        {"slate": name_slate(ids[seen[customer]]), "customer_id": _name(customer), "time": time}
        for customer, time in visits
    ]
    connection.execute(insert(tables.exposures), [{**row, "count": 1} for row in delivered])
    events = [*_list_orders(shop), *_list_clicks(shop, [ids[slate] for slate in seen])]
    numbered = [{**row, "number": number} for number, row in enumerate(events, 2)]
    connection.execute(insert(tables.events), numbered)
    connection.execute(update(tables.position).values(number=len(events) + 1, newest=NOW))


def _list_slates(shop: KnownShop, ids: list[str]) -> Iterator[dict[str, Any]]:
    for slate, (recommendation_id, products) in enumerate(
        zip(ids, shop.slates.tolist(), strict=True)
    ):
        is_personal = slate < len(ids) - 1
        shown = [
            (f"p{product}", "own_purchases", "buy_again")
            if is_personal and rank < USUAL
            else (f"p{product}", "popular", "popular")
            for rank, product in enumerate(products)
        ]
        yield {
            "slate": name_slate(recommendation_id),
            "recommendation_id": recommendation_id,
            "placement": "home",
            "campaign": None,
            "strategy": "personal" if is_personal else "not_personalized",
            "products": orjson.dumps(shown).decode(),
            "time": NOW,
        }


def _list_orders(shop: KnownShop) -> Iterator[dict[str, Any]]:
    for name, orders in (("a", shop.anyway), ("m", shop.moved)):
        for number, row in enumerate(_list_rows(orders, PURCHASE, name)):
            price = float(shop.prices[orders.product[number]])
            bought = {"order_id": row["event_id"], "quantity": 1.0, "unit_price": price}
            yield {**row, **bought, "currency": "EUR", "recommendation_id": None}


def _list_clicks(shop: KnownShop, seen: list[str]) -> Iterator[dict[str, Any]]:
    nothing = dict.fromkeys(("order_id", "quantity", "unit_price", "currency"))
    for number, row in enumerate(_list_rows(shop.clicks, CLICK, "c")):
        yield {**row, **nothing, "recommendation_id": seen[int(shop.clicks.customer[number])]}


def _list_rows(done: Behaviour, kind: int, name: str) -> Iterator[dict[str, Any]]:
    columns = (done.customer.tolist(), done.product.tolist(), done.time.tolist())
    for number, (customer, product, time) in enumerate(zip(*columns, strict=True)):
        yield {
            "event_id": f"{name}{number}",
            "line": 0,
            "kind": kind,
            "time": time,
            "customer_id": _name(customer),
            "product_id": f"p{product}",
        }


def _name(customer: int) -> str:
    return f"c{customer}"


def _sign(slate: int) -> str:
    content = recommendation_ids.digest_slate([str(slate)])
    return recommendation_ids.sign(SECRET, RecommendationId("v", "home", None, content))


@dataclass(frozen=True)
class Told:
    """Hold what is known of one shop, and what its insights say."""

    true_orders: float  # of a customer, because of slates
    true_revenue: float
    orders: dict[str, Any]  # the holdout's comparison
    revenue: dict[str, Any]
    attribution: dict[str, Any]  # the document
    moved_revenue: float  # of the whole shop, because of slates


def tell(folder: Path, customers: int, seed: int, share: float) -> Told:
    """Make a shop in a folder, compute its insights and return them beside the truth."""
    url, shop = make_store(folder, customers, seed, share)
    source = InsightSource(folder, url, None, YES, NOW)
    attributed = compute_attribution(source, Windows(), days=HOLDOUT_DAYS)
    purchases = read_purchases([url], now=NOW)
    facts = compute_experiments(source, purchases, Reporter(io.StringIO()))
    compared = {
        row["metric"]: row
        for row in facts["experiments"][HOLDOUT]["comparisons"]
        if row["variant"] == PERSONALISED
    }
    return Told(
        true_orders=float(shop.expect_orders().mean()),
        true_revenue=float(shop.expect_revenue().mean()),
        orders=compared["orders"],
        revenue=compared["revenue"],
        attribution=attributed,
        moved_revenue=shop.moved_revenue,
    )


def _holds(interval: dict[str, float], truth: float) -> bool:
    return interval["low"] <= truth <= interval["high"]


def measure_shop(customers: int, seed: int, share: float) -> dict[str, float]:
    """Return what one shop's insights say, beside what is true, and 1 where an interval holds."""
    with tempfile.TemporaryDirectory() as folder:
        told = tell(Path(folder), customers, seed, share)
    (shop,) = told.attribution["overview"]
    row: dict[str, float] = {}
    for name, found, truth in (
        ("orders", told.orders, told.true_orders),
        ("revenue", told.revenue, told.true_revenue),
    ):
        for interval in ("fixed", "always_valid"):
            row[f"{interval} interval of {name} holds it"] = _holds(found[interval], truth)
        row[f"{name} of a customer, by the holdout"] = found["difference"]
        row[f"{name} of a customer, true"] = truth
    return {
        **row,
        "attribution says upper bound": told.attribution["upper_bound"],
        "attribution is above the truth": shop["attributed_revenue"] > told.moved_revenue,
        "revenue of the shop": shop["revenue"],
        "attributed": shop["attributed_revenue"],
        "attributed, after a click": shop["attributed_clicked_revenue"],
        "because of slates": told.moved_revenue,
    }


def measure(customers: int, seeds: int, share: float) -> dict[str, Any]:
    """Return the means over many shops: so the shares of them in which an interval holds."""
    rows = [measure_shop(customers, seed, share) for seed in range(seeds)]
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return {"shops": seeds, "customers": customers, "held out": share, **means}


def main() -> None:
    """Print what was measured as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--held-out", type=float, default=0.2, help="share of the customers")
    options = parser.parse_args()
    print(json.dumps(measure(options.customers, options.seeds, options.held_out), indent=2))


if __name__ == "__main__":
    main()
