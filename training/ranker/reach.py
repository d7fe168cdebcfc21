"""How much higher products must rank for some customers to be shown them at all.

Most products lie just below the last place of every slate. Little is lost where some of them take
such a place: its product is hardly likelier to be bought. So products are lifted by what they lack,
those that lack least first, until three customers are shown each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from models.model import Model
from models.recommender import Recommender
from models.rules.filters import Repeat
from models.settings import ModelSettings
from models.slate import SlateRequest
from training.progress import Advance, Reporter
from training.publishing import build_manifest
from training.reading.purchases import Purchases

Floats = NDArray[np.float64]

CUSTOMERS: Final = 2_000  # by lot, whose slates tell
AT_ONCE: Final = 50  # customers
SLOTS: Final = 10  # of a slate
SEEN_BY: Final = 3  # customers, for a product to be shown
ROUNDS: Final = 24  # of lifting all products at once, which push one another out
DAMPED_ROUNDS: Final = 20  # in which a product moves half the way
MAX_REACH: Final = 0.6  # log odds, beyond which hits are lost
MARGIN: Final = 1e-4  # log odds above what a product lacks


@dataclass(frozen=True, eq=False)
class Proposals:
    """Hold r candidates, new to c customers, by customer; and how each of them ranks.

    Those that are too far from being shown are left out.
    """

    item: NDArray[np.int64]  # (r,)
    log_odds: Floats  # (r,)
    indptr: NDArray[np.int64]  # (c + 1,)

    @classmethod
    def of(cls, recommender: Recommender, seed: int) -> Self:
        """Return what is proposed to some customers at the end of the history."""
        buyers = np.flatnonzero(np.diff(recommender.model.histories.indptr))
        random = np.random.default_rng(seed)
        some = np.sort(random.choice(buyers, min(CUSTOMERS, len(buyers)), replace=False))
        request = SlateRequest(n=SLOTS, repeat=Repeat.EXCLUDE)
        items, log_odds = [np.empty(0, np.int64)], [np.empty(0)]
        for first in range(0, len(some), AT_ONCE):
            users = some[first : first + AT_ONCE].tolist()
            for ranked in recommender.rank_for_each(users, request):
                discount = recommender.ranker.discount(ranked.items, ranked.rows, ranked.bought)
                own = (ranked.scores - discount).astype(np.float64)
                near = own >= _last_shown(own) - MAX_REACH  # no other can be lifted so far
                items.append(ranked.items[near])
                log_odds.append(own[near])
        indptr = np.cumsum([len(part) for part in items])
        return cls(np.concatenate(items), np.concatenate(log_odds), indptr)

    @cached_property
    def owner(self) -> NDArray[np.intp]:
        """Return the customer of each row: (r,)."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))

    def find_lacking(self, reach: Floats) -> Floats:
        """Return what each row lacks to be shown by its log odds alone: (r,).

        The others have `reach` (items,) added. Where a slate has room, it is -inf.
        """
        lifted = self.log_odds + reach[self.item]
        order = np.lexsort((self.item, -lifted, self.owner))
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order)) - self.indptr[self.owner]
        # Who is shown must stay before the first who is not, the others pass the last who is
        bars = np.full((2, len(self.indptr) - 1), -np.inf)
        for bar, place in zip(bars, (SLOTS, SLOTS - 1), strict=True):
            there = rank == place
            bar[self.owner[there]] = lifted[there]
        lacking: Floats = np.where(rank < SLOTS, *bars[:, self.owner]) - self.log_odds
        return lacking


def _last_shown(log_odds: Floats) -> float:
    """Return what the last product of a slate has; -inf where the slate has room."""
    if len(log_odds) < SLOTS:
        return -np.inf
    return float(np.partition(log_odds, -SLOTS)[-SLOTS])


def learn_reach(proposals: Proposals, products: int, most: int) -> NDArray[np.float32]:
    """Return the log odds by which each product ranks higher among those new to a customer.

    (products,), from 0 to MAX_REACH. Those that lack least are lifted until customers are shown
    `most` products.
    """
    reach = np.zeros(products)
    for number in range(ROUNDS):
        wanted = _lift(proposals, reach, most)
        reach = (reach + wanted) / 2 if number < DAMPED_ROUNDS else wanted
    return reach.astype(np.float32)


def lift_products(
    model: Model, purchases: Purchases, settings: ModelSettings, reporter: Reporter, *, name: str
) -> Model:
    """Return a fitted model whose ranker lifts products, where it has learned and settings ask."""
    if not model.lesson.learned or settings.discovery.shown == 0:
        return model
    manifest = build_manifest(purchases, model, settings, metrics={}, now=0)

    def learn(_: Advance) -> NDArray[np.float32]:
        with threadpool_limits(limits=1, user_api="blas"):
            proposals = Proposals.of(Recommender(manifest, model, settings), settings.seed)
            known = int(np.count_nonzero(model.traits.customers >= SEEN_BY))
            most = int(settings.discovery.shown * known)
            return learn_reach(proposals, len(model.catalogue), most)

    reach = reporter.keep(f"{name}: discovery", NDArray[np.float32], learn)
    return replace(model, lesson=replace(model.lesson, reach=reach))


def _lift(proposals: Proposals, reach: Floats, most: int) -> Floats:
    """Return what products lack to be shown to enough customers, where they are lifted: (items,)"""
    lacking = proposals.find_lacking(reach)
    order = np.lexsort((lacking, proposals.item))
    items, first, count = np.unique(proposals.item[order], return_index=True, return_counts=True)
    enough = count >= SEEN_BY
    items, needed = items[enough], lacking[order[first[enough] + SEEN_BY - 1]]
    shown = np.count_nonzero(needed <= 0)
    lifted = np.flatnonzero((needed > 0) & (needed <= MAX_REACH))
    lifted = lifted[np.argsort(needed[lifted], kind="stable")[: max(most - shown, 0)]]
    wanted = np.zeros(len(reach))
    wanted[items[lifted]] = needed[lifted] + MARGIN
    return wanted
