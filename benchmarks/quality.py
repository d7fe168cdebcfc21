"""How good the slates and bundles are on real purchases: three seeds, and a model that is a week
old.

    python -m benchmarks.quality complete_journey=DIR online_retail_ii=DIR

Each DIR holds what `python -m benchmarks.datasets` wrote. `--inner` looks at the 28 days before the
last 28, which is where settings are chosen; `--config` tries other settings.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.data.events import DAY
from training.config import Config, read_config
from training.evaluation.evaluate import Evaluation, ExtraMethods, ReferenceSlates
from training.evaluation.methods import SERVED
from training.evaluation.reference_methods import build_reference_slates
from training.evaluation.split import Split, find_cut, split_history
from training.fitting.counts import select_lines
from training.pipeline import measure_twin
from training.progress import Reporter
from training.reading.purchases import Purchases, read_purchases

LARGEST_ORDER = {"online_retail_ii": 60}  # products; 30 elsewhere
STALE_DAYS = 7
STALE_SEEDS = 1


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", metavar="NAME=DIR")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--inner", action="store_true", help="the window before the last one")
    parser.add_argument("--config", type=Path)
    options = parser.parse_args()
    for entry in options.data:
        name, _, folder = entry.partition("=")
        report(name, Path(folder), read_config(options.config), options.seeds, options.inner)


def report(name: str, folder: Path, config: Config, seeds: int, inner: bool) -> None:
    limit = {"largest_order": LARGEST_ORDER.get(name, 30), "max_orders": 3_000}
    config = config.model_copy(update={"evaluation": config.evaluation.model_copy(update=limit)})
    purchases = read_purchases(
        [folder / "purchases.parquet"], products=folder / "products.parquet", now=int(time.time())
    )
    if inner:
        purchases = select_lines(
            purchases, purchases.time < find_cut(purchases, config.evaluation.test_days)
        )
    parts = split_history(purchases, config.evaluation)
    if parts is None:
        raise SystemExit(f"{folder}: too little to measure on")
    references = build_reference_slates(parts, config.evaluation.k)
    fresh = [measure(parts, config, seed, references) for seed in range(seeds)]
    week_old = replace(
        parts, past=select_lines(parts.past, parts.past.time < parts.cut - STALE_DAYS * DAY)
    )
    stale = {
        "nothing reported since": [
            measure(week_old, config, seed) for seed in range(min(seeds, STALE_SEEDS))
        ],
        "events reported": [
            measure(week_old, config, seed, reported=parts.past)
            for seed in range(min(seeds, STALE_SEEDS))
        ],
    }
    print_tables(name, fresh, stale)


def measure(
    parts: Split,
    config: Config,
    seed: int,
    references: ReferenceSlates | None = None,
    reported: Purchases | None = None,
) -> Evaluation:
    """What a model that learned from the past of a split would have answered at the cut, with what
    was reported.
    """
    settings = replace(config.model, seed=seed)
    evaluation = config.evaluation.model_copy(update={"seed": seed})
    seeded = config.model_copy(update={"model": settings, "evaluation": evaluation})
    extras = ExtraMethods(references or {})
    twin = measure_twin(
        parts, seeded, Reporter(), name=f"seed {seed}", extras=extras, reported=reported
    )
    return twin.evaluation


def print_tables(name: str, fresh: list[Evaluation], stale: dict[str, list[Evaluation]]) -> None:
    tasks = list(fresh[0].scores)
    print(f"\n### {name}, mean of {len(fresh)} seeds\n")
    print(
        "| | "
        + " | ".join(f"{task}: Recall@10 / NDCG@10" for task in tasks)
        + " |\n|---|"
        + "---|" * len(tasks)
    )
    rows = dict.fromkeys(fresh[0].scores[tasks[0]], fresh)
    for method, runs in rows.items():
        print(f"| {method} | " + " | ".join(_cell(runs, task, method) for task in tasks) + " |")
    for told, runs in stale.items():
        cells = " | ".join(_cell(runs, task, SERVED) for task in tasks)
        print(f"| {SERVED}, model {STALE_DAYS} days old, {told} | {cells} |")
    print(
        "\n| limit per category among ten products | NDCG@10 | coverage | categories in a slate |"
        "\n|---|---|---|---|"
    )
    for degrees in zip(*(run.diversity for run in fresh), strict=True):
        figures = [
            np.mean([row.ndcg.value for row in degrees]),
            np.mean([row.coverage for row in degrees]),
        ]
        categories = np.mean([row.categories for row in degrees])
        print(f"| {degrees[0].name} | {figures[0]:.4f} | {figures[1]:.3f} | {categories:.1f} |")
    print(f"\nNew products: {fresh[0].new_products}")
    for task, found in fresh[0].candidates.items():
        print(
            f"\n| source, {task} | candidates a customer | share of the targets "
            "| of no other source |"
        )
        print("|---|---|---|---|")
        for source in found.sources:
            print(
                f"| {source.name} | {source.candidates:.0f} | {source.recall:.3f} "
                f"| {source.unique:.3f} |"
            )
        print(f"| all together | {found.per_customer:.0f} | {found.recall:.3f} | |")
    print("\n| bundles, hit@10 | basket | one product |\n|---|---|---|")
    for scale in ("per order", "per product"):
        rates = [
            f"{np.mean([run.bundles[mode][scale] for run in fresh]):.4f}"
            for mode in fresh[0].bundles
        ]
        print(f"| {scale} | {' | '.join(rates)} |")


def _cell(runs: list[Evaluation], task: str, method: str) -> str:
    if method not in runs[0].scores[task]:
        return "–"
    return " / ".join(
        f"{np.mean([run.scores[task][method][metric].value for run in runs]):.4f}"
        for metric in ("recall", "ndcg")
    )


if __name__ == "__main__":
    main()
