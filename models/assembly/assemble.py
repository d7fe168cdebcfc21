"""Candidates in the order in which they are worth showing, and the slots of those chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.assembly.discovery import prefer_rare
from models.data.ragged import RowGroups, is_among
from models.ranking.context import RankingContext
from models.ranking.features import build_rows_each
from models.ranking.ranker import Ranker
from models.ranking.reasons import CHOSEN_BY_SHOP, choose_reasons
from models.ranking.sources import merge_candidates, propose_candidates
from models.rules.eligibility import Removed, find_allowed
from models.rules.rule_effects import RuleEffects
from models.slate import Reason, SlateRequest, Slot, Source
from models.steps import step


@dataclass(frozen=True, eq=False)
class RankedCandidates:
    """Hold one customer's candidates, best first: by score, as the shop's rules move them."""

    items: NDArray[np.int64]  # (c,)
    scores: NDArray[np.float32]  # (c,) before anything was moved
    bought: NDArray[np.bool_]  # (c,) before
    chosen: NDArray[np.bool_]  # (c,) by a rule of the shop alone: no source proposed it
    pins: dict[int, int]  # position from 0 -> the item that the shop shows there
    all_rows: NDArray[np.float32]  # (all candidates, columns) by item
    row_index: NDArray[np.int64]  # (c,) the row of each

    @property
    def rows(self) -> NDArray[np.float32]:
        """Return the feature rows: (c, columns)."""
        return self.all_rows[self.row_index]

    def at(self, indices: NDArray[np.int64]) -> RankedCandidates:
        """Return some of the candidates, in the order of the indices."""
        return RankedCandidates(
            self.items[indices],
            self.scores[indices],
            self.bought[indices],
            self.chosen[indices],
            self.pins,
            self.all_rows,
            self.row_index[indices],
        )


def rank_each(
    contexts: Sequence[RankingContext],
    removed: Sequence[Removed],
    requests: Sequence[SlateRequest],
    effects: Sequence[RuleEffects],
    ranker: Ranker,
) -> list[RankedCandidates]:
    """Rank every candidate that the rules leave, for m customers, best first; ties by item."""
    with step("candidates"):
        found = _find_candidates(contexts, removed, requests, effects, ranker)
    with step("ranking"):
        return order_each(found.candidates, found.proposed, contexts, effects, found.pins, ranker)


@dataclass(frozen=True)
class _FoundCandidates:
    """Candidates of m customers."""

    proposed: list[NDArray[np.int64]]  # by a source
    candidates: list[NDArray[np.int64]]  # and those that the shop's rules add
    pins: list[dict[int, int]]


def _find_candidates(
    contexts: Sequence[RankingContext],
    removed: Sequence[Removed],
    requests: Sequence[SlateRequest],
    effects: Sequence[RuleEffects],
    ranker: Ranker,
) -> _FoundCandidates:
    proposed_each, candidates_each, pins_each = [], [], []
    for index, context in enumerate(contexts):
        allowed = find_allowed(removed[index])
        proposals = propose_candidates(ranker.sources, context, allowed)
        proposed = merge_candidates(proposals)
        pins = effects[index].pinned_positions(removed[index], requests[index].n)
        recent = context.trends.popularity.recent
        by_shop = effects[index].shop_candidates(removed[index], recent, pins)
        proposed_each.append(proposed)
        candidates_each.append(np.union1d(proposed, by_shop) if len(by_shop) else proposed)
        pins_each.append(pins)
    return _FoundCandidates(proposed_each, candidates_each, pins_each)


def order_each(
    candidates_each: Sequence[NDArray[np.int64]],
    proposed_each: Sequence[NDArray[np.int64]],
    contexts: Sequence[RankingContext],
    effects: Sequence[RuleEffects],
    pins_each: Sequence[dict[int, int]],
    ranker: Ranker,
) -> list[RankedCandidates]:
    """Sort the candidates of m customers, which are sorted by item, best first; ties by item.

    `proposed_each`: those that a source proposed, the very same array where that is all.
    """
    groups = RowGroups.of(map(len, candidates_each))
    rows, bought = build_rows_each(
        np.concatenate(candidates_each), groups, contexts, ranker.sources
    )
    most = contexts[0].settings.candidates.ranked
    scores = ranker.score_cascade(rows, bought, groups, most)
    ranked = []
    for index, span in enumerate(groups.slices):
        items, proposed, own_scores = candidates_each[index], proposed_each[index], scores[span]
        moved = own_scores + effects[index].log_odds[items]
        order = np.argsort(-moved, kind="stable")
        if ranker.discovers:
            discount = ranker.discount(items, rows[span], bought[span])
            order = prefer_rare(order, moved, discount, ~bought[span])
        chosen = np.zeros(len(items), np.bool_)
        if items is not proposed:
            chosen = ~is_among(items[order], proposed)
        ranked.append(
            RankedCandidates(
                items[order],
                own_scores[order],
                bought[span][order],
                chosen,
                pins_each[index],
                rows[span],
                order,
            )
        )
    return ranked


def slots_of_each(
    chosen_each: Sequence[RankedCandidates], contexts: Sequence[RankingContext], ranker: Ranker
) -> list[tuple[Slot, ...]]:
    """Return the slots of what m customers are shown, in its order, with sources and reasons."""
    groups = RowGroups.of(len(chosen.items) for chosen in chosen_each)
    rows = np.concatenate([chosen.rows for chosen in chosen_each])
    bought = np.concatenate([chosen.bought for chosen in chosen_each])
    scores = np.concatenate([chosen.scores for chosen in chosen_each])
    names_each = ranker.name_sources(rows, bought, scores)
    shown_each = ranker.shown_scores(scores).tolist()
    slots_each = []
    for span, chosen, context in zip(groups.slices, chosen_each, contexts, strict=True):
        names = _override_sources(names_each[span], chosen, context, ranker)
        items, shown_scores = chosen.items.tolist(), shown_each[span]
        reasons = explain_items(items, names, context, ranker)
        slots = []
        for index, item in enumerate(items):
            slots.append(Slot(item, shown_scores[index], names[index], reasons[item]))
        slots_each.append(tuple(slots))
    return slots_each


def _override_sources(
    names: list[str], chosen: RankedCandidates, context: RankingContext, ranker: Ranker
) -> list[str]:
    """Return the names where sources claim products, and the shop what it chose itself."""
    for source in ranker.sources:
        claimed = source.claims(chosen.items, context)
        if claimed is not None:
            names = _replace(names, claimed, source.shown_as)
    if chosen.pins or chosen.chosen.any():
        pinned = np.isin(chosen.items, list(chosen.pins.values()))
        by_shop = (chosen.chosen & ~chosen.bought) | pinned
        names = _replace(names, by_shop, Source.PINNED)
    return names


def _replace(names: list[str], where: NDArray[np.bool_], name: str) -> list[str]:
    return [name if replaced else old for replaced, old in zip(where.tolist(), names, strict=True)]


def explain_items(
    items: list[int], names: list[str], context: RankingContext, ranker: Ranker
) -> dict[int, Reason]:
    """Return a reason for each item, from the evidence of the source that it is shown for."""
    items_of: dict[str, list[int]] = {}
    for item, name in zip(items, names, strict=True):
        items_of.setdefault(name, []).append(item)
    reasons: dict[int, Iterable[Reason]] = {}
    reasons.update(dict.fromkeys(items_of.pop(Source.PINNED, []), (CHOSEN_BY_SHOP,)))
    for name, group in items_of.items():
        explained = ranker.source_of[name].explain(group, context)
        reasons.update(zip(group, explained, strict=True))
    chosen = choose_reasons([reasons[item] for item in items])
    return dict(zip(items, chosen, strict=True))
