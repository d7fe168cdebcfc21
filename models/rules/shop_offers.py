"""Offers of the shop: what it promises some of its customers, beside what it recommends.

An offer changes no slate. Who may have it is decided here; a single-use code is given by the store.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

from models.data.segments import NO_GROUPS, CustomerGroups
from models.rules.shop_rules import is_in_force, place_of, read_moment

FALLBACK_LANGUAGE: Final = "en"


class OfferSituation(NamedTuple):
    """Where an offer would stand, and for whom."""

    placement: str | None
    moment: int  # seconds since 1970
    is_known: bool  # a customer is named who may be treated personally in this channel
    groups: CustomerGroups = NO_GROUPS  # theirs, where they may be used
    occasion: str | None = None  # of a mail: a value of models.mail.mailings.MailKind
    of_variant: frozenset[str] = frozenset()  # offers of the part of an experiment


@dataclass(frozen=True)
class ShopOffer:
    """An offer for some placements, occasions and customers and some time."""

    id: str
    text: Mapping[str, str]  # by language
    code: str | None = None  # the same for everyone
    is_single_use: bool = False  # each customer gets a code of their own
    starts: int | None = None  # seconds since 1970: the first second in force
    ends: int | None = None  # the first second that is no longer in force
    order: int | None = None  # the lower goes first; None: after those that have one
    placements: frozenset[str] = frozenset()  # empty: all
    segments: frozenset[str] = frozenset()  # empty: everyone
    customers: Mapping[str, Collection[str]] = field(default_factory=dict)  # empty: everyone
    occasions: frozenset[str] = frozenset()  # empty: mails of any kind, and pages
    in_experiments_only: bool = False  # it stands in variants that name it alone

    @classmethod
    def read(cls, offer_id: str, document: Mapping[str, Any]) -> Self:
        """Return the offer of a document that was checked."""

        def moment_of(name: str) -> int | None:
            return read_moment(document[name]) if name in document else None

        return cls(
            id=offer_id,
            text=document["text"],
            code=document.get("code"),
            is_single_use=document.get("single_use", False),
            starts=moment_of("starts"),
            ends=moment_of("ends"),
            order=document.get("order"),
            placements=frozenset(document.get("placements", ())),
            segments=frozenset(document.get("segments", ())),
            customers=document.get("customers", {}),
            occasions=frozenset(document.get("occasions", ())),
            in_experiments_only=document.get("in_experiments_only", False),
        )

    @property
    def place(self) -> tuple[int, str]:
        """Return what offers are sorted by: their order, then their ids."""
        return place_of(self.id, self.order)

    @property
    def is_personal(self) -> bool:
        """Tell whether it takes a customer who is known and allows it."""
        return self.is_single_use or self.is_for_some

    @property
    def is_for_some(self) -> bool:
        """Tell whether it is for some groups of customers."""
        return bool(self.segments or self.customers)

    def stands_in(self, situation: OfferSituation) -> bool:
        """Tell whether it stands beside a slate."""
        return (
            is_in_force(self.starts, self.ends, situation.moment)
            and (not self.placements or situation.placement in self.placements)
            and (not self.occasions or situation.occasion in self.occasions)
            and (situation.is_known or not self.is_personal)
            and situation.groups.meet(self.segments, self.customers)
            and (not self.in_experiments_only or self.id in situation.of_variant)
        )

    def say(self, locale: str, language: str) -> str:
        """Return its text for a locale; `language`: the one that the answer speaks."""
        tags = {tag.replace("_", "-").lower(): text for tag, text in self.text.items()}
        asked = locale.replace("_", "-").lower()
        for tag in (asked, asked.partition("-")[0], language, FALLBACK_LANGUAGE):
            if tag in tags:
                return tags[tag]
        return tags[min(tags)]


def find_offers(offers: Iterable[ShopOffer], situation: OfferSituation) -> list[ShopOffer]:
    """Return the offers that may stand beside a slate, in their order; one of them does."""
    standing = [offer for offer in offers if offer.stands_in(situation)]
    return sorted(standing, key=lambda offer: offer.place)


def offers_in_force(offers: Sequence[ShopOffer], clock: int) -> tuple[ShopOffer, ...]:
    """Return the offers in force at a moment of the clock."""
    return tuple(offer for offer in offers if is_in_force(offer.starts, offer.ends, clock))
