"""Measure regret on the suite of shops: what is served, and what could have been.

    python -m benchmarks.any_shop --data ../shared/data --results any_shop [--shop NAME] [--jobs N]

Each shop is trained once on what precedes its last days; what is served and every alternative are
scored customer by customer. Figures are kept in the folder of results, a file a shop: the same
command goes on where it was ended, `--shop` measures one again, `--table` prints what there is.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.regret import SERVED, Cell, Regret, measure_cell, measure_regret, pool_small
from benchmarks.suite import SuiteShop, list_shops
from training.config import Config
from training.evaluation.evaluate import Evaluation, ExtraMethods, evaluate
from training.evaluation.evaluate_customers import TASKS, VISIT_FORMS
from training.evaluation.methods import AUTO, RULED, AddedMethods, name_varied
from training.evaluation.reference_methods import build_reference_slates
from training.evaluation.split import Split, split_history
from training.evaluation.visits import Visit
from training.parallel import cores
from training.pipeline import fit_twin
from training.progress import Reporter, ignore
from training.ranker.choice import MethodTrial
from training.ranker.train_ranker import RankerTraining
from training.reading.purchases import Purchases, read_purchases
from training.reading.timestamps import parse_optional_timestamp

RECALL: Final = 0  # of METRICS
NO_ALTERNATIVES: Final = (SERVED, AUTO, RULED)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--results", type=Path, default=Path("any_shop"))
    parser.add_argument("--shop", action="append", help="measure this one again, and no other")
    parser.add_argument("--jobs", type=int, default=1, help="shops at a time")
    parser.add_argument("--table", action="store_true", help="measure nothing")
    options = parser.parse_args()
    shops = list_shops(options.data)
    unknown = set(options.shop or ()) - {shop.name for shop in shops}
    if unknown:
        raise SystemExit(f"no such shop: {', '.join(sorted(unknown))}")
    if not options.table:
        wanted = []
        for shop in shops:
            again = shop.name in (options.shop or ())
            if again or not (options.shop or result_path(options.results, shop).exists()):
                wanted.append(shop)
        measure_all(wanted, options.data, options.results, options.jobs)
    measured = [shop for shop in shops if result_path(options.results, shop).exists()]
    print_table(measured, options.results)


def result_path(results: Path, shop: SuiteShop) -> Path:
    return results / f"{shop.name.replace(' ', '_')}.npz"


def measure_all(shops: Sequence[SuiteShop], data: Path, results: Path, jobs: int) -> None:
    """Measure shops, so many at a time, and keep the figures of each as soon as it is done."""
    results.mkdir(parents=True, exist_ok=True)
    names = [shop.name for shop in shops]
    if jobs == 1:
        for name in names:
            measure_shop(name, data, results, cores())
        return
    processes = max(cores() // jobs, 1)
    with ProcessPoolExecutor(jobs, get_context("spawn"), max_tasks_per_child=1) as pool:
        pending = [pool.submit(measure_shop, name, data, results, processes) for name in names]
        for future in pending:
            future.result()


def measure_shop(name: str, data: Path, results: Path, processes: int) -> None:
    """Train on what precedes the last days of a shop, and keep the Recall of every method."""
    started = time.monotonic()
    (shop,) = [shop for shop in list_shops(data) if shop.name == name]
    folder = shop.prepare(results / "shops")
    products = folder / "products.parquet"
    purchases = read_purchases(
        [folder / "purchases.parquet"],
        products=products if products.exists() else None,
        until=parse_optional_timestamp(shop.until),
        now=int(time.time()),
    )
    config = Config(processes=processes)
    split = split_history(purchases, config.evaluation)
    if split is None:
        print(f"{name}: too little to measure on", flush=True)
        return
    evaluation, ranker = score(split, config)
    cells = cells_of(shop, purchases, split, evaluation)
    write_cells(result_path(results, shop), cells, ranker.trials)
    print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)


def score(split: Split, config: Config) -> tuple[Evaluation, RankerTraining]:
    """Return the figures of every method of a twin, and how its ranker learned."""
    references = build_reference_slates(split, config.evaluation.k)
    with fit_twin(split, config, Reporter(), name="Twin") as (directory, ranker):
        extras = ExtraMethods(references, AddedMethods(rankers=ranker.methods))
        evaluation = evaluate(
            directory,
            split,
            config.evaluation,
            processes=config.processes or 1,
            on_progress=ignore,
            extras=extras,
        )
    return evaluation, ranker


def cells_of(
    shop: SuiteShop, purchases: Purchases, split: Split, evaluation: Evaluation
) -> list[Cell]:
    """Return the cells of a shop: a task of customers, or a form of a task of visits."""
    cells = []
    for task, values in evaluation.values.items():
        methods = (SERVED, *(name for name in values if name not in NO_ALTERNATIVES))
        recall = np.stack([values[name][:, RECALL] for name in methods], axis=1)
        if task in TASKS:
            targets = (split.targets, split.discoveries)[TASKS.index(task)]
            users = split.users[np.array([bool(wanted) for wanted in targets])].tolist()
            ids = tuple(f"{shop.data}/{purchases.customer_ids[user]}" for user in users)
            cells.append(Cell(shop.name, task, ids, methods, recall))
            continue
        visits = split.visits if task == "visit" else split.views
        ids = tuple(_name_visits(shop, purchases, visits))
        forms = VISIT_FORMS[task]
        for index, form in enumerate(forms):
            name = f"{task}, {form}" if len(forms) > 1 else task
            cells.append(Cell(shop.name, name, ids, methods, recall[index :: len(forms)]))
    return cells


def _name_visits(shop: SuiteShop, purchases: Purchases, visits: Sequence[Visit]) -> list[str]:
    """Return the id of each visit's customer; guests are all different."""
    names = []
    for number, visit in enumerate(visits):
        guest = f"a guest: {number} of {shop.name}"
        names.append(purchases.customer_ids[visit.user] if visit.user >= 0 else guest)
    return [f"{shop.data}/{name}" for name in names]


def write_cells(path: Path, cells: Sequence[Cell], trials: Sequence[MethodTrial]) -> None:
    """Keep the cells of a shop, and what was held against what on its inner windows."""
    serves = [(trial.audience, trial.method) for trial in trials if trial.serves]
    held = [(trial.audience, trial.method, trial.recall, trial.examples) for trial in trials]
    content: dict[str, Any] = {"serves": np.array(serves or [("", "")]), "trials": np.array(held)}
    for cell in cells:
        content[f"{cell.task}/ids"] = np.array(cell.ids)
        content[f"{cell.task}/methods"] = np.array(cell.methods)
        content[f"{cell.task}/recall"] = cell.recall
    partial = path.with_suffix(".part.npz")
    np.savez_compressed(partial, **content)
    partial.rename(path)


def read_cells(shop: SuiteShop, results: Path) -> tuple[list[Cell], dict[str, str]]:
    """Return the cells of a shop that was measured, and what serves each audience."""
    cells = []
    with np.load(result_path(results, shop)) as content:
        for name in content.files:
            task, _, part = name.partition("/")
            if part == "ids":
                ids, methods = content[name].tolist(), content[f"{task}/methods"].tolist()
                recall = content[f"{task}/recall"]
                cells.append(Cell(shop.name, task, tuple(ids), tuple(methods), recall))
        serves = dict(content["serves"].tolist())
    return cells, serves


def print_table(shops: Sequence[SuiteShop], results: Path) -> None:
    """Print each shop's tasks, and the regret of all cells together."""
    everything: list[Cell] = []
    rows: dict[str, dict[str, str]] = defaultdict(dict)
    for shop in shops:
        cells, serves = read_cells(shop, results)
        everything += cells
        rows[shop.name]["serves"] = ", ".join(serves.values())
        for cell in cells:
            rows[shop.name][cell.task] = describe(cell)
    tasks = list(dict.fromkeys(cell.task for cell in everything))
    columns = [*tasks, "serves"]
    print(f"| shop | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for name, row in rows.items():
        print(f"| {name} | {' | '.join(row.get(column, '–') for column in columns)} |")
    print("\nPooled, of cells with few customers:\n")
    for cell in pool_small(everything):
        if " + " in cell.shop:
            print(f"- {cell.task}: {describe(cell)}")
    print("\nHeld against what obeys the limits of variety, as what is served does:")
    print_rule(measure_regret(map(keep_servable, everything)))
    print("\nHeld against the same rankings without these limits, too:")
    print_rule(measure_regret(everything))


def keep_servable(cell: Cell) -> Cell:
    """Leave out the rankings that could not serve, as they go beyond the limits of variety."""
    kept = [name_varied(name) not in cell.methods for name in cell.methods]
    methods = tuple(np.array(cell.methods)[kept].tolist())
    return replace(cell, methods=methods, recall=cell.recall[:, kept])


def describe(cell: Cell) -> str:
    """Return what is served over the best alternative in hindsight, customers, and the regret."""
    means, best = cell.means, cell.best
    regret = measure_cell(cell)[0][0]
    figures = f"{means[SERVED]:.3f} / {means[best]:.3f}".replace("0.", ".")
    return f"{figures} ({best}); {len(cell.ids):,}; {100 * regret:+.1f} %"


def print_rule(regret: Regret) -> None:
    print(
        f"\nMean regret {100 * regret.mean:.2f} %, upper end {100 * regret.upper:.2f} %; "
        f"against the best alternative {100 * regret.against_best:+.2f} %. "
        f"The rule {'holds' if regret.holds else 'does not hold'}."
    )
    for loss in regret.losses:
        print(f"- {loss}")


if __name__ == "__main__":
    main()
