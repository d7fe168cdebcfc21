"""The order of a slate: the best first, but no ten of a kind, and a chance for what has just come on sale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models.data.ragged import among
from models.model import Model
from models.ranking.context import RankingContext
from models.ranking.customer_profile import AISLES
from models.rules.rule_effects import Cap, CapCounter, seated
from models.settings import ArrivalSettings, DiversitySettings, ModelSettings

Items = NDArray[np.int64]


def arrange(
    ranked: Items,
    n: int,
    case: RankingContext,
    model: Model,
    settings: ModelSettings,
    placement: str | None,
    pins: Mapping[int, int],
    caps: Sequence[Cap],
) -> Items:
    """Places (at most n,) of ranked candidates (c,), in the order in which they are shown.

    `pins`: spot from 0 -> the candidate (item) that the shop shows there.
    """
    seats = {spot: int(np.flatnonzero(ranked == item)[0]) for spot, item in pins.items()}
    room = CapCounter(caps, n, pins.values())
    last = [
        place
        for place in _arrivals(ranked, n, list(seats.values()), case, model, settings.arrivals)
        if room.take(int(ranked[place]))
    ]
    places = varied(
        ranked, n, model, settings.diversity.at(placement), [*seats.values(), *last], caps
    )
    for place in last:
        places.insert(_last_spot(places, place, model.traits.family[ranked]), place)
    return np.array(seated(places, seats), np.int64)


def varied(
    ranked: Items,
    n: int,
    model: Model,
    diversity: DiversitySettings,
    elsewhere: Sequence[int] = (),
    caps: Sequence[Cap] = (),
) -> list[int]:
    """The first places that keep to the limits; what does not comes last, where nothing else is left.

    Of two products of one family, those that differ in size alone, one stands next to something else if it can.
    At most n with the places `elsewhere`, which count and are not returned. The shop's caps hold to the end.
    """
    family, items = model.traits.family[ranked].tolist(), ranked.tolist()
    alike = [
        Cap(model.traits.category, diversity.category),
        Cap(model.catalogue.brand, diversity.brand),
    ]
    limits, room = (
        CapCounter(kinds, n, ranked[list(elsewhere)].tolist()) for kinds in (alike, caps)
    )
    first = n - len(elsewhere)
    chosen: list[int] = []
    waiting: list[int] = []  # for something else to stand between
    too_many: list[int] = []

    def show(place: int) -> None:
        if len(chosen) < first and (not caps or room.take(items[place])):
            limits.show(items[place])
            chosen.append(place)

    def beside_its_own(place: int) -> bool:
        return bool(chosen) and family[place] >= 0 and family[place] == family[chosen[-1]]

    for place in (place for place in range(len(items)) if place not in elsewhere):
        if len(chosen) >= first:
            break
        if not limits.fits(items[place]):
            too_many.append(place)
        elif beside_its_own(place):
            waiting.append(place)
        else:
            show(place)
            free = (
                other
                for other in waiting
                if limits.fits(items[other]) and not beside_its_own(other)
            )
            if (other := next(free, None)) is not None:
                waiting.remove(other)
                show(other)
    for place in [*waiting, *too_many]:
        show(place)
    return chosen


def _last_spot(places: list[int], place: int, family: NDArray[np.int32]) -> int:
    """Where it does not stand beside its own family, if there is such a spot."""
    spots = range(len(places), 0, -1)
    free = (
        spot
        for spot in spots
        if family[place] < 0 or family[place] not in family[places[spot - 1 : spot + 1]]
    )
    return next(free, len(places))


def _arrivals(
    ranked: Items,
    n: int,
    pinned: list[int],
    case: RankingContext,
    model: Model,
    settings: ArrivalSettings,
) -> list[int]:
    """Below the first n the places of the new arrivals that suit best, as many as did not earn one above."""
    n = min(n, len(ranked))
    limit = min(int(n * settings.share), n - len(pinned))
    if limit == 0 or len(case.arrivals) == 0:
        return []
    new = among(ranked, case.arrivals)
    new[pinned] = False
    n -= len(pinned)
    below = n + np.flatnonzero(new[n:])
    category = model.traits.category[ranked[below]]
    share = case.profile.aisles[AISLES.index("category_share"), category]
    seats = max(limit - int(np.count_nonzero(new[:n])), 0)
    chosen: list[int] = below[share >= settings.category_share][:seats].tolist()
    return chosen
