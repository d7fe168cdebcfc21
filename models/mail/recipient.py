"""Whom a mail may go to: one customer at one moment, with what the shop's store knows beside their history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.events import DAY, PURCHASE, Events
from models.data.history import NEVER, Interactions, build_interactions, find_pair_starts
from models.ranking.context import RankingContext
from models.recommender import Recommender
from models.rules.eligibility import Removed, remove_bought, remove_named
from models.rules.filters import Repeat
from models.rules.rule_effects import CapCounter
from models.slate import SlateRequest, Slot
from models.sources.repurchase import RepurchaseClocks, build_repurchase_clocks
from models.updates.customer import CustomerUpdate


@dataclass(frozen=True, eq=False)
class StoreFacts:
    """What the shop's store knows beside the customer's own history; products as item indices."""

    order: tuple[int, ...] = ()  # of the order that triggers the mail
    # item -> when it came back, seconds since 1970; that may be after the newest event
    restocked: Mapping[int, int] = field(default_factory=dict)


NO_STORE_FACTS: Final = StoreFacts()


@dataclass(frozen=True, eq=False)
class MailRecipient:
    """Whom a mail may go to, at the moment of the request. What takes long is computed when it is needed."""

    recommender: Recommender
    user: int  # -1: the model has not learned of them
    request: SlateRequest  # in their market
    since: CustomerUpdate
    facts: StoreFacts
    before: tuple[int, ...] = ()  # shown by earlier mails

    @property
    def as_of(self) -> int:
        return self.recommender.moment_of(self.request)

    @cached_property
    def events(self) -> Events:
        return self.recommender.find_events(self.user, self.request, self.since)

    @cached_property
    def bought_at(self) -> NDArray[np.int64]:
        """When each line was bought, in no order."""
        times: NDArray[np.int64] = self.events.time[self.events.kind == PURCHASE]
        return times

    @cached_property
    def pairs(self) -> Interactions:
        return build_interactions(
            self.events,
            find_pair_starts(self.events),
            self.as_of,
            self.recommender.settings.history,
        )

    @cached_property
    def clocks(self) -> RepurchaseClocks:
        return build_repurchase_clocks(
            self.pairs,
            self.recommender.model.repeats,
            self.as_of,
            self.recommender.settings.repeats,
        )

    @cached_property
    def case(self) -> RankingContext:
        return self.recommender.build_context(self.user, self.request, self.since)

    def removed(self, repeat: Repeat, *, again: bool = False) -> Removed:
        """What neither the catalogue nor the shop, the request or the customer lets stand in the mail.

        `again`: the mail is about a product, which earlier mails may have shown.
        """
        recommender, request = self.recommender, self.request
        if not again:
            request = request.without(self.before)
        return remove_bought(
            remove_named(recommender.find_filtered(request), request.named_items),
            self.pairs,
            self.clocks,
            recommender.model.repeats,
            repeat,
            recommender.settings.repeats,
        )

    def leading(self, slots: Iterable[Slot]) -> tuple[Slot, ...]:
        """The first n that differ and keep to the caps of the shop."""
        room = CapCounter(self.recommender.rule_effects(self.request).caps, self.request.n)
        return tuple(islice((slot for slot in slots if room.take(slot.item)), self.request.n))

    def ordered_on(self, day: int) -> list[int]:
        """What was bought on a day (since 1970) and not sent back, sorted."""
        bought = self.events.item[(self.events.kind == PURCHASE) & (self.events.time // DAY == day)]
        kept: list[int] = np.setdiff1d(bought, self.sent_back).tolist()
        return kept

    @property
    def sent_back(self) -> NDArray[np.int32]:
        """What was bought and came back, all of it: items."""
        items: NDArray[np.int32] = self.pairs.item[
            (self.pairs.last != NEVER) & (self.pairs.count <= 0)
        ]
        return items

    def titles(self, items: Sequence[int]) -> str:
        """The first by its name, the others by their number."""
        title = self.recommender.catalogue.title[items[0]]
        if not title:
            return "a product" if len(items) == 1 else f"{len(items)} products"
        return title if len(items) == 1 else f"{title} and {len(items) - 1} more"

    def told(self, slot: Slot) -> str:
        """The reason of a product with its title."""
        title = self.recommender.catalogue.title[slot.item]
        return slot.reason.text.replace("this", title, 1) if title else slot.reason.text

    def ago(self, when: int) -> str:
        days = self.as_of // DAY - when // DAY
        return {0: "today", 1: "yesterday"}.get(days, f"{days} days ago")
