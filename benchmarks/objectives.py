"""What revenue and margin cost in hits: `python -m benchmarks.objectives --data DIR`.

Learns from what precedes the last 28 days of a shop, once for each objective, and looks at what
customers bought of ten products afterwards. No shop of the benchmarks tells its costs, so these
are made up: a seeded share of the price, from .3 to .9, the same for each objective. Prints a
table; the numbers of record are in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.eye import read_shop
from models.recommender import Recommender
from models.rules.filters import Repeat
from models.slate import SlateRequest
from training.config import Config
from training.evaluation.split import Split, split_history
from training.pipeline import fit_twin
from training.progress import Reporter
from training.reading.purchases import Purchases

Objective = Literal["purchases", "revenue", "margin"]
COST_SHARES: Final = (0.3, 0.9)  # of a price
RESAMPLES: Final = 1_000
N: Final = 10


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    purchases = make_up_costs(read_shop(parser.parse_args().data))
    history = split_history(purchases, Config().evaluation)
    if history is None:
        sys.exit("too little is bought to measure anything")
    figures = {objective: measure(history, objective) for objective in get_args(Objective)}
    print("| objective | task | Recall@10 | revenue a customer | margin a customer |")
    print("|---|---|---|---|---|")
    for objective, tasks in figures.items():
        for task, found in tasks.items():
            cells = [
                describe(found[:, column], figures["purchases"][task][:, column])
                for column in range(found.shape[1])
            ]
            print(f"| {objective} | {task} | {' | '.join(cells)} |")


def make_up_costs(purchases: Purchases) -> Purchases:
    """Return the shop with a cost for every product that has a price."""
    price = purchases.catalogue.price
    share = np.random.default_rng(0).uniform(*COST_SHARES, len(price))
    return replace(purchases, catalogue=replace(purchases.catalogue, cost=share * price))


def measure(history: Split, objective: Objective) -> dict[str, NDArray[np.float64]]:
    """Return Recall, revenue and margin of what was found, by task: (customers, 3) each."""
    config = Config()
    ranker = replace(config.model.ranker, objective=objective)
    config = config.model_copy(update={"model": replace(config.model, ranker=ranker)})
    price = np.nan_to_num(history.past.catalogue.price)
    gain = np.nan_to_num(history.past.catalogue.margin) * price
    tasks = {
        "all": (Repeat.INCLUDE, history.targets),
        "discovery": (Repeat.EXCLUDE, history.discoveries),
    }
    with fit_twin(history, config, Reporter(sys.stderr), name=objective) as (directory, _):
        shop, found = Recommender.load(directory), {}
        for task, (repeat, wanted) in tasks.items():
            request = SlateRequest(n=N, as_of=history.cut, repeat=repeat)
            rows = []
            for user, targets in zip(history.users.tolist(), wanted, strict=True):
                if targets:
                    slate = shop.recommend(history.past.customer_ids[user], request)
                    hits = [slot.item for slot in slate.slots if slot.item in targets]
                    recall = len(hits) / min(N, len(targets))
                    rows.append((recall, price[hits].sum(), gain[hits].sum()))
            found[task] = np.array(rows)
    return found


def describe(values: NDArray[np.float64], usual: NDArray[np.float64]) -> str:
    """Return a mean, and the interval of its change against the objective `purchases`."""
    text = f"{values.mean():.4g}"
    if values is usual or np.array_equal(values, usual):
        return text
    rows = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    ratios = values[rows].mean(axis=1) / usual[rows].mean(axis=1) - 1
    low, high = np.quantile(ratios, (0.025, 0.975))
    return f"{text} ({100 * low:+.1f} to {100 * high:+.1f} %)"


if __name__ == "__main__":
    main()
