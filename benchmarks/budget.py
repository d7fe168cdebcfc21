"""What candidates and trees cost and what they are worth: one lesson, asked with fewer of both.

    python -m benchmarks.budget complete_journey=DIR

On the 28 days before the last 28, where settings are chosen.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from models.model import Model
from models.recommender import Recommender
from models.settings import ModelSettings
from models.slate import SlateRequest
from training.config import EvaluationConfig
from training.evaluation.evaluate import evaluate
from training.evaluation.methods import SERVED
from training.evaluation.split import Split, find_cut, split_history
from training.fitting.counts import select_lines
from training.fitting.fit import fit
from training.parallel import cores
from training.progress import Reporter, ignore
from training.publishing import write_twin
from training.ranker.train_ranker import train_ranker
from training.reading.purchases import read_purchases

TREES = (0, 50, 100, 200)
CANDIDATES = (50, 100)  # of each source, among new products
TIMED = 300  # slates


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", metavar="NAME=DIR")
    for entry in parser.parse_args().data:
        name, _, folder = entry.partition("=")
        parts = _inner(Path(folder))
        settings = ModelSettings()
        taught = train_ranker(parts.past, settings, Reporter(), processes=cores())
        model = fit(parts.past, settings, Reporter(), name=name, lesson=taught.lesson)
        print(
            f"\n| {name}: candidates of a source | trees | Recall@10 all | discovery "
            "| a slate, p50 |"
        )
        print("|---|---|---|---|---|")
        for new in CANDIDATES:
            for trees in TREES:
                _measure(
                    parts,
                    model,
                    replace(settings, candidates=replace(settings.candidates, new=new)),
                    trees,
                )


def _inner(folder: Path) -> Split:
    purchases = read_purchases(
        [folder / "purchases.parquet"], products=folder / "products.parquet", now=int(time.time())
    )
    config = EvaluationConfig()
    parts = split_history(
        select_lines(purchases, purchases.time < find_cut(purchases, config.test_days)), config
    )
    assert parts is not None, f"{folder}: too little to measure on"
    return parts


def _measure(parts: Split, model: Model, settings: ModelSettings, trees: int) -> None:
    learned = model.lesson
    lesson = replace(
        learned,
        trees=learned.trees.first(trees),
        repeat_trees=learned.repeat_trees.first(trees),
    )
    with tempfile.TemporaryDirectory() as folder:
        directory = write_twin(Path(folder), replace(model, lesson=lesson), parts.past, settings)
        found = evaluate(
            directory, parts, EvaluationConfig(), processes=cores(), on_progress=ignore
        )
        recall = [found.scores[task][SERVED]["recall"].value for task in found.scores]
        recommender = Recommender.load(directory)
        ids = recommender.model.customers.ids
        with threadpool_limits(limits=1, user_api="blas"):
            took = [_took(recommender, ids[user]) for user in parts.users[:TIMED].tolist()]
    print(
        f"| {settings.candidates.new} | {trees} | {recall[0]:.4f} | {recall[1]:.4f} "
        f"| {np.median(took) * 1e3:.1f} ms |"
    )


def _took(recommender: Recommender, customer_id: str) -> float:
    started = time.perf_counter()
    recommender.recommend(customer_id, SlateRequest())
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
