"""The model in service with what the shop has said since: products as they are now, rules, who must be forgotten."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock

import numpy as np
import orjson
from sqlalchemy import Connection, select

from models.data.customers import NO, YES
from models.data.events import DAY
from models.rules.shop_rule_json import rule_of
from models.rules.shop_rules import ShopRule, rules_in_force
from models.updates.catalogue import product_update_of, update_catalogue
from service.model.loaded_model import LoadedModel
from service.store import events
from service.store.events import tombstone, tombstone_key
from service.store.products import restocked
from service.store.store import Store
from service.store.tables import erased, products, rules
from service.store.writer import Position, position_of


@dataclass(frozen=True)
class LiveCatalogue:
    """Immutable. `model` is that of the artifact with the products up to the number `catalogue`."""

    artifact: LoadedModel
    model: LoadedModel
    catalogue: int = 0
    rules: tuple[ShopRule, ...] = ()
    turns: tuple[int, ...] = ()  # when rules begin and end, sorted
    rules_number: int = 0
    restocked: Mapping[str, int] = field(
        default_factory=dict
    )  # product id -> when it came back into stock
    sales: int = 0  # number up to which sales are counted
    erased: frozenset[bytes] = frozenset()
    erased_number: int = 0
    key: bytes = b""  # of the tombstones
    strangers: bool = False  # who asked to be forgotten was never read: so nobody is known

    def forgotten(self, customer_id: str | None) -> bool:
        if customer_id is None or self.strangers:
            return self.strangers
        return bool(self.erased) and tombstone(self.key, customer_id) in self.erased

    def today(self, clock: int) -> LiveCatalogue:
        """With the rules that hold at a moment of the clock, whatever moment the answer is made for."""
        return replace(self, rules=rules_in_force(self.rules, clock)) if self.rules else self

    def phase(self, clock: int) -> int:
        """How many beginnings and ends of rules have passed: between two of them the same rules hold."""
        return bisect_right(self.turns, clock)

    @property
    def lines(self) -> int:
        """How many rows what sells is counted from: more as soon as reported lines are among them."""
        return len(self.model.recommender.model.sales.item)

    def behind(self, now: Position) -> bool:
        return (
            self.catalogue < now.catalogue
            or self.rules_number < now.rules
            or self.erased_number < now.erased
        )


class CatalogueFollower:
    """Follows the store: whoever is about to answer from a position first sees that the shop is as new."""

    def __init__(self, store: Store, unasked: str) -> None:
        self._store = store
        self.unasked = NO if unasked == "refuse" else YES
        self._shops: dict[str, LiveCatalogue] = {}  # by version of the artifact, the newest last
        self._renewing = Lock()

    def at(self, model: LoadedModel, now: Position) -> LiveCatalogue:
        """The shop of this model with every change up to `now`."""
        shop = self._of(model)
        if shop.behind(now) or not shop.key:
            with self._renewing:
                shop = self._of(model)
                if shop.behind(now) or not shop.key:
                    shop = self._keep(self._store.read(partial(_renewed, shop)))
        return shop

    def only(self, versions: Set[str]) -> None:
        """Let go of what was followed for other models, which are in nobody's way then."""
        with self._renewing:
            self._shops = {
                version: shop for version, shop in self._shops.items() if version in versions
            }

    def edition(self, model: LoadedModel, clock: int | None) -> tuple[int, int]:
        """What answers hang on that no revision tells: which rules hold by the clock, if it counts, and what sells.

        Of what this process knows; other rules are newer than what it has cached.
        """
        shop = self.as_known(model)
        return 0 if clock is None else shop.phase(clock), shop.lines

    def count_sales(self, model: LoadedModel) -> None:
        """Fold what was sold since into what is popular, and warm what hangs on it. In a thread, now and then."""
        with self._renewing:
            self._keep(self._store.read(partial(_counted, self._of(model))))

    def as_known(self, model: LoadedModel) -> LiveCatalogue:
        """The shop as far as this process knows it, where the store does not answer."""
        shop = self._newest()
        if shop is None:
            return LiveCatalogue(model, model, strangers=True)
        return (
            shop
            if shop.artifact is model
            else replace(shop, artifact=model, model=model, catalogue=0)
        )

    def _of(self, model: LoadedModel) -> LiveCatalogue:
        shop = self._shops.get(model.version)
        return shop if shop is not None and shop.artifact is model else LiveCatalogue(model, model)

    def _newest(self) -> LiveCatalogue | None:
        return next(reversed(self._shops.values()), None)

    def _keep(self, shop: LiveCatalogue) -> LiveCatalogue:
        others = {
            version: other
            for version, other in self._shops.items()
            if version != shop.artifact.version
        }
        self._shops = {**others, shop.artifact.version: shop}  # at once: who reads it takes no lock
        return shop


def _renewed(shop: LiveCatalogue, connection: Connection) -> LiveCatalogue:
    now = position_of(connection)  # first: what is read after it holds all that it counts
    if shop.catalogue < now.catalogue:
        told = connection.execute(
            select(products.c.product_id, products.c.document)
            .where(products.c.number > shop.catalogue)
            .order_by(products.c.product_id)
        )
        recommender, learned = shop.model.recommender, shop.artifact.recommender
        more = [
            product_update_of(product_id, orjson.loads(document)) for product_id, document in told
        ]
        model = update_catalogue(
            recommender.model, more, learned.model, learned.manifest.data_as_of
        )
        shop = replace(
            shop,
            model=replace(shop.model, recommender=recommender.with_model(model)),
            catalogue=now.catalogue,
            restocked=restocked(connection),
        )
    if shop.rules_number < now.rules:
        documents = connection.execute(
            select(rules.c.document).where(rules.c.document.isnot(None))
        ).scalars()
        held = sorted(
            (rule_of(orjson.loads(document)) for document in documents), key=lambda rule: rule.id
        )
        turns = sorted(
            when for rule in held for when in (rule.starts, rule.ends) if when is not None
        )
        shop = replace(shop, rules=tuple(held), turns=tuple(turns), rules_number=now.rules)
    if shop.erased_number < now.erased:
        marks = frozenset(
            bytes(mark) for mark in connection.execute(select(erased.c.customer)).scalars()
        )
        shop = replace(shop, erased=marks, erased_number=now.erased)
    return shop if shop.key else replace(shop, key=tombstone_key(connection))


def _counted(shop: LiveCatalogue, connection: Connection) -> LiveCatalogue:
    now = position_of(connection).number
    recommender = shop.model.recommender
    learned, sales = recommender.manifest.event_position, recommender.model.sales
    # Of a model that did not read the store it is known only up to when it has learned.
    after = recommender.manifest.data_as_of if learned == 0 else -1
    lines = events.sold(connection, learned, max(shop.sales, learned), now, after)
    item_of = {
        name: recommender.catalogue.ids.find(name) for name in {line.product_id for line in lines}
    }
    known = [(line, item_of[line.product_id]) for line in lines if item_of[line.product_id] >= 0]
    if not known:
        return replace(shop, sales=now)
    markets = recommender.model.customers.market_names
    continued = sales.continued(
        np.array([line.time // DAY for line, _ in known], np.int64),
        np.array([markets.find(line.market) if line.market else -1 for line, _ in known], np.int32),
        np.array([item for _, item in known], np.int32),
        max(line.time for line, _ in known),
    )
    if continued is sales:
        return shop  # too few yet: they are counted again with those that come
    changed = recommender.with_model(replace(recommender.model, sales=continued))
    changed.sales_trends.warm(len(markets))
    return replace(shop, model=replace(shop.model, recommender=changed), sales=now)
