"""What was read, learned and scored: tables for people, figures for the manifest."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.table import Table

from models.artifact.files import Manifest
from training.evaluation.evaluate import Evaluation
from training.evaluation.methods import SERVED
from training.reading.purchases import Purchases
from training.reading.timestamps import format_date

LONGEST_VERSION: Final = len("20250101T000000Z-0123456789ab")


def print_reading(console: Console, purchases: Purchases) -> None:
    report = purchases.report
    table = Table("Read", "count", title="What was read")
    table.columns[1].justify = "right"
    for name, count in (
        ("rows", report.rows),
        ("lines kept", report.lines),
        ("rows added to another row of their line", report.merged_rows),
        ("lines of guests", report.guest_lines),
        ("customers", report.customers),
        ("products", report.products),
        ("orders", report.orders),
        *((f"dropped: {reason}", count) for reason, count in report.dropped.items()),
        *(
            (f"products file: {problem}", count)
            for problem, count in report.product_problems.items()
        ),
        *(
            (f"customers file: {problem}", count)
            for problem, count in report.customer_problems.items()
        ),
    ):
        table.add_row(name, f"{count:,}")
    table.add_row(
        "first and last purchase",
        f"{format_date(report.first_time)} to {format_date(report.last_time)}",
    )
    console.print(table)


def print_learned(console: Console, manifest: Manifest) -> None:
    table = Table("Learned", "count", title="What was learned")
    table.columns[1].justify = "right"
    for name, count in (
        ("products bought often enough to learn from", manifest.counts["learned_products"]),
        ("factors of each", manifest.config["factors"]["factors"]),
        ("neighbours", manifest.counts["neighbours"]),
        ("pairs for bundles", manifest.counts["bundle_pairs"]),
        ("days of sales", manifest.counts["days_of_sales"]),
    ):
        table.add_row(name, f"{count:,}")
    console.print(table)


def print_evaluation(console: Console, evaluation: Evaluation) -> None:
    for task, methods in evaluation.scores.items():
        k, n = evaluation.k, evaluation.customers(task)
        table = Table("method", f"Recall@{k}", "95 %", f"NDCG@{k}", "95 %")
        table.title = (
            f"Next purchases, {task}: {n:,} customers, {format_date(evaluation.cut)} and after"
        )
        for method, scores in methods.items():
            cells = [
                cell
                for mean in (scores["recall"], scores["ndcg"])
                for cell in (f"{mean.value:.4f}", f"{mean.low:.3f}–{mean.high:.3f}")
            ]
            table.add_row(method, *cells, style="bold" if method == SERVED else None)
        console.print(table)
        console.print(
            f"  shown: {evaluation.coverage[task]:.1%} of the products, novelty {evaluation.novelty[task]:.1f} bits, "
            f"{evaluation.filled[task]:.1%} of slots filled"
        )
        lengths = ", ".join(
            f"{group.name} {group.recall.value:.3f}" for group in evaluation.by_length[task]
        )
        console.print(f"  Recall@{k} by history: {lengths}")
    for mode, rates in evaluation.bundles.items():
        console.print(
            f"Bundles, given {mode}: hit@{evaluation.k} {rates['per order']:.4f} per order, "
            f"{rates['per product']:.4f} per product, {rates['orders']:,} orders"
        )


def print_versions(console: Console, manifests: list[Manifest], active: str | None) -> None:
    table = Table(
        "", "version", "data until", "customers", "products", "lines", "Recall@10 all", "discovery"
    )
    table.columns[
        1
    ].min_width = LONGEST_VERSION  # it is copied from here, so it stands whole on a narrow terminal
    for manifest in manifests:
        scores = manifest.metrics.get("scores", {})
        recalls = [
            scores.get(task, {}).get(SERVED, {}).get("recall", {}).get("value")
            for task in ("all", "discovery")
        ]
        table.add_row(
            "active" if manifest.version == active else "",
            manifest.version,
            format_date(manifest.data_as_of),
            *(f"{manifest.counts[name]:,}" for name in ("customers", "products", "lines")),
            *("–" if recall is None else f"{recall:.4f}" for recall in recalls),
        )
    console.print(table)
