"""Recipients of mails: one customer at one moment, with what the store knows beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.assembly.diversity import diversify
from models.data.events import DAY, PURCHASE, Events
from models.data.history import NEVER, Interactions, build_interactions, find_pair_starts
from models.languages.phrases import Phrase, counted
from models.ranking.context import RankingContext
from models.recommender import Recommender
from models.rules.eligibility import Removed, remove_bought, remove_named
from models.rules.filters import Repeat
from models.slate import SlateRequest, Slot
from models.sources.repurchase import RepurchaseClocks, build_repurchase_clocks
from models.updates.customer import CustomerUpdate


@dataclass(frozen=True, eq=False)
class StoreFacts:
    """Facts that the shop's store holds beside the customer's history; products as item indices."""

    order: tuple[int, ...] = ()  # of the order that triggers the mail
    # item -> when it came back, seconds since 1970; that may be after the newest event
    restocked: Mapping[int, int] = field(default_factory=dict)
    newest_event: int = 0  # of anyone and of any kind, seconds since 1970


NO_STORE_FACTS: Final = StoreFacts()


@dataclass(frozen=True, eq=False)
class MailRecipient:
    """One customer at the moment of a request. What takes long is computed when it is needed."""

    recommender: Recommender
    user: int  # -1: the model has not learned of them
    request: SlateRequest  # in their market
    update: CustomerUpdate
    facts: StoreFacts
    already_shown: tuple[int, ...] = ()  # by earlier mails

    @property
    def as_of(self) -> int:
        return self.recommender.moment_of(self.request)

    @cached_property
    def events(self) -> Events:
        return self.recommender.find_events(self.user, self.request, self.update)

    @cached_property
    def purchase_times(self) -> NDArray[np.int64]:
        """Return when each line was bought, in no order."""
        times: NDArray[np.int64] = self.events.time[self.events.kind == PURCHASE]
        return times

    @cached_property
    def pairs(self) -> Interactions:
        settings = self.recommender.settings.history
        return build_interactions(self.events, find_pair_starts(self.events), self.as_of, settings)

    @cached_property
    def clocks(self) -> RepurchaseClocks:
        repeats, settings = self.recommender.model.repeats, self.recommender.settings.repeats
        return build_repurchase_clocks(self.pairs, repeats, self.as_of, settings)

    @cached_property
    def context(self) -> RankingContext:
        return self.recommender.build_context(self.user, self.request, self.update)

    def find_removed(self, repeat: Repeat, *, again: bool = False) -> Removed:
        """Find what the catalogue, the shop, the request or the customer keeps out of the mail.

        With `again`, products that earlier mails have shown stay: the mail is about them.
        """
        recommender = self.recommender
        request = self.request if again else self.request.without(self.already_shown)
        return remove_bought(
            remove_named(recommender.find_filtered(request), request.named_items),
            self.pairs,
            self.clocks,
            recommender.model.repeats,
            repeat,
            recommender.settings.repeats,
        )

    def ages(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many seconds have passed since some moments.

        What came after shop time is as old as the newest event tells: it is at least so late.
        """
        now = np.where(times > self.as_of, self.facts.newest_event, self.as_of)
        return np.maximum(now - times, 0)

    def take_first(self, slots: Iterable[Slot]) -> tuple[Slot, ...]:
        """Return the first n slots that are not alike and keep to the caps of the shop."""
        slots = list(slots)
        caps = self.recommender.rule_effects(self.request).caps
        items = [slot.item for slot in slots]
        order = diversify(items, self.request.n, self.recommender.families, caps=caps)
        return tuple(slots[index] for index in order)

    def ordered_on(self, day: int) -> list[int]:
        """Return what was bought on a day (since 1970) and not sent back, sorted."""
        lines = (self.events.kind == PURCHASE) & (self.events.time // DAY == day)
        kept: list[int] = np.setdiff1d(self.events.item[lines], self.sent_back).tolist()
        return kept

    @property
    def sent_back(self) -> NDArray[np.int32]:
        """Return the items that were bought and came back, all of them."""
        pairs = self.pairs
        items: NDArray[np.int32] = pairs.item[(pairs.last != NEVER) & (pairs.count <= 0)]
        return items

    def titles(self, items: Sequence[int]) -> str:
        """Name the first item by its title, and the others by their number."""
        title, others = self.recommender.catalogue.title[items[0]], len(items) - 1
        if not title:
            return counted("a product", "{count} products", len(items))
        if not others:
            return title
        return counted("{title} and {count} more", "{title} and {count} more", others, title=title)

    def explain(self, slot: Slot) -> str:
        """Return the reason for a product with its title."""
        title, text = self.recommender.catalogue.title[slot.item], slot.reason.text
        return text.naming(title) if title and isinstance(text, Phrase) else text

    def ago(self, moment: int) -> Phrase:
        days = max(self.as_of // DAY - moment // DAY, 0)
        if days == 0:
            return Phrase("today")
        return counted("yesterday", "{count} days ago", days)
