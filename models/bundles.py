"""Bundles as units: products that belong together, with the figures that say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.candidates import best
from models.pairs import OrderPairs
from models.settings import BundleSettings
from models.slate import Bundle


@dataclass(frozen=True)
class Link:
    """One pair seen from its anchor."""

    score: float
    together: int
    lift: float


def around(
    pairs: OrderPairs, item: int, allowed: NDArray[np.bool_], n: int, size: int, settings: BundleSettings
) -> tuple[Bundle, ...]:
    """At most n units of `size` products around one product, strongest first.

    Every two products of a unit were ordered together often enough and more often than chance would have it; where no
    third one holds to both, the unit stays smaller.
    """
    links = _links(pairs, item, settings)
    partners = sorted((b for b in links if allowed[b]), key=lambda b: (-links[b].score, b))
    bundles: dict[frozenset[int], Bundle] = {}
    for first in partners:
        members = _grow([item, first], links, partners, size, pairs, settings)
        bundles.setdefault(frozenset(members), _bundle(pairs, item, tuple(members[1:]), links[first]))
        if len(bundles) == n:
            break
    return tuple(bundles.values())


def complete(
    pairs: OrderPairs, basket: Sequence[int], allowed: NDArray[np.bool_], n: int, settings: BundleSettings
) -> tuple[Bundle, ...]:
    """At most n single products that complete a basket, best first, each with the basket's product it is tied to."""
    scores = np.where(allowed, pairs.basket_scores(basket, settings.lift_weight), 0)
    items = best(scores, n).tolist()
    ties = pairs.strongest(basket, items, settings.lift_weight) if items else []
    bundles = []
    for item, (anchor, place) in zip(items, ties, strict=True):
        lift = float(pairs.lifts(anchor, slice(place, place + 1))[0])
        link = Link(float(scores[item]), int(pairs.together[place]), lift)
        bundles.append(_bundle(pairs, anchor, (item,), link))
    return tuple(bundles)


def _links(pairs: OrderPairs, anchor: int, settings: BundleSettings) -> dict[int, Link]:
    """Partners that may stand in a bundle with the anchor."""
    row = pairs.row(anchor)
    together, lifts = pairs.together[row], pairs.lifts(anchor, row)
    eligible = (lifts > 1) & (pairs.log_lift[row] > 0)
    scores = pairs.link_scores(row, settings.unit_lift_weight)
    figures = zip(pairs.item[row][eligible], scores[eligible], together[eligible], lifts[eligible], strict=True)
    return {int(b): Link(float(score), int(count), float(lift)) for b, score, count, lift in figures}


def _grow(
    members: list[int],
    links: dict[int, Link],
    partners: list[int],
    size: int,
    pairs: OrderPairs,
    settings: BundleSettings,
) -> list[int]:
    """Add the partner whose weakest tie to the members is strongest, until the unit is full or nothing holds."""
    floor = settings.coherence * links[members[1]].score
    ties = [links]
    while len(members) < size:
        ties.append(_links(pairs, members[-1], settings))
        weakest = {
            b: min(tie[b].score for tie in ties) for b in partners if b not in members and all(b in tie for tie in ties)
        }
        joining = min(weakest, key=lambda b: (-weakest[b], b), default=None)
        if joining is None or weakest[joining] < floor:
            break
        members.append(joining)
    return members


def _bundle(pairs: OrderPairs, anchor: int, items: tuple[int, ...], link: Link) -> Bundle:
    return Bundle(anchor, items, link.score, link.together, link.together / int(pairs.orders[anchor]), link.lift)
