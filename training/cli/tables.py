"""Print tables of what was read, learned and measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from rich.console import Console
from rich.table import Table

from models.artifact.files import Manifest
from training.evaluation.evaluate import Evaluation
from training.evaluation.methods import SERVED
from training.reading.oddities import find_oddities
from training.reading.problems import Problems
from training.reading.purchases import Purchases, ReadingReport
from training.reading.timestamps import format_date

VERSION_WIDTH: Final = len("20250101T000000Z-0123456789ab")


def print_reading(console: Console, purchases: Purchases, now: int) -> None:
    """Print what was read, left out and looks odd, with examples. `now`: seconds since 1970."""
    report = purchases.report
    table = _count_table("Read", title="What was read")
    counts = {
        "rows": report.rows,
        "lines kept": report.lines,
        "rows added to another row of their line": report.merged_rows,
        "lines of guests": report.guest_lines,
        "customers": report.customers,
        "products": report.products,
        "orders": report.orders,
    }
    _add_counts(table, counts.items())
    for prefix, problems in problems_of(report).items():
        _add_counts(table, _prefixed(prefix, problems.counts))
    first, last = format_date(report.first_time), format_date(report.last_time)
    table.add_row("first and last purchase", f"{first} to {last}")
    console.print(table)
    for file, export in report.taken_for.items():
        console.print(f"{file} was read as {export}.", soft_wrap=True)
    for prefix, problems in problems_of(report).items():
        for name in problems.counts:
            if name in problems.refused or name in problems.examples:
                console.print(f"{prefix}: {name}: {problems.explain(name)}", soft_wrap=True)
    for oddity in find_oddities(purchases, now):
        console.print(f"Odd: {oddity}", soft_wrap=True)


def problems_of(report: ReadingReport) -> dict[str, Problems]:
    """Return the problems of each kind of file."""
    return {
        "dropped": report.dropped,
        "products file": report.product_problems,
        "customers file": report.customer_problems,
    }


def print_learned(console: Console, manifest: Manifest) -> None:
    """Print the size of a model."""
    table = _count_table("Learned", title="What was learned")
    counts = {
        "products bought often enough to learn from": manifest.counts["learned_products"],
        "factors of each": manifest.config["factors"]["factors"],
        "neighbours": manifest.counts["neighbours"],
        "pairs for bundles": manifest.counts["bundle_pairs"],
        "days of sales": manifest.counts["days_of_sales"],
    }
    _add_counts(table, counts.items())
    console.print(table)


def _count_table(heading: str, title: str) -> Table:
    table = Table(heading, "count", title=title)
    table.columns[1].justify = "right"
    return table


def _prefixed(prefix: str, counts: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    return ((f"{prefix}: {name}", count) for name, count in counts.items())


def _add_counts(table: Table, counts: Iterable[tuple[str, int]]) -> None:
    for name, count in counts:
        table.add_row(name, f"{count:,}")


def print_evaluation(console: Console, evaluation: Evaluation) -> None:
    """Print the figures of each task and of bundles."""
    for task in evaluation.scores:
        _print_task(console, evaluation, task)
    for mode, rates in evaluation.bundles.items():
        console.print(
            f"Bundles, given {mode}: hit@{evaluation.k} {rates['per order']:.4f} per order, "
            f"{rates['per product']:.4f} per product, {rates['orders']:,} orders"
        )


def _print_task(console: Console, evaluation: Evaluation, task: str) -> None:
    k, customers = evaluation.k, evaluation.customers(task)
    table = Table("method", f"Recall@{k}", "95 %", f"NDCG@{k}", "95 %")
    cut = format_date(evaluation.cut)
    table.title = f"Next purchases, {task}: {customers:,} customers, {cut} and after"
    for method, scores in evaluation.scores[task].items():
        cells: list[str] = []
        for mean in (scores["recall"], scores["ndcg"]):
            cells += [f"{mean.value:.4f}", f"{mean.low:.3f}–{mean.high:.3f}"]
        table.add_row(method, *cells, style="bold" if method == SERVED else None)
    console.print(table)
    console.print(
        f"  shown: {evaluation.coverage[task]:.1%} of the products, "
        f"novelty {evaluation.novelty[task]:.1f} bits, "
        f"{evaluation.filled[task]:.1%} of slots filled"
    )
    groups = [
        f"{group.name} {group.recall.value:.3f}" for group in evaluation.by_length.get(task, ())
    ]
    if groups:
        console.print(f"  Recall@{k} by history: {', '.join(groups)}")


def print_versions(console: Console, manifests: list[Manifest], active: str | None) -> None:
    """Print the versions of a registry, and which one is active."""
    table = Table(
        "", "version", "data until", "customers", "products", "lines", "Recall@10 all", "discovery"
    )
    # A version is copied from here, so it stands whole on a narrow terminal.
    table.columns[1].min_width = VERSION_WIDTH
    for manifest in manifests:
        counts = [f"{manifest.counts[name]:,}" for name in ("customers", "products", "lines")]
        table.add_row(
            "active" if manifest.version == active else "",
            manifest.version,
            format_date(manifest.data_as_of),
            *counts,
            _recall_cell(manifest, "all"),
            _recall_cell(manifest, "discovery"),
        )
    console.print(table)


def _recall_cell(manifest: Manifest, task: str) -> str:
    methods = manifest.metrics.get("scores", {}).get(task, {})
    recall = methods.get(SERVED, {}).get("recall", {}).get("value")
    return "–" if recall is None else f"{recall:.4f}"
