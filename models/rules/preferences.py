"""Preferences: what a customer says they like, avoid and need, and what it does to a catalogue.

Nothing is inferred here and nothing is added: a product is liked, avoided or unsuitable by a value
that it bears and that the customer has named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.data.product_columns import Column, tell_value
from models.rules.eligibility import ExclusionRule, Removed, find_allowed
from models.rules.rule_effects import RuleEffects

Mask = NDArray[np.bool_]

CATEGORY: Final = "category"
BRAND: Final = "brand"
KINDS: Final = ("likes", "avoids", "needs")
MAX_VALUES: Final = 50  # in all of what one customer says
LIKED_ODDS: Final = 64.0  # by so much the odds of a purchase count for more where it is liked


@dataclass(frozen=True)
class Preference:
    """Values of an attribute, the category or the brand that a customer names."""

    attribute: str  # CATEGORY, BRAND, or the name of an attribute
    values: tuple[str, ...]

    @property
    def is_field(self) -> bool:
        """Tell whether it is about the category or the brand."""
        return self.attribute in (CATEGORY, BRAND)

    def column(self, catalogue: Catalogue) -> Column:
        """Return the values of all products that it is about."""
        if self.is_field:
            return catalogue.columns.field(self.attribute)
        return catalogue.columns.attribute(self.attribute)

    def document(self) -> dict[str, Any]:
        return {"attribute": self.attribute, "values": list(self.values)}


@dataclass(frozen=True)
class Preferences:
    """Hold all that a customer has said."""

    likes: tuple[Preference, ...] = ()
    avoids: tuple[Preference, ...] = ()
    # Of each of these attributes only products that bear one of the values suit them
    needs: tuple[Preference, ...] = ()

    @classmethod
    def read(cls, text: str | bytes) -> Self:
        """Return what a JSON text of `document` says; an empty one says nothing."""
        return cls.of(orjson.loads(text) if text else {})

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Return what the JSON values of `document` say."""
        parts = {kind: tuple(map(_read, document.get(kind, ()))) for kind in KINDS}
        return cls(**parts)

    def __bool__(self) -> bool:
        return bool(self.likes or self.avoids or self.needs)

    def without_likes(self) -> Self:
        """Return what keeps products out alone."""
        return replace(self, likes=())

    def joined(self, other: Preferences) -> Preferences:
        """Return what two customers say together, each preference once."""
        parts = {}
        for kind in KINDS:
            both = (*getattr(self, kind), *getattr(other, kind))
            parts[kind] = tuple(dict.fromkeys(both))
        return Preferences(**parts)

    def document(self) -> dict[str, list[dict[str, Any]]]:
        """Return JSON values."""
        return {kind: [one.document() for one in getattr(self, kind)] for kind in KINDS}

    def pack(self) -> str:
        """Return the JSON text that `read` reads, without kinds of which nothing is said."""
        said = {kind: parts for kind, parts in self.document().items() if parts}
        return orjson.dumps(said).decode()


def check_preferences(text: str) -> str:
    """Return what somebody wrote as JSON, as `Preferences.pack` writes it.

    Raises ValueError for anything else: nothing of it is guessed.
    """
    document = orjson.loads(text)
    if not isinstance(document, dict) or document.keys() - set(KINDS):
        raise ValueError(f"should be an object of {', '.join(KINDS)}")
    parts = {}
    for kind in KINDS:
        listed = document.get(kind, [])
        if not isinstance(listed, list):
            raise ValueError(f"{kind} should be a list")
        parts[kind] = tuple(map(_check_one, listed))
    if sum(len(one.values) for listed in parts.values() for one in listed) > MAX_VALUES:
        raise ValueError(f"should hold at most {MAX_VALUES} values in all")
    return Preferences(**parts).pack()


def _check_one(document: Any) -> Preference:
    if not isinstance(document, dict) or document.keys() != {"attribute", "values"}:
        raise ValueError("should be objects of an attribute and its values")
    attribute, values = document["attribute"], document["values"]
    if not isinstance(attribute, str) or not isinstance(values, list) or not values:
        raise ValueError("should have a name and a list of values")
    if not all(isinstance(value, str | int | float | bool) for value in values):
        raise ValueError("should have texts, numbers or flags for values")
    return Preference(attribute, tuple(map(tell_value, values)))


NO_PREFERENCES: Final = Preferences()


def _read(document: Mapping[str, Any]) -> Preference:
    return Preference(document["attribute"], tuple(document["values"]))


@dataclass(frozen=True, eq=False)
class LikedProducts:
    """Hold products that a customer likes, and by which value each."""

    items: NDArray[np.int64]  # (k,) sorted
    named: NDArray[np.int16]  # (k,) index in `names`: the first that the product bears
    names: tuple[str, ...]

    def without(self, items: NDArray[np.integer[Any]]) -> LikedProducts:
        """Return the others."""
        if len(self.items) == 0:
            return self
        kept = ~np.isin(self.items, items)
        return LikedProducts(self.items[kept], self.named[kept], self.names)

    def name_of(self, item: int) -> str:
        """Return the value that a product is liked by, an empty text where it is not liked."""
        index = int(np.searchsorted(self.items, item))
        if index == len(self.items) or self.items[index] != item:
            return ""
        return self.names[int(self.named[index])]


NOTHING_LIKED: Final = LikedProducts(np.zeros(0, np.int64), np.zeros(0, np.int16), ())


@dataclass(frozen=True, eq=False)
class PreferenceEffects:
    """Hold what one customer's preferences do to every product."""

    removed: Removed
    liked: LikedProducts

    def added_to(self, effects: RuleEffects) -> RuleEffects:
        """Return the effects of the shop's rules with these; a rule of the shop is named first."""
        removed = np.where(find_allowed(effects.removed), self.removed, effects.removed)
        log_odds = effects.log_odds
        if len(self.liked.items):
            log_odds = log_odds.copy()
            log_odds[self.liked.items] += np.float32(np.log(LIKED_ODDS))
        return replace(effects, removed=removed, log_odds=log_odds)


def build_preference_effects(preferences: Preferences, catalogue: Catalogue) -> PreferenceEffects:
    """Apply a customer's preferences to the products of a catalogue."""
    removed = np.zeros(len(catalogue), np.uint8)
    for avoided in preferences.avoids:
        removed[avoided.column(catalogue).bearing(avoided.values)] = ExclusionRule.AVOIDED
    for need in preferences.needs:
        unsuitable = find_unsuitable(need, catalogue)
        removed[unsuitable & find_allowed(removed)] = ExclusionRule.UNSUITABLE
    liked = _find_liked(preferences, catalogue) if preferences.likes else NOTHING_LIKED
    return PreferenceEffects(removed, liked)


def find_unsuitable(need: Preference, catalogue: Catalogue) -> Mask:
    """Return which products do not suit a need: (items,).

    They bear other values alone, or none that is known in a category where products bear one. A
    book has no size, so that of a customer keeps none out; a shirt whose size nobody knows may not
    fit. Products without a category are one of their own.
    """
    column = need.column(catalogue)
    known = column.known
    # A category is used in the whole shop or nowhere
    category = np.where(need.attribute == CATEGORY, 0, catalogue.category)
    is_used = np.zeros(len(catalogue.category_names) + 1, np.bool_)  # the last one is for code -1
    is_used[category[known]] = True
    unsuitable: Mask = is_used[category] & ~column.bearing(need.values)
    return unsuitable


def _find_liked(preferences: Preferences, catalogue: Catalogue) -> LikedProducts:
    named = np.full(len(catalogue), -1, np.int16)
    names: list[str] = []
    for liked in preferences.likes:
        column = liked.column(catalogue)
        for value in liked.values:
            named[column.bearing([value]) & (named < 0)] = len(names)
            names.append(value)
    items = np.flatnonzero(named >= 0)
    return LikedProducts(items, named[items], tuple(names))
