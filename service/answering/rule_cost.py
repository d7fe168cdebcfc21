"""Cost of rules in hits, on what customers bought after the model had learned."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.customers import MEASURE
from models.data.events import DAY
from models.recommender import SharedContexts
from models.rules.shop_rules import ShopRule, rules_in_force
from service.answering.answer_computer import AnswerComputer
from service.answering.customer_view import CustomerView, view_customer
from service.errors import StoreUnavailable
from service.model.loaded_model import LoadedModel
from service.store.purchases import BoughtLine, read_bought

WINDOW_DAYS: Final = 28  # after what the model has learned, as in its own evaluation
MOST_LINES: Final = 100_000
ENOUGH: Final = 30  # customers, from whom an interval is told
DEVIATIONS: Final = 1.96  # of 95 %


@dataclass(frozen=True)
class TriedRules:
    """Rules whose cost is asked, and for which slates."""

    rules: tuple[ShopRule, ...] | None  # as if they held now; None: all that the shop has in force
    placement: str | None
    n: int
    most: int  # customers
    seconds: float  # after which no more customers are looked at

    def split(self, held: Sequence[ShopRule]) -> tuple[tuple[ShopRule, ...], tuple[ShopRule, ...]]:
        """Return the rules without those that are tried, and with them. `held`: those in force."""
        if self.rules is None:
            return (), tuple(held)
        tried_ids = {rule.id for rule in self.rules}
        others = tuple(rule for rule in held if rule.id not in tried_ids)
        return others, (*others, *(replace(rule, starts=None, ends=None) for rule in self.rules))


@dataclass(frozen=True)
class RuleCost:
    """Hits of the slates of customers without rules and with them."""

    since: int  # seconds since 1970: slates are as of then
    until: int | None  # of the last purchase that was read; None: there was none
    is_whole: bool  # nobody who bought was left out for want of room or time
    n: int
    bought: NDArray[np.int64]  # products of each customer
    without: NDArray[np.int64]  # hits of each customer
    with_rules: NDArray[np.int64]
    changed: int  # customers whose slates are not the same

    @property
    def customers(self) -> int:
        return len(self.bought)

    def recall(self, hits: NDArray[np.int64]) -> float | None:
        """Return the mean over customers of hits over min(n, bought)."""
        return float(self._recalls(hits).mean()) if self.customers else None

    def difference(self) -> tuple[float, float, float] | None:
        """Return by how much recall is more with the rules, and its 95 % interval.

        None of too few customers. Where nobody's hits differ, the interval is the rule of three:
        J. A. Hanley and A. Lippman-Hand, If nothing goes wrong, is everything all right?, 1983.
        """
        if self.customers < ENOUGH:
            return None
        differences = self._recalls(self.with_rules) - self._recalls(self.without)
        mean, n = float(differences.mean()), self.customers
        spread = DEVIATIONS * float(differences.std(ddof=1)) / n**0.5
        if not differences.any():
            spread = 3 / n
        return mean, max(mean - spread, -1.0), min(mean + spread, 1.0)

    def _recalls(self, hits: NDArray[np.int64]) -> NDArray[np.float64]:
        return hits / np.minimum(self.bought, self.n)


def measure_rule_cost(computer: AnswerComputer, model: LoadedModel, tried: TriedRules) -> RuleCost:
    """Return what rules cost, on customers who allow that they are measured; in a thread.

    Slates are as of the moment up to which the model has learned, and hits are what was bought
    since. Raises StoreUnavailable.
    """
    ends = time.monotonic() + tried.seconds
    since = model.recommender.manifest.data_as_of
    lines = _read_lines(computer, model, since)
    bought: dict[str, set[str]] = {}
    for line in lines:
        bought.setdefault(line.customer_id, set()).add(line.product_id)
    drawn = sorted(bought, key=_draw)
    rows: list[tuple[int, int, int]] = []
    changed, is_whole = 0, len(lines) < MOST_LINES
    for customer_id in drawn:
        if len(rows) >= tried.most or time.monotonic() > ends:
            is_whole = False
            break
        view = view_customer(computer, model, customer_id, since, tried.placement)
        targets = _find_targets(view, bought[customer_id])
        if targets:
            before, after = _recommend(computer, view, tried)
            changed += before != after
            rows.append(
                (len(targets), len(targets.intersection(before)), len(targets.intersection(after)))
            )
    counts = np.array(rows, np.int64).reshape(-1, 3)
    return RuleCost(
        since,
        lines[-1].time if lines else None,
        is_whole,
        tried.n,
        bought=counts[:, 0],
        without=counts[:, 1],
        with_rules=counts[:, 2],
        changed=changed,
    )


def _read_lines(computer: AnswerComputer, model: LoadedModel, since: int) -> list[BoughtLine]:
    manifest = model.recommender.manifest
    until = min(since + WINDOW_DAYS * DAY, int(time.time()))

    def read() -> list[BoughtLine]:
        learned = computer.store.learned_number(manifest)
        work = partial(read_bought, after=since, until=until, above=learned, most=MOST_LINES)
        return computer.store.read(work)

    lines = computer.ask_store(read)
    if lines is None:
        raise StoreUnavailable
    return lines


def _draw(customer_id: str) -> bytes:
    """Return what customers are sorted by, so that the first ones are a fair sample."""
    return hashlib.blake2b(customer_id.encode(), digest_size=8).digest()


def _find_targets(view: CustomerView, bought: set[str]) -> set[int]:
    """Return what a customer bought as items, nothing of who may not be measured."""
    if view.update.forgotten or not view.allows(MEASURE):
        return set()
    items = view.recommender.catalogue.ids.find_all(sorted(bought))
    return set(items[items >= 0].tolist())


def _recommend(
    computer: AnswerComputer, view: CustomerView, tried: TriedRules
) -> tuple[list[int], list[int]]:
    """Return a customer's slates without and with the rules, as items."""
    held = rules_in_force(view.request.rules, int(time.time()))
    contexts: SharedContexts = {}
    slates = []
    for rules in tried.split(held):
        request = replace(view.request, rules=rules, n=tried.n)
        with computer.computing:
            slate = view.recommender.recommend(view.customer_id, request, view.update, contexts)
        slates.append([slot.item for slot in slate.slots])
    return slates[0], slates[1]
