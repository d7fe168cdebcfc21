"""The order of a slate: the best first, but no ten of a kind, and a chance for what has just come on sale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray

from models.case import Case
from models.model import Model
from models.settings import ArrivalSettings, DiversitySettings, ModelSettings

Items = NDArray[np.int64]
TEN = 10


def arranged(ranked: Items, n: int, case: Case, model: Model, settings: ModelSettings, placement: str | None) -> Items:
    """Places (at most n,) of ranked candidates (c,), in the order in which they are shown."""
    last = _arrivals(ranked, n, case, model, settings.arrivals)
    places = varied(ranked, n, model, settings.diversity.at(placement), last)
    for place in last:
        places.insert(_last_spot(places, place, model.traits.family[ranked]), place)
    return np.array(places, np.int64)


def varied(ranked: Items, n: int, model: Model, diversity: DiversitySettings, last: Sequence[int] = ()) -> list[int]:
    """The first places that keep to the limits; what does not comes last, where nothing else is left.

    Of two products of one family, those that differ in size alone, one stands next to something else if it can.
    At most n with the places `last`, which count and are shown elsewhere.
    """
    kinds = (
        (model.traits.category[ranked].tolist(), ceil(n * diversity.category / TEN)),
        (model.catalogue.brand[ranked].tolist(), ceil(n * diversity.brand / TEN)),
    )
    family = model.traits.family[ranked].tolist()
    shown = tuple(Counter(codes[place] for place in last) for codes, _ in kinds)
    first = n - len(last)
    chosen: list[int] = []
    waiting: list[int] = []  # for something else to stand between
    too_many: list[int] = []

    def show(place: int) -> None:
        chosen.append(place)
        for (codes, _), count in zip(kinds, shown, strict=True):
            count[codes[place]] += 1

    def fits(place: int) -> bool:
        return all(
            codes[place] < 0 or count[codes[place]] < most for (codes, most), count in zip(kinds, shown, strict=True)
        )

    def alike(place: int) -> bool:
        return bool(chosen) and family[place] >= 0 and family[place] == family[chosen[-1]]

    for place in np.delete(np.arange(len(ranked)), list(last)).tolist():
        if len(chosen) >= first:
            break
        if not fits(place):
            too_many.append(place)
        elif alike(place):
            waiting.append(place)
        else:
            show(place)
            free = next((other for other in waiting if fits(other) and not alike(other)), None)
            if free is not None and len(chosen) < first:
                waiting.remove(free)
                show(free)
    return [*chosen, *waiting, *too_many][:first]


def _last_spot(places: list[int], place: int, family: NDArray[np.int32]) -> int:
    """Where it does not stand beside its own family, if there is such a spot."""
    spots = range(len(places), 0, -1)
    free = (spot for spot in spots if family[place] < 0 or family[place] not in family[places[spot - 1 : spot + 1]])
    return next(free, len(places))


def _arrivals(ranked: Items, n: int, case: Case, model: Model, settings: ArrivalSettings) -> list[int]:
    """Below the first n the places of the new arrivals that suit best, as many as did not earn one above."""
    n = min(n, len(ranked))
    limit = int(n * settings.share)
    if limit == 0 or len(case.arrivals) == 0:
        return []
    new = np.isin(ranked, case.arrivals)
    below = n + np.flatnonzero(new[n:])
    category = model.traits.category[ranked[below]]
    share = np.where(category >= 0, np.append(case.profile.category_share, np.float32(0))[category], 0)
    seats = max(limit - int(np.count_nonzero(new[:n])), 0)
    chosen: list[int] = below[share >= settings.category_share][:seats].tolist()
    return chosen
