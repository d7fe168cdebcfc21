"""Where the time of a slate goes: `python -m benchmarks.slate_parts --registry DIR`.

Prints the CPU time of each step, the least of a few calls, which what else the machine does moves
least; the numbers of record are in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Final

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

from benchmarks.service import with_one_blas_thread
from models.artifact.registry import Registry
from models.assembly.assemble import slots_of_each
from models.data.ragged import RowGroups
from models.ranking.context import RankingContext, observed
from models.ranking.features import build_rows
from models.ranking.sources import merge_candidates, propose_candidates
from models.recommender import Recommender
from models.rules.eligibility import find_allowed
from models.slate import SlateRequest
from models.sources.als import FactorScores, ItemFactors

CUSTOMERS: Final = 200
ROUNDS: Final = 5
REQUEST: Final = SlateRequest()


def find_steps(
    shop: Recommender, user: int, als: AlternatingLeastSquares
) -> dict[str, Callable[[], object]]:
    """Return the steps of one customer's slate, each with what it needs computed."""
    ranker, sources = shop.ranker, shop.ranker.sources
    context = shop.build_context(user, REQUEST)
    removed = shop.find_removed(context, REQUEST)
    allowed = find_allowed(removed)
    candidates = merge_candidates(propose_candidates(sources, context, allowed))
    rows, bought = build_rows(candidates, context, sources)
    groups, most = RowGroups.of([len(candidates)]), shop.settings.candidates.ranked
    ranked = shop.rank(context, removed)
    chosen = ranked.at(shop.arrange(context, REQUEST, ranked))
    trees, highest = shop.model.lesson.trees, rows[:most]
    return {
        "the whole slate": partial(shop.recommend, shop.model.customers.ids[user], REQUEST),
        "history, fold-in and scores of sources": partial(shop.build_context, user, REQUEST),
        "  the fold-in alone": partial(fold_in, context),
        "what is left out": partial(shop.find_removed, context, REQUEST),
        "candidates": partial(propose_candidates, sources, context, allowed),
        "  of the factors": partial(propose_by_factors, context, allowed),
        "features": partial(build_rows, candidates, context, sources),
        "scores": partial(ranker.score_cascade, rows, bought, groups, most),
        "  the trees alone": partial(trees.scores, highest),
        "variety and families": partial(shop.arrange, context, REQUEST, ranked),
        "sources and reasons": partial(slots_of_each, [chosen], [context], ranker),
        "  sources alone": partial(ranker.name_sources, chosen.rows, chosen.bought, chosen.scores),
        "implicit, recommend(recalculate_user=True)": recommend_by_implicit(als, context),
    }


def fold_in(context: RankingContext) -> object:
    products = context.observed
    return products.learned.observed(products.item, products.confidence).folded_in()


def propose_by_factors(context: RankingContext, allowed: np.ndarray[Any, Any]) -> object:
    scores = FactorScores(context.model.factors, context.observed.folded_in())
    return scores.best(allowed, context.settings.candidates.new)


def build_als(factors: ItemFactors) -> AlternatingLeastSquares:
    """Return a model of implicit with the same factors."""
    model = AlternatingLeastSquares(factors=len(factors.gram), num_threads=1)
    model.item_factors = np.array(factors.factors.T, order="C")
    return model


def recommend_by_implicit(
    als: AlternatingLeastSquares, context: RankingContext
) -> Callable[[], object]:
    """Return the call of implicit for the same purchases."""
    factors = context.model.factors
    item, confidence = observed(context.pairs, context.settings)
    column = factors.row[item]
    known = column >= 0
    shape = (1, len(factors.item))
    purchases = csr_matrix((confidence[known], ([0] * known.sum(), column[known])), shape=shape)
    return partial(als.recommend, 0, purchases, N=10, recalculate_user=True)


def main() -> None:
    with_one_blas_thread("benchmarks.slate_parts")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registry", type=Path, required=True)
    arguments = parser.parse_args()
    registry = Registry(arguments.registry)
    version = registry.active()
    if version is None:
        parser.error(f"{arguments.registry} holds no active version; train one first")
    shop = Recommender.load(registry.path(version))
    users = Random(7).sample(range(len(shop.model.customers)), CUSTOMERS)
    als = build_als(shop.model.factors)
    least: dict[str, list[float]] = {}
    for user in users:
        if len(shop.find_events(user, REQUEST)) == 0:
            continue
        for name, step in find_steps(shop, user, als).items():
            least.setdefault(name, []).append(min(_cpu_ms(step) for _ in range(ROUNDS)))
    for name, taken in least.items():
        print(f"{name:<46} {median(taken):9.3f} ms")


def _cpu_ms(step: Callable[[], object]) -> float:
    started = time.thread_time_ns()
    step()
    return (time.thread_time_ns() - started) / 1e6


if __name__ == "__main__":
    main()
