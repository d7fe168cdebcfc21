"""Order of a slate: best first, not ten of a kind, and a chance for what is new on sale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.data.ragged import is_among
from models.experiments.experiment import VarietyLimits
from models.model import Model
from models.ranking.context import RankingContext
from models.ranking.customer_profile import CATEGORY_FEATURES
from models.rules.rule_effects import Cap, CapCounter, insert_pinned
from models.settings import ArrivalSettings, DiversitySettings, ModelSettings

Items = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Likeness:
    """Limits on products that are alike, which hold while there is something else."""

    family: NDArray[np.int32]  # (items,) shared by products that differ in size alone, or -1
    limits: tuple[Cap, ...]

    @classmethod
    def of(cls, model: Model, diversity: DiversitySettings) -> Self:
        """Return the limits of settings."""
        limits = (
            Cap(model.traits.category, diversity.category),
            Cap(model.catalogue.brand, diversity.brand),
            Cap(model.traits.family, diversity.family),
        )
        return cls(model.traits.family, limits)

    @classmethod
    def of_slate(
        cls,
        model: Model,
        diversity: DiversitySettings,
        context: RankingContext,
        placement: str | None,
        variety: VarietyLimits | None = None,
    ) -> Self:
        """Return the limits of a slate: those of settings, and what the shop taught about them.

        `variety`: of an experiment, before them.
        """
        learned = int(model.lesson.category_limits[int(context.is_visit)])
        limits = diversity.at(placement, learned)
        if variety is not None:
            category, brand = variety.category or limits.category, variety.brand or limits.brand
            limits = replace(limits, category=category, brand=brand)
        return cls.of(model, limits)

    @classmethod
    def of_families(cls, model: Model, diversity: DiversitySettings) -> Self:
        """Return the limits of settings on families alone."""
        return cls(model.traits.family, (Cap(model.traits.family, diversity.family),))

    def are_family(self, item: int, other: int | None) -> bool:
        """Return whether two products differ in size alone."""
        if other is None:
            return False
        code: int = self.family.item(item)
        return code >= 0 and code == self.family.item(other)


@dataclass(frozen=True, eq=False)
class SlateLimits:
    """Bounds on the order of one slate, from its request and the shop's rules."""

    n: int
    placement: str | None = None
    pinned: Mapping[int, int] = field(default_factory=dict)  # position from 0 -> candidate (item)
    caps: Sequence[Cap] = ()
    variety: VarietyLimits | None = None  # of an experiment


def arrange(
    ranked: Items,
    context: RankingContext,
    limits: SlateLimits,
    model: Model,
    settings: ModelSettings,
) -> Items:
    """Return which ranked candidates (c,) are shown, in their order: indices (at most n,)."""
    n = limits.n
    pinned = {
        position: int(np.flatnonzero(ranked == item)[0]) for position, item in limits.pinned.items()
    }
    counter = CapCounter(limits.caps, n, limits.pinned.values())
    arrivals = [
        index
        for index in _arrivals(ranked, n, list(pinned.values()), context, model, settings.arrivals)
        if counter.take(int(ranked[index]))
    ]
    likeness = Likeness.of_slate(
        model, settings.diversity, context, limits.placement, limits.variety
    )
    elsewhere = ranked[[*pinned.values(), *arrivals]].tolist()
    order = diversify(ranked.tolist(), n, likeness, elsewhere, limits.caps)
    for index in arrivals:
        order.insert(_last_position(order, index, model.traits.family[ranked]), index)
    return np.array(insert_pinned(order, pinned), np.int64)


def diversify(
    items: Sequence[int],
    n: int,
    likeness: Likeness,
    elsewhere: Sequence[int] = (),
    caps: Sequence[Cap] = (),
    before: int | None = None,
) -> list[int]:
    """Return the indices of the first items that are not too much alike, as a slate of n has room.

    Those too much alike come last, if nothing else is left. Of two products of one family one
    stands next to something else if it can. The items `elsewhere` in the slate count among the n
    and are not returned; `before` is the one that stands before. The shop's caps hold to the end.
    """
    alike_counter = CapCounter(likeness.limits, n, elsewhere)
    shop_counter = CapCounter(caps, n, elsewhere)
    wanted = n - len(elsewhere)
    chosen: list[int] = []
    waiting: list[int] = []  # for something else to stand between
    too_many: list[int] = []
    last = before

    def show(index: int) -> None:
        nonlocal last
        if len(chosen) < wanted and shop_counter.take(items[index]):
            alike_counter.show(items[index])
            chosen.append(index)
            last = items[index]

    for index, item in enumerate(items):
        if len(chosen) >= wanted:
            break
        if not alike_counter.fits(item):
            too_many.append(index)
        elif likeness.are_family(item, last):
            waiting.append(index)
        else:
            show(index)
            for other in waiting:
                fits = alike_counter.fits(items[other])
                if fits and not likeness.are_family(items[other], last):
                    waiting.remove(other)
                    show(other)
                    break
    for index in [*waiting, *too_many]:
        show(index)
    return chosen


def _last_position(order: list[int], index: int, family: NDArray[np.int32]) -> int:
    """Find the last position beside nothing of the index's own family, else the end."""
    if family[index] < 0:
        return len(order)
    for position in range(len(order), 0, -1):
        neighbours = order[position - 1 : position + 1]
        if family[index] not in family[neighbours]:
            return position
    return len(order)


def _arrivals(
    ranked: Items,
    n: int,
    pinned: list[int],
    context: RankingContext,
    model: Model,
    settings: ArrivalSettings,
) -> list[int]:
    """Choose the new arrivals below the first n that suit best, where few earned a place above."""
    n = min(n, len(ranked))
    limit = min(int(n * settings.share), n - len(pinned))
    if limit == 0 or len(context.arrivals) == 0:
        return []
    new = is_among(ranked, context.arrivals)
    new[pinned] = False
    n -= len(pinned)
    below = n + np.flatnonzero(new[n:])
    category = model.traits.category[ranked[below]]
    share = context.profile.by_category[CATEGORY_FEATURES.index("category_share"), category]
    missing = max(limit - int(np.count_nonzero(new[:n])), 0)
    chosen: list[int] = below[share >= settings.category_share][:missing].tolist()
    return chosen
