"""Candidates in the order in which they are worth showing, of one customer or of many at once, and their slots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.assembly import reasons
from models.data.ragged import RowGroups, is_among
from models.model import Model
from models.ranking.candidates import candidates, proposals
from models.ranking.context import RankingContext
from models.ranking.features import features_each
from models.ranking.ranker import Ranker, probability
from models.rules import eligibility
from models.rules.eligibility import Removed
from models.rules.rule_effects import RuleEffects
from models.settings import ModelSettings
from models.slate import SlateRequest, Slot, Source


@dataclass(frozen=True, eq=False)
class RankedCandidates:
    """Candidates, best first: by score, as the rules of the shop move them."""

    items: NDArray[np.int64]  # (c,)
    scores: NDArray[np.float32]  # (c,) before anything was moved
    bought: NDArray[np.bool_]  # (c,) before
    chosen: NDArray[np.bool_]  # (c,) by a rule of the shop alone: no source proposed it
    pins: dict[int, int]  # spot from 0 -> the item that the shop shows there
    all_rows: NDArray[np.float32]  # (all candidates, FEATURES) by item
    places: NDArray[np.int64]  # (c,) the row of each

    @property
    def rows(self) -> NDArray[np.float32]:
        """(c, FEATURES)"""
        return self.all_rows[self.places]

    def at(self, places: NDArray[np.int64]) -> RankedCandidates:
        """Some of them."""
        return RankedCandidates(
            *(self.items[places], self.scores[places], self.bought[places], self.chosen[places]),
            self.pins,
            self.all_rows,
            self.places[places],
        )


def rank_each(
    cases: Sequence[RankingContext],
    removed: Sequence[Removed],
    requests: Sequence[SlateRequest],
    shelves: Sequence[RuleEffects],
    model: Model,
    ranker: Ranker,
    settings: ModelSettings,
) -> list[RankedCandidates]:
    """For m customers every candidate that the rules leave, best first; ties by item."""
    proposed, offered, pins = [], [], []
    for case, barred, request, shelf in zip(cases, removed, requests, shelves, strict=True):
        pins.append(shelf.pinned_positions(barred, request.n))
        proposed.append(
            candidates(proposals(case, model, eligibility.find_allowed(barred), settings))
        )
        ours = shelf.shop_candidates(barred, case.demand.popularity.recent, pins[-1])
        offered.append(np.union1d(proposed[-1], ours) if len(ours) else proposed[-1])
    of = RowGroups.of(map(len, offered))
    rows, bought = features_each(np.concatenate(offered), of, cases, model, settings)
    scores = ranker.cascade(rows, bought, of, settings.candidates.ranked)
    ranked = []
    for span, items, known, shelf, seats in zip(
        of.slices, offered, proposed, shelves, pins, strict=True
    ):
        mine = scores[span]
        order = np.argsort(-(mine + shelf.log_odds[items]), kind="stable")
        chosen = (
            np.zeros(len(items), np.bool_) if items is known else ~is_among(items[order], known)
        )
        ranked.append(
            RankedCandidates(
                items[order], mine[order], bought[span][order], chosen, seats, rows[span], order
            )
        )
    return ranked


def slots_of_each(
    shown: Sequence[RankedCandidates],
    cases: Sequence[RankingContext],
    model: Model,
    ranker: Ranker,
    settings: ModelSettings,
) -> list[tuple[Slot, ...]]:
    """What m customers are shown, in its order, each with its source and reason."""
    of = RowGroups.of(len(one.items) for one in shown)
    rows, bought, scores = (
        np.concatenate([getattr(one, name) for one in shown])
        for name in ("rows", "bought", "scores")
    )
    found = ranker.sources(rows, bought, scores)
    told = (probability(scores) if model.lesson.learned else scores).tolist()
    slots = []
    for span, one, case in zip(of.slices, shown, cases, strict=True):
        sources = _sources(found[span], one, case)
        items = one.items.tolist()
        why = reasons.of_slate(items, sources, case, case.basket, model, settings)
        slots.append(
            tuple(
                Slot(item, score, source, why[item])
                for item, score, source in zip(items, told[span], sources, strict=True)
            )
        )
    return slots


def _sources(found: list[Source], shown: RankedCandidates, case: RankingContext) -> list[Source]:
    """The same, except for what has just come on sale and what the shop itself put there."""
    if len(case.arrivals):
        new = is_among(shown.items, case.arrivals).tolist()
        found = [Source.NEW if fresh else source for fresh, source in zip(new, found, strict=True)]
    if shown.pins or shown.chosen.any():
        ours = (shown.chosen & ~shown.bought) | np.isin(shown.items, list(shown.pins.values()))
        found = [
            Source.PINNED if chosen else source
            for chosen, source in zip(ours.tolist(), found, strict=True)
        ]
    return found
