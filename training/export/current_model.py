"""Bring a model up to date with what the service's store holds beyond it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from models.data.customer_figures import CustomerFigures
from models.data.customers import PERSONALIZE_EMAIL, TRAIN
from models.data.events import PURCHASE, Events, order_code
from models.data.segments import NO_GROUPS, CustomerGroups
from models.data.shop_time import SalesDay, ShopTime
from models.experiments.experiment import AssignedBy, AssignedVariant, Experiment, find_assigned
from models.experiments.holdout import Holdout
from models.mail.recipient import StoreFacts
from models.model import Model
from models.recommender import NOBODY, Recommender
from models.rules.preferences import Preferences
from models.rules.shop_offers import OfferSituation, ShopOffer, find_offers
from models.rules.shop_rules import AnyShopRule, ShopRule
from models.slate import SlateRequest
from models.updates.catalogue import read_product_update, update_catalogue
from models.updates.customer import NO_UPDATE, REFUSED, CustomerUpdate, update_history
from training.export.store_snapshot import ReportedProducts, StoreSnapshot, UnlearnedSales
from training.reading.rules_file import SHOP_RULE


@dataclass(frozen=True, eq=False)
class CurrentModel:
    """A recommender and a store's snapshot, from which every slate of a file is answered.

    Each process makes one.
    """

    recommender: Recommender  # products and sales as they are now
    snapshot: StoreSnapshot
    unasked: int  # for customers who never answered: YES or NO of models.data.customers
    as_of: int  # shop time, seconds since 1970
    rules: tuple[ShopRule, ...]
    facts: StoreFacts  # what came back into stock
    items: NDArray[np.int32]  # item of each of snapshot.products, -1 where the catalogue has none
    experiments: tuple[Experiment, ...] = ()
    holdout: Holdout | None = None
    offers: tuple[ShopOffer, ...] = ()
    figures: CustomerFigures | None = None  # by which customers are in segments

    @classmethod
    def of(cls, learned: Recommender, snapshot: StoreSnapshot, unasked: int) -> Self:
        """Apply a snapshot to what a model has learned."""
        model = _with_reported_products(learned, snapshot.reported)
        items = model.catalogue.ids.find_all(list(snapshot.products))
        days = [SalesDay(*row) for row in snapshot.sales_days.tolist()]
        shop_time = ShopTime.of_sales(learned.model.sales).after(days).moment
        experiments, holdout = read_experiments(snapshot)
        return cls(
            recommender=learned.with_model(_with_sales(model, snapshot.sold, items, shop_time)),
            snapshot=snapshot,
            unasked=unasked,
            as_of=shop_time,
            rules=tuple(map(SHOP_RULE.validate_json, snapshot.rules)),
            facts=StoreFacts(
                restocked=_restocked(model, snapshot.reported),
                newest_event=int(snapshot.newest[0]),
            ),
            items=items,
            experiments=experiments,
            holdout=holdout,
            offers=_read_offers(snapshot),
        )

    def with_figures(self, registry: Path) -> Self:
        """Return it with the segments of customers, where rules or the like are for some."""
        in_rules = any(rule.segments for rule in self.rules)
        in_experiments = any(one.segments for one in self.experiments)
        if not (in_rules or in_experiments or any(one.segments for one in self.offers)):
            return self
        return replace(self, figures=CustomerFigures.read(registry))

    def find_groups(self, customer_id: str, update: CustomerUpdate) -> CustomerGroups:
        """Return a customer's groups, where they may be used in mails, as the service would."""
        figure = None if self.figures is None else self.figures.find(customer_id)
        segment = None if figure is None else figure.segment
        groups = CustomerGroups(segment, self.recommender.find_columns(customer_id))
        if groups == NO_GROUPS or update.forgotten:
            return NO_GROUPS
        request = SlateRequest(purpose=PERSONALIZE_EMAIL, holdout=self.holdout)
        if self.recommender.refusal(customer_id, request, update):
            return NO_GROUPS
        return groups if self.recommender.allows(customer_id, TRAIN, update) else NO_GROUPS

    def find_assigned(
        self, customer_id: str, placement: str, moment: int, groups: CustomerGroups = NO_GROUPS
    ) -> AssignedVariant | None:
        """Return the part of an experiment that a customer is in, as the service would.

        `groups`: theirs, where they may be used.
        """
        if self.holdout is not None and self.holdout.holds(customer_id):
            return None
        subjects = {AssignedBy.CUSTOMER: customer_id, AssignedBy.SESSION: None}
        return find_assigned(self.experiments, subjects, placement, moment, groups)

    def find_offers(
        self, customer_id: str, update: CustomerUpdate, situation: OfferSituation
    ) -> tuple[ShopOffer, ...]:
        """Return the offers that may stand beside a customer's slate, as the service would."""
        if not self.offers:
            return ()
        request = SlateRequest(purpose=PERSONALIZE_EMAIL, holdout=self.holdout)
        refusal = self.recommender.refusal(customer_id, request, update)
        is_known = not update.forgotten and refusal is None
        return tuple(find_offers(self.offers, situation._replace(is_known=is_known)))

    def update_of(self, customer_id: str) -> CustomerUpdate:
        """Return what the customer has done and answered since the model learned."""
        if self.snapshot.forgotten(customer_id):
            return replace(self._nothing_new, forgotten=True)
        customers = self.snapshot.customers
        row = customers.ids.find(customer_id)
        if row < 0 and self.snapshot.has_lost_consent(customer_id):
            return replace(self._nothing_new, consent=(REFUSED,) * len(NO_UPDATE.consent))
        if row < 0:
            return self._nothing_new
        events = self.snapshot.histories.of(row)
        item = self.items[events.item]
        in_catalogue = item >= 0
        said = customers.preferences_of(row)
        values, times = customers.consent[row].tolist(), customers.consent_time[row].tolist()
        return CustomerUpdate(
            Events(item, events.time, events.kind, events.weight, events.order).at(in_catalogue),
            consent=tuple(zip(values, times, strict=True)),
            unasked=self.unasked,
            unused=self._items_of(self.snapshot.struck, row),
            preferences=Preferences.read(said) if said else None,
            may_repeat=int(self.snapshot.learned[0]) < self.recommender.manifest.event_position,
        )

    def shown_items(self, customer_id: str, update: CustomerUpdate) -> tuple[int, ...]:
        """Return the items that mails have shown the customer.

        They are none for customers who were erased, refuse personal mails or are held out, who get
        what everyone gets.
        """
        row = self.snapshot.mailed.find(customer_id)
        if row < 0 or update.forgotten:
            return ()
        request = SlateRequest(purpose=PERSONALIZE_EMAIL, holdout=self.holdout)
        if self.recommender.refusal(customer_id, request, update):
            return ()
        return tuple(np.unique(self._items_of(self.snapshot.shown, row)).tolist())

    def facts_for(
        self, customer_id: str, update: CustomerUpdate, order_id: str | None, as_of: int | None
    ) -> StoreFacts:
        """Return the facts for a mail to the customer, with the items of an order of theirs.

        `as_of`: a moment in seconds since 1970, without what came later.
        """
        facts = self.facts
        if as_of is not None and facts.restocked:
            restocked = {item: time for item, time in facts.restocked.items() if time <= as_of}
            facts = replace(facts, restocked=restocked)
        if order_id is None:
            return facts
        histories, user = self.recommender.model.histories, self._user(customer_id, update)
        history = histories.none() if user == NOBODY else histories.of(user)
        events = update_history(history, update)
        in_order = (events.kind == PURCHASE) & (events.order == order_code(order_id))
        return replace(facts, order=tuple(np.unique(events.item[in_order]).tolist()))

    @cached_property
    def _nothing_new(self) -> CustomerUpdate:
        return replace(NO_UPDATE, unasked=self.unasked)

    def _user(self, customer_id: str, update: CustomerUpdate) -> int:
        if update.forgotten:
            return NOBODY
        return self.recommender.model.customers.ids.find(customer_id)

    def _items_of(self, pairs: NDArray[np.int32], row: int) -> NDArray[np.int32]:
        """Return the items beside `row` in sorted pairs, where the catalogue has them."""
        first, end = np.searchsorted(pairs[:, 0], (row, row + 1))
        items = self.items[pairs[first:end, 1]]
        return items[items >= 0]


def read_experiments(
    snapshot: StoreSnapshot,
) -> tuple[tuple[Experiment, ...], Holdout | None]:
    """Return the experiments of a store, and its holdout."""
    secret, holdout, experiments = snapshot.assigning_key.tobytes(), None, []
    for document in map(orjson.loads, snapshot.experiments):
        if "id" in document:
            experiments.append(Experiment.read(document, secret, _parse_rule))
        else:
            holdout = Holdout.read(document, secret)
    return tuple(experiments), holdout


def _read_offers(snapshot: StoreSnapshot) -> tuple[ShopOffer, ...]:
    documents = map(orjson.loads, snapshot.offers)
    return tuple(ShopOffer.read(document["id"], document) for document in documents)


def _parse_rule(document: Mapping[str, Any]) -> AnyShopRule:
    return SHOP_RULE.validate_json(orjson.dumps(document))


def _with_reported_products(learned: Recommender, reported: ReportedProducts) -> Model:
    updates = [
        read_product_update(product_id, orjson.loads(document))
        for product_id, document in zip(reported.ids, reported.document, strict=True)
    ]
    return update_catalogue(learned.model, updates, learned.model, learned.manifest.data_as_of)


def _restocked(model: Model, reported: ReportedProducts) -> dict[int, int]:
    """Return the item of each product that came back into stock, and when: seconds since 1970."""
    rows = np.flatnonzero(reported.restocked > 0)
    product_ids = [reported.ids[row] for row in rows.tolist()]
    items = model.catalogue.ids.find_all(product_ids).tolist()
    return dict(zip(items, reported.restocked[rows].tolist(), strict=True))


def _with_sales(
    model: Model, sold: UnlearnedSales, items: NDArray[np.int32], shop_time: int
) -> Model:
    """Add what was sold since, up to shop time, to the sales by which products are popular."""
    item = items[sold.product]
    known = (item >= 0) & (sold.time <= shop_time)
    if not known.any():
        return model
    market_codes = model.customers.market_names.find_all(list(sold.market_names))
    market = np.append(market_codes, np.int32(-1))[sold.market]  # the last one is for code -1
    time = sold.time[known]
    sales = model.sales.add_lines(time, market[known], item[known])
    return replace(model, sales=sales)
