"""Models with the shop's changes since training: products, rules, sales, erased customers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import chain
from math import isnan
from threading import Lock
from typing import Final, TypeVar

import numpy as np
import orjson
from sqlalchemy import Connection, select

from models.data.catalogue import Catalogue
from models.data.customers import NO, YES
from models.data.events import DAY
from models.data.ids import IdIndex
from models.data.segments import NO_GROUPS, CustomerGroups, Segment
from models.experiments.experiment import (
    AssignedBy,
    AssignedVariant,
    Experiment,
    Variant,
    find_assigned,
)
from models.experiments.holdout import Holdout
from models.rules.shop_bundles import ShopBundle, bundles_in_force
from models.rules.shop_offers import ShopOffer, offers_in_force
from models.rules.shop_rules import EarlyAccessRule, ShopRule, rules_in_force
from models.shop_lists import ListFacts, PriceChange, PriceDrop, RatingMean, find_drop
from models.updates.catalogue import read_product_update, update_catalogue
from service.model.loaded_model import LoadedModel
from service.model.segments import SegmentFollower
from service.schemas.bundles import BundleBody
from service.schemas.rules import SHOP_RULE, parse_rule
from service.store import erasure, events
from service.store.audit import read_price_changes
from service.store.change_counters import BEGUN
from service.store.events import SoldLine
from service.store.experiments import read_documents
from service.store.offers import OFFERS
from service.store.products import read_restocked
from service.store.shop_documents import BUNDLES, RULES
from service.store.store import Store
from service.store.tables import erased, products
from service.store.tombstones import make_tombstone, read_tombstone_key
from service.store.writer import Position, read_position

T = TypeVar("T")
MOST_PRICE_CHANGES: Final = 20_000  # products whose price changes are kept
MOST_OF_ONE_PRODUCT: Final = 32


@dataclass(frozen=True)
class LiveCatalogue:
    """Hold a model with the shop's changes up to a number of the store for each kind of change."""

    artifact: LoadedModel  # as it was learned
    model: LoadedModel  # with the products and sales of now
    catalogue_number: int = 0
    rules: tuple[ShopRule, ...] = ()
    bundles: tuple[ShopBundle, ...] = ()  # units that the shop has put together
    offers: tuple[ShopOffer, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    holdout: Holdout | None = None
    # By which rules, units, offers and experiments hold, seconds since 1970
    clock: int | None = None
    # When rules, units, offers and experiments begin and end, sorted
    rule_boundaries: tuple[int, ...] = ()
    rules_number: int = 0
    restocked: Mapping[str, int] = field(default_factory=dict)  # product id -> back in stock when
    # By product id, in their order: the newest of all products
    price_changes: Mapping[str, tuple[PriceChange, ...]] = field(default_factory=dict)
    price_number: int = 0  # of the newest of them
    sales_number: int = 0
    unconfirmed_sales: tuple[SoldLine, ...] = ()  # after shop time: they wait to be counted
    erased: frozenset[bytes] = frozenset()  # tombstones
    erased_number: int = 0
    tombstone_key: bytes = b""
    nobody_known: bool = False  # who asked to be forgotten was never read
    # Keys and tombstones of the store as it was before it lost changes or was replaced
    erased_before: tuple[tuple[bytes, frozenset[bytes]], ...] = ()
    begun: int = 0  # number at which the changes of this store began: see ChangeCounters

    def is_forgotten(self, customer_id: str | None) -> bool:
        """Tell whether nothing that was learned of a customer may be used."""
        if customer_id is None or self.nobody_known:
            return self.nobody_known
        return any(
            bool(tombstones) and make_tombstone(key, customer_id) in tombstones
            for key, tombstones in ((self.tombstone_key, self.erased), *self.erased_before)
        )

    def with_rules_at(self, clock: int) -> LiveCatalogue:
        """Return it with the rules, units and offers that hold at a moment of the clock alone."""
        if not self.rules and not self.bundles and not self.experiments and not self.offers:
            return self
        rules, bundles = rules_in_force(self.rules, clock), bundles_in_force(self.bundles, clock)
        offers = offers_in_force(self.offers, clock)
        return replace(self, rules=rules, bundles=bundles, offers=offers, clock=clock)

    def find_assigned(
        self,
        subjects: Mapping[AssignedBy, str | None],
        placement: str | None,
        as_of: int | None,
        groups: CustomerGroups = NO_GROUPS,
    ) -> AssignedVariant | None:
        """Return the part of an experiment that somebody is in, None for none.

        `as_of`: the moment that is asked for, None for the clock's. `groups`: theirs, where they
        may be used. Nobody in the holdout takes part, not even who asks to be personalised.
        """
        moment, customer_id = self.clock if as_of is None else as_of, subjects[AssignedBy.CUSTOMER]
        if not self.experiments or moment is None:
            return None
        if self.holdout and customer_id is not None and self.holdout.holds(customer_id):
            return None
        return find_assigned(self.experiments, subjects, placement, moment, groups)

    def recall_variant(
        self, names: tuple[str, str] | None, *, is_shown: bool
    ) -> AssignedVariant | None:
        """Return the part of an experiment by the names of both.

        Of what is not there any more its names are all that is left. A part that was stopped as it
        did harm keeps nobody, unless what `is_shown` is of it.
        """
        if names is None:
            return None
        of_experiment = (each.variants for each in self.experiments if each.id == names[0])
        for variant in next(of_experiment, ()):
            if variant.name == names[1]:
                keeps = is_shown or self.clock is None or variant.runs_at(self.clock)
                return AssignedVariant(names[0], variant) if keeps else None
        return AssignedVariant(names[0], Variant(names[1], share=0))

    def rule_period(self, clock: int) -> int:
        """Return how many rules and the like have begun or ended: in a period the same hold."""
        return bisect_right(self.rule_boundaries, clock)

    def list_facts(self, ratings: Mapping[str, RatingMean], until: int | None) -> ListFacts:
        """Return what is known for lists, by the items of its catalogue.

        `until`: nothing that happened later counts; None: all of it.
        """
        ids = self.model.recommender.catalogue.ids
        restocked = _by_item(self.restocked, ids)
        if until is not None:
            restocked = {item: time for item, time in restocked.items() if time <= until}
        rated = _by_item(ratings, ids)
        return ListFacts(restocked, self._find_drops(until), rated)

    def _find_drops(self, until: int | None) -> dict[int, PriceDrop]:
        drops, ids = {}, self.model.recommender.catalogue.ids
        for item, changes in _by_item(self.price_changes, ids).items():
            if until is None or changes[-1].time <= until:
                drop = self._find_drop(item, changes)
                if drop is not None:
                    drops[item] = drop
        return drops

    def _find_drop(self, item: int, changes: tuple[PriceChange, ...]) -> PriceDrop | None:
        known = _with_learned(changes, self.artifact.recommender.catalogue, item)
        return find_drop(known, float(self.model.recommender.catalogue.price[item]))

    def find_former_price(self, product_id: str, price: float | None) -> float | None:
        """Return what a product that is shown at a price did cost before it became cheaper lately.

        None: it did not, or nobody knows.
        """
        catalogue, changes = self.model.recommender.catalogue, self.price_changes.get(product_id)
        item = catalogue.ids.find(product_id)
        drop = self._find_drop(item, changes) if changes and item >= 0 else None
        if drop is None or price is None:
            return None
        currency, as_of = catalogue.currency[item] or None, self.model.shop_time.moment
        return drop.former if drop.holds(price, currency, as_of) else None

    @cached_property
    def reads_prices(self) -> bool:
        """Tell whether prices may decide which products are shown, and not only what of them."""
        return bool(self.experiments) or any(rule.reads_prices for rule in self.rules)

    @cached_property
    def opens_early(self) -> bool:
        """Tell whether some customers may be shown products before everyone is."""
        parts = (variant for experiment in self.experiments for variant in experiment.variants)
        rules = chain(self.rules, *(part.rules for part in parts))
        return any(isinstance(rule, EarlyAccessRule) for rule in rules)

    @cached_property
    def reads_segments(self) -> bool:
        """Tell whether the segment of a customer may decide what is shown."""
        return (
            any(rule.segments for rule in self.rules)
            or any(experiment.segments for experiment in self.experiments)
            or any(offer.segments for offer in self.offers)
        )

    @property
    def sales_lines(self) -> int:
        """Rows that trends are counted from: more, once reported purchases are among them."""
        return len(self.model.recommender.model.sales.item)

    def is_behind(self, position: Position) -> bool:
        """Tell whether the store holds changes that are not in it."""
        return (
            not self.tombstone_key
            or self.catalogue_number < position.catalogue
            or self.rules_number < position.rules
            or self.erased_number < position.erased
        )


class CatalogueFollower:
    """A follower of the store, which gives the catalogue of a model at a position of the store."""

    def __init__(
        self,
        store: Store,
        unasked: str,
        visits: str | None = None,
        segments: SegmentFollower | None = None,
    ) -> None:
        """Take the settings of who never answered, and of visits; by default as the former.

        `segments`: of the customers; None: nobody is in one.
        """
        self._store = store
        self._segments = segments
        self.unasked = NO if unasked == "refuse" else YES
        self.visits = NO if (visits or unasked) == "refuse" else YES
        self._catalogues: dict[str, LiveCatalogue] = {}  # by version, the newest last
        self._renewing = Lock()
        # Keys and tombstones that were known when the store went back
        self._lost_tombstones: tuple[tuple[bytes, frozenset[bytes]], ...] = ()

    def at(self, model: LoadedModel, position: Position) -> LiveCatalogue:
        """Return the catalogue with every change up to a position. Raises StoreDownError."""
        live = self._find(model)
        if live.is_behind(position):
            with self._renewing:
                live = self._find(model)
                if live.is_behind(position):
                    live = self._keep(self._store.read(partial(_renew, live)))
        return live

    def bury_again(self, clock: int) -> None:
        """Put tombstones back that the store has lost. Raises StoreDownError.

        `clock`: seconds since 1970.
        """
        for key, tombstones in self._lost_tombstones:
            work = partial(erasure.bury_again, key=key, tombstones=tombstones, time=clock)
            self._store.write(work).result()
        self._lost_tombstones = ()

    def keep_only(self, versions: Set[str]) -> None:
        """Remove the catalogues of other models."""
        with self._renewing:
            kept = versions & self._catalogues.keys()
            self._catalogues = {
                version: live for version, live in self._catalogues.items() if version in kept
            }

    def unasked_of(self, customer_id: str | None) -> int:
        """Return the consent of a customer who never answered, or of a visit (None)."""
        return self.visits if customer_id is None else self.unasked

    def edition(self, model: LoadedModel, clock: int | None) -> tuple[int, ...]:
        """Return what answers depend on and no counter tells.

        The rules by the clock, the sales, the day of shop time, the consents that the settings
        assume, and the segments where any rule or the like is for some. As far as this process
        knows; other rules are newer than what it has cached. Without a clock no rule begins or
        ends.
        """
        live = self.as_known(model)
        period = 0 if clock is None else live.rule_period(clock)
        day = live.model.shop_time.moment // DAY
        edition = (period, live.sales_lines, day, self.unasked, self.visits)
        if self._segments is None or not live.reads_segments:
            return edition
        return (*edition, *self._segments.edition)

    def find_segment(self, customer_id: str) -> Segment | None:
        """Return a customer's segment, None for whoever is in none."""
        return None if self._segments is None else self._segments.find(customer_id)

    def follow_shop_time(self, model: LoadedModel) -> None:
        """Move shop time where sales that were reported since confirm a later moment."""
        with self._renewing:
            live = self._find(model)
            moved = self._store.read(partial(_move_shop_time, live))
            if moved is not live:
                self._keep(moved)

    def count_sales(self, model: LoadedModel) -> None:
        """Add the purchases since the last count to the trends, and warm what depends on them."""
        with self._renewing:
            learned = self._store.learned_number(model.recommender.manifest)
            self._keep(self._store.read(partial(_count_sales, self._find(model), learned)))

    def as_known(self, model: LoadedModel) -> LiveCatalogue:
        """Return the catalogue as far as this process knows it, without asking the store."""
        live = next(reversed(self._catalogues.values()), None)
        if live is None:
            return LiveCatalogue(model, model, nobody_known=True)
        if live.artifact is model:
            return live
        return replace(live, artifact=model, model=model, catalogue_number=0)

    def shop_time_of(self, model: LoadedModel) -> int:
        """Return the shop time of the model in service as far as this process knows it."""
        return self.as_known(model).model.shop_time.moment

    def _find(self, model: LoadedModel) -> LiveCatalogue:
        begun = self._store.counters[BEGUN]
        live = self._catalogues.get(model.version)
        if live is not None and live.artifact is model and live.begun == begun:
            return live
        return LiveCatalogue(model, model, erased_before=self._erased_before(begun), begun=begun)

    def _erased_before(self, begun: int) -> tuple[tuple[bytes, frozenset[bytes]], ...]:
        """Return who was erased in the store as it was known before it began at a number."""
        live = next(reversed(self._catalogues.values()), None)
        if live is None:
            return ()
        if live.begun == begun or not live.erased:
            return live.erased_before
        self._lost_tombstones = (*live.erased_before, (live.tombstone_key, live.erased))
        return self._lost_tombstones

    def _keep(self, live: LiveCatalogue) -> LiveCatalogue:
        catalogues = dict(self._catalogues)
        catalogues.pop(live.artifact.version, None)
        catalogues[live.artifact.version] = live
        self._catalogues = catalogues  # at once: readers take no lock
        return live


def _renew(live: LiveCatalogue, connection: Connection) -> LiveCatalogue:
    position = read_position(connection)  # first: what is read after it holds all that it counts
    if live.catalogue_number < position.catalogue:
        live = _with_products(live, connection, position)
    if live.rules_number < position.rules:
        live = _with_rules(live, connection, position)
    if live.erased_number < position.erased:
        tombstones = connection.execute(select(erased.c.customer)).scalars()
        marks = frozenset(map(bytes, tombstones))
        live = replace(live, erased=marks, erased_number=position.erased)
    if not live.tombstone_key:
        live = replace(live, tombstone_key=read_tombstone_key(connection))
        live = _move_shop_time(live, connection)
    return live


def _move_shop_time(live: LiveCatalogue, connection: Connection) -> LiveCatalogue:
    before = live.model.shop_time
    shop_time = before.after(events.read_sales_days(connection, before.moment))
    if shop_time.moment == before.moment:
        return live
    return replace(live, model=replace(live.model, shop_time=shop_time))


def _with_products(
    live: LiveCatalogue, connection: Connection, position: Position
) -> LiveCatalogue:
    rows = connection.execute(
        select(products.c.product_id, products.c.document)
        .where(products.c.number > live.catalogue_number)
        .order_by(products.c.product_id)
    )
    updates = [
        read_product_update(product_id, orjson.loads(document)) for product_id, document in rows
    ]
    recommender, learned = live.model.recommender, live.artifact.recommender
    model = update_catalogue(recommender.model, updates, learned.model, learned.manifest.data_as_of)
    live = _with_price_changes(live, connection)
    return replace(
        live,
        model=replace(live.model, recommender=recommender.with_model(model)),
        catalogue_number=position.catalogue,
        restocked=read_restocked(connection),
    )


def _with_price_changes(live: LiveCatalogue, connection: Connection) -> LiveCatalogue:
    rows = read_price_changes(connection, live.price_number, MOST_PRICE_CHANGES)
    if not rows:
        return live
    changes = dict(live.price_changes)
    for row in rows:
        change = PriceChange(row.time, row.price, row.currency)
        known = (*changes.pop(row.product_id, ()), change)
        changes[row.product_id] = known[-MOST_OF_ONE_PRODUCT:]
    # Those whose price was not changed for longest stand first
    for product_id in list(changes)[: max(len(changes) - MOST_PRICE_CHANGES, 0)]:
        del changes[product_id]
    return replace(live, price_changes=changes, price_number=rows[-1].number)


def _by_item(values: Mapping[str, T], ids: IdIndex) -> dict[int, T]:
    items = ids.find_all(list(values)).tolist() if values else []
    return {item: value for item, value in zip(items, values.values(), strict=True) if item >= 0}


def _with_learned(
    changes: tuple[PriceChange, ...], learned: Catalogue, item: int
) -> tuple[PriceChange, ...]:
    """Return the changes with what was shown before the shop reported the first price."""
    if item >= len(learned):
        return changes
    price, currency = float(learned.price[item]), learned.currency[item] or None
    first = changes[0]
    if first.price is None and not isnan(price):
        first = replace(first, price=price)
    known = (first, *changes[1:])
    return tuple(
        change if change.currency else replace(change, currency=currency) for change in known
    )


def _with_rules(live: LiveCatalogue, connection: Connection, position: Position) -> LiveCatalogue:
    rules = list(map(SHOP_RULE.validate_json, RULES.read_texts(connection).values()))
    bundles = [
        BundleBody.model_validate_json(text).build(bundle_id)
        for bundle_id, text in BUNDLES.read_texts(connection).items()
    ]
    documents = read_documents(connection)
    secret, holdout = documents.secret, documents.holdout
    experiments = [
        Experiment.read(document, secret, parse_rule) for document in documents.experiments
    ]
    offers = [ShopOffer.read(*each) for each in OFFERS.read_all(connection).items()]
    dated = (*rules, *bundles, *offers)
    boundaries = [moment for each in dated for moment in (each.starts, each.ends)]
    boundaries += [moment for each in experiments for moment in each.boundaries]
    return replace(
        live,
        rules=tuple(sorted(rules, key=lambda rule: rule.place)),
        bundles=tuple(sorted(bundles, key=lambda bundle: bundle.id)),
        offers=tuple(offers),
        experiments=tuple(experiments),
        holdout=Holdout.read(holdout, secret) if holdout else None,
        rule_boundaries=tuple(sorted(moment for moment in boundaries if moment is not None)),
        rules_number=position.rules,
    )


def _count_sales(live: LiveCatalogue, learned: int, connection: Connection) -> LiveCatalogue:
    number = read_position(connection).number
    live = _move_shop_time(live, connection)
    recommender = live.model.recommender
    sales = recommender.model.sales
    # Of a model that did not read this store it is known only up to when it has learned.
    after = recommender.manifest.data_as_of if learned == 0 else -1
    new_lines = events.read_sold_lines(
        connection, learned, max(live.sales_number, learned), number, after
    )
    # Windows of sales end at shop time.
    shop_time = live.model.shop_time.moment
    waiting = [*live.unconfirmed_sales, *new_lines]
    lines = [line for line in waiting if line.time <= shop_time]
    unconfirmed = tuple(line for line in waiting if line.time > shop_time)
    product_ids = [line.product_id for line in lines]
    item_of = {name: recommender.catalogue.ids.find(name) for name in set(product_ids)}
    items = np.array([item_of[name] for name in product_ids], np.int32)
    known = items >= 0
    if not known.any():
        return replace(live, sales_number=number, unconfirmed_sales=unconfirmed)
    markets = recommender.model.customers.market_names
    times = np.array([line.time for line in lines], np.int64)[known]
    market = [markets.find(line.market) if line.market else -1 for line in lines]
    continued = sales.add_lines(times, np.array(market, np.int32)[known], items[known])
    if continued is sales:
        return live  # too few yet: they are counted again with those that come
    changed = recommender.with_model(replace(recommender.model, sales=continued))
    changed.sales_trends.warm(len(markets))
    model = replace(live.model, recommender=changed)
    return replace(live, model=model, sales_number=number, unconfirmed_sales=unconfirmed)
