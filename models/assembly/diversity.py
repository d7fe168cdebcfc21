"""Order of a slate: best first, not ten of a kind, and a chance for what is new on sale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.data.ragged import is_among
from models.model import Model
from models.ranking.context import RankingContext
from models.ranking.customer_profile import CATEGORY_FEATURES
from models.rules.rule_effects import Cap, CapCounter, insert_pinned
from models.settings import ArrivalSettings, DiversitySettings, ModelSettings

Items = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SlateLimits:
    """Bounds on the order of one slate, from its request and the shop's rules."""

    n: int
    placement: str | None = None
    pinned: Mapping[int, int] = field(default_factory=dict)  # position from 0 -> candidate (item)
    caps: Sequence[Cap] = ()


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
    diversity = settings.diversity.at(limits.placement)
    elsewhere = [*pinned.values(), *arrivals]
    order = diversify(ranked, n, model, diversity, elsewhere, limits.caps)
    for index in arrivals:
        order.insert(_last_position(order, index, model.traits.family[ranked]), index)
    return np.array(insert_pinned(order, pinned), np.int64)


def diversify(
    ranked: Items,
    n: int,
    model: Model,
    diversity: DiversitySettings,
    elsewhere: Sequence[int] = (),
    caps: Sequence[Cap] = (),
) -> list[int]:
    """Return the first indices that keep to the limits; others come last, if nothing else is left.

    Of two products of one family, those that differ in size alone, one stands next to something
    else if it can. The indices `elsewhere` count among the n and are not returned. The shop's caps
    hold to the end.
    """
    family, items = model.traits.family[ranked].tolist(), ranked.tolist()
    alike = [
        Cap(model.traits.category, diversity.category),
        Cap(model.catalogue.brand, diversity.brand),
    ]
    items_elsewhere = ranked[list(elsewhere)].tolist()
    alike_counter = CapCounter(alike, n, items_elsewhere)
    shop_counter = CapCounter(caps, n, items_elsewhere)
    wanted = n - len(elsewhere)
    chosen: list[int] = []
    waiting: list[int] = []  # for something else to stand between
    too_many: list[int] = []

    def show(index: int) -> None:
        if len(chosen) < wanted and (not caps or shop_counter.take(items[index])):
            alike_counter.show(items[index])
            chosen.append(index)

    def follows_its_family(index: int) -> bool:
        return bool(chosen) and family[index] >= 0 and family[index] == family[chosen[-1]]

    indices = (index for index in range(len(items)) if index not in elsewhere)
    for index in indices:
        if len(chosen) >= wanted:
            break
        if not alike_counter.fits(items[index]):
            too_many.append(index)
        elif follows_its_family(index):
            waiting.append(index)
        else:
            show(index)
            fitting = (
                other
                for other in waiting
                if alike_counter.fits(items[other]) and not follows_its_family(other)
            )
            if (other := next(fitting, None)) is not None:
                waiting.remove(other)
                show(other)
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
