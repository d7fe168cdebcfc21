"""A model and what the service's store says beyond it: the shop as it is now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import orjson
from numpy.typing import NDArray

from models.data.customers import PERSONALIZE_EMAIL
from models.data.events import DAY, PURCHASE, Events, order_code
from models.mail.recipient import StoreFacts
from models.model import Model
from models.recommender import NOBODY, Recommender
from models.rules.shop_rule_json import rule_of
from models.rules.shop_rules import ShopRule
from models.updates.catalogue import product_update_of, update_catalogue
from models.updates.customer import NO_UPDATE, CustomerUpdate, allows, updated_history
from training.export.store_snapshot import StoreSnapshot, UnlearnedSales


@dataclass(frozen=True, eq=False)
class CurrentModel:
    """What a worker answers from; made once in each process."""

    recommender: Recommender  # products and sales as they are now
    live: StoreSnapshot
    unasked: int  # what holds for who was never asked: YES or NO of models.customers
    as_of: int  # the newest event of both, seconds since 1970
    rules: tuple[ShopRule, ...]
    facts: StoreFacts  # what came back into stock
    items: NDArray[
        np.int32
    ]  # the item of each of Live.products, -1 for one that the catalogue does not know

    @classmethod
    def of(cls, learned: Recommender, live: StoreSnapshot, unasked: int) -> Self:
        model = _model(learned, live)
        items = model.catalogue.ids.find_all(list(live.products))
        back = np.flatnonzero(live.told.restocked > 0)
        restocked = model.catalogue.ids.find_all(
            [live.told.ids[place] for place in back.tolist()]
        ).tolist()
        model = _selling(model, live.sold, items)
        return cls(
            learned.with_model(model),
            live,
            unasked,
            max(learned.manifest.data_as_of, int(live.newest[0])),
            tuple(rule_of(orjson.loads(document)) for document in live.rules),
            StoreFacts(
                restocked=dict(zip(restocked, live.told.restocked[back].tolist(), strict=True))
            ),
            items,
        )

    def since(self, customer_id: str) -> CustomerUpdate:
        """What the customer has done and said since the model learned."""
        if self.live.forgotten(customer_id):
            return replace(self._stranger, forgotten=True)
        place = self.live.customers.ids.find(customer_id)
        if place < 0:
            return self._stranger
        told, people = self.live.histories.of(place), self.live.customers
        item = self.items[told.item]
        return CustomerUpdate(
            Events(item, told.time, told.kind, told.weight, told.order).at(item >= 0),
            consent=tuple(
                zip(
                    people.consent[place].tolist(), people.consent_time[place].tolist(), strict=True
                )
            ),
            unasked=self.unasked,
            unused=self._items(self.live.struck, place),
        )

    def seen(self, customer_id: str, since: CustomerUpdate) -> tuple[int, ...]:
        """What mails have shown the customer. Who does not want to be known, or was erased, gets what everyone gets."""
        place, customers = self.live.mailed.find(customer_id), self.recommender.model.customers
        if place < 0 or since.forgotten:
            return ()
        if not allows(customers, self._user(customer_id, since), PERSONALIZE_EMAIL, since):
            return ()
        return tuple(np.unique(self._items(self.live.shown, place)).tolist())

    @cached_property
    def _stranger(self) -> CustomerUpdate:
        return replace(NO_UPDATE, unasked=self.unasked)

    def about(
        self, customer_id: str, since: CustomerUpdate, order_id: str | None, as_of: int | None
    ) -> StoreFacts:
        """With the products of an order of the customer's; at a moment that is asked about, without what came later."""
        facts = self.facts
        if as_of is not None and facts.restocked:
            facts = replace(
                facts,
                restocked={item: when for item, when in facts.restocked.items() if when <= as_of},
            )
        if order_id is None:
            return facts
        histories, user = self.recommender.model.histories, self._user(customer_id, since)
        events = updated_history(histories.none() if user == NOBODY else histories.of(user), since)
        bought = events.item[(events.kind == PURCHASE) & (events.order == order_code(order_id))]
        return replace(facts, order=tuple(np.unique(bought).tolist()))

    def _user(self, customer_id: str, since: CustomerUpdate) -> int:
        return NOBODY if since.forgotten else self.recommender.model.customers.ids.find(customer_id)

    def _items(self, pairs: NDArray[np.int32], place: int) -> NDArray[np.int32]:
        """The products that stand beside a place in sorted pairs, without those that the catalogue does not know."""
        items = self.items[pairs[slice(*np.searchsorted(pairs[:, 0], (place, place + 1))), 1]]
        return items[items >= 0]


def _model(learned: Recommender, live: StoreSnapshot) -> Model:
    """With the products as they are now."""
    told = zip(live.told.ids, live.told.document, strict=True)
    products = [
        product_update_of(product_id, orjson.loads(document)) for product_id, document in told
    ]
    return update_catalogue(learned.model, products, learned.model, learned.manifest.data_as_of)


def _selling(model: Model, sold: UnlearnedSales, items: NDArray[np.int32]) -> Model:
    """With what was sold since in what is popular."""
    item = items[sold.product]
    known = item >= 0
    if not known.any():
        return model
    # The last one is for code -1.
    market = np.append(
        model.customers.market_names.find_all(list(sold.market_names)), np.int32(-1)
    )[sold.market]
    time = sold.time[known]
    return replace(
        model, sales=model.sales.continued(time // DAY, market[known], item[known], int(time.max()))
    )
