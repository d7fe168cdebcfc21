"""How many slates a file gets a second: `python -m benchmarks.export --registry DIR`.

Asks for distinct customers, in one process and in one a core, and writes nothing. The numbers of
record are in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.service import with_one_blas_thread
from models.artifact.registry import Registry
from models.assembly.assemble import slots_of_each
from models.data.customers import PERSONALIZE_EMAIL
from models.model import LearnedRanker
from models.recommender import CustomerRequest, Recommender
from models.slate import SlateRequest
from training.export.slates import PART_RECIPIENTS
from training.parallel import cores

REQUEST = SlateRequest(n=8, purpose=PERSONALIZE_EMAIL)
STEPS = ("history and sources", "rules", "candidates, features, ranking", "order, reasons")
WARMING = 200  # customers that are asked for before the clock starts


def loaded(registry: Path, *, ranker: bool) -> Recommender:
    versions = Registry(registry)
    version = versions.active()
    if version is None:
        raise SystemExit(f"{registry} holds no active version; train one first")
    recommender = Recommender.load(versions.path(version))
    if ranker:
        return recommender
    return Recommender(
        recommender.manifest,
        replace(recommender.model, lesson=LearnedRanker.none()),
        recommender.settings,
    )


def in_order(recommender: Recommender, customers: int) -> list[str]:
    """A run of customers from somewhere in the middle, one after another as a file has them."""
    ids = recommender.model.customers.ids
    customers = min(customers, len(ids))
    first = (len(ids) - customers) // 2
    return [ids[user] for user in range(first, first + customers)]


def step_by_step(recommender: Recommender, customers: Sequence[str]) -> None:
    """What the steps of a slate take that is asked for alone, of those who have a history: ms, p50
    and p99.
    """
    taken = []
    for customer in customers:
        user = recommender.model.customers.ids.find(customer)
        request = recommender.at_home(user, REQUEST)
        if not len(recommender.find_events(user, request)):
            continue
        moments = [time.perf_counter()]
        case = recommender.build_context(user, request)
        moments.append(time.perf_counter())
        removed = recommender.find_removed(case, request)
        moments.append(time.perf_counter())
        ranked = recommender.rank(case, removed, request)
        moments.append(time.perf_counter())
        chosen = ranked.at(recommender.arrange(case, request, ranked))
        slots_of_each([chosen], [case], recommender.ranker)
        moments.append(time.perf_counter())
        taken.append(np.diff(moments) * 1000)
    for name, times in zip(STEPS, np.transpose(taken), strict=True):
        print(f"{name:<32} {np.median(times):7.3f} {np.quantile(times, 0.99):7.3f} ms")


def asked(registry: Path, ranker: bool, customers: Sequence[str]) -> tuple[float, float]:
    """Seconds that slates for these customers take: on the clock, and of a processor."""
    recommender = loaded(registry, ranker=ranker)
    requests = [CustomerRequest(customer, REQUEST) for customer in customers]
    recommender.recommend_each(requests[:WARMING])
    started, worked = time.perf_counter(), time.process_time()
    for start in range(0, len(requests), PART_RECIPIENTS):
        recommender.recommend_each(requests[start : start + PART_RECIPIENTS])
    return time.perf_counter() - started, time.process_time() - worked


def main() -> None:
    with_one_blas_thread("benchmarks.export")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--registry", type=Path, required=True)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--no-ranker", action="store_true", help="the blend alone")
    arguments = parser.parse_args()
    ranker = not arguments.no_ranker
    recommender = loaded(arguments.registry, ranker=ranker)
    customers = in_order(recommender, arguments.customers)
    step_by_step(recommender, customers[: len(customers) // 4])
    for processes in sorted({1, cores()}):
        share = -(-len(customers) // processes)
        parts = [
            (arguments.registry, ranker, customers[start : start + share])
            for start in range(0, len(customers), share)
        ]
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            seconds = np.array(pool.starmap(asked, parts))
        slates, work = (
            len(customers) / seconds[:, 0].max(),
            seconds[:, 1].sum() / len(customers) * 1000,
        )
        print(
            f"{processes} processes: {slates:.0f} slates a second, "
            f"{work:.2f} ms of a processor each"
        )


if __name__ == "__main__":
    main()
