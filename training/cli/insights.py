"""Run the command `insights`: what recommendations and experiments did, and customers' worth."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from models.artifact.insights import (
    ATTRIBUTION,
    EXPERIMENTS,
    FEEDBACK,
    MIN_GROUP,
    WORTH,
    remove_insight,
    write_insight,
)
from models.data.customer_figures import remove_figures
from models.data.customers import NO, TRAIN, YES
from models.data.events import DAY, PURCHASE
from models.data.timestamps import format_timestamp
from models.recommender import Recommender
from training.cli.arguments import (
    DONE,
    add_json,
    add_registry,
    find_store,
    present,
    registry_at,
)
from training.cli.experiments import compute_experiments, print_results
from training.cli.reading import add_history, read_history
from training.config import Config, read_config
from training.errors import InputError, NobodyAllowsError
from training.insights.attribution import Windows, attribute
from training.insights.feedback import FEEDBACK_DAYS, read_feedback, summarize_feedback
from training.insights.figures import summarize
from training.insights.purpose_consents import PurposeConsents
from training.insights.records import read_records
from training.insights.segments import CustomerSegments
from training.insights.source import InsightSource
from training.insights.worth.worth import compute_worth
from training.progress import Reporter
from training.reading.duckdb import open_workspace
from training.reading.purchases import Purchases
from training.reading.service_store import StoreReader, events, is_store, open_store, products
from training.report.insights import write_insights_report

MEMORY_LIMIT = "1GB"
CUSTOMERS = "customers"
NAME_FILES = "Name the files that the shop trains on with --purchases"


def add_insights(commands: Any) -> None:
    """Add the command `insights`."""
    command = commands.add_parser(
        "insights",
        help="Compute what recommendations earned, and what customers are worth.",
        description="Compute what recommendations earned and what customers say of products, from "
        "the service's store, and what customers are worth and experiments say, from all "
        "purchases, into the registry. The service tells it.",
    )
    add_registry(command)
    command.add_argument(
        "--store",
        metavar="URL",
        help="The service's store, such as sqlite:///store.db. Default: the one in --purchases, or "
        "store.db in the registry.",
    )
    command.add_argument(
        "--only",
        choices=(ATTRIBUTION, CUSTOMERS, EXPERIMENTS, FEEDBACK),
        help="Compute one of the four alone. Default: all.",
    )
    for option, default, meaning in (
        ("--days", 28, "Days of purchases that count for what recommendations earned"),
        ("--click-days", 7, "Days after a click within which a purchase follows from it"),
        ("--view-days", 1, "Days after the sight of a product within which one follows from it"),
    ):
        command.add_argument(
            option, type=_days, default=default, help=f"{meaning}. Default: {default}."
        )
    add_history(command, required=False)
    add_json(command)
    command.set_defaults(run=_insights)


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 3650:
        raise argparse.ArgumentTypeError("should be a number of days, 1 to 3650")
    return int(text)


def _insights(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    registry = registry_at(options.registry, must_exist=True)
    config = read_config(options.config, options.column)
    unasked = NO if config.training.unasked == "refuse" else YES
    named = options.store or next(filter(is_store, options.purchases), None)
    files = [path for path in options.purchases if not is_store(path)]
    url = find_store(registry, named, "--store", reporter)
    if url is None and not (files and options.only == CUSTOMERS):
        raise InputError(f"--registry {registry.root}: holds no store.db; name it with --store")
    version = registry.active()
    learned = Recommender.load(registry.path(version)) if version else None
    options.purchases = [*files, url] if url else files
    purchases = None
    if options.only in (None, CUSTOMERS, EXPERIMENTS):
        purchases = _read_purchases(options, url, config, reporter, now)
    facts: dict[str, Any] = {}
    if options.only in (None, CUSTOMERS):
        worth = None
        if purchases is not None:
            with _reading(url) as store:
                allowing = PurposeConsents.read(store, learned, unasked, TRAIN)
            worth = _compute_worth(registry.root, purchases, allowing, reporter, now)
        facts["worth"] = worth
    if url is not None:
        source = InsightSource(registry.root, url, learned, unasked, now)
        facts |= _compute_of_store(source, purchases, options, reporter)
    titles = _read_titles(learned, purchases)
    reporter.say(f"Written to {write_insights_report(registry.root, titles)}")
    present(options.json, reporter, lambda: facts, lambda console: _print(console, facts))
    return DONE


def _read_titles(learned: Recommender | None, purchases: Purchases | None) -> dict[str, str]:
    """Return the titles of products, by the active version and by what was read."""
    catalogues = [learned.catalogue] if learned else []
    catalogues += [purchases.catalogue] if purchases else []
    titles: dict[str, str] = {}
    for catalogue in catalogues:
        pairs = zip(catalogue.ids, catalogue.title, strict=True)
        titles |= {product_id: title for product_id, title in pairs if title}
    return titles


def _compute_of_store(
    source: InsightSource,
    purchases: Purchases | None,
    options: argparse.Namespace,
    reporter: Reporter,
) -> dict[str, Any]:
    """Write what is computed of the service's store, and return it."""
    facts: dict[str, Any] = {}
    if options.only in (None, ATTRIBUTION):
        windows = Windows(options.click_days, options.view_days)
        facts = compute_attribution(source, windows, days=options.days)
        reporter.say(f"Written to {write_insight(source.registry, ATTRIBUTION, facts)}")
    if options.only in (None, FEEDBACK):
        told = compute_feedback(source)
        reporter.say(f"Written to {write_insight(source.registry, FEEDBACK, told)}")
        facts = {**facts, "feedback": told["feedback"]}
    if options.only in (None, EXPERIMENTS) and purchases is not None:
        told = compute_experiments(source, purchases, reporter)
        facts = {**facts, "experiments": told["experiments"]}
    return facts


@contextmanager
def _reading(url: str | None) -> Iterator[StoreReader | None]:
    """Open a store for one reading of one moment; None where there is none."""
    if url is None:
        yield None
        return
    with open_store(url, "--store") as store, store.connection.begin():
        yield store


def _read_purchases(
    options: argparse.Namespace, url: str | None, config: Config, reporter: Reporter, now: int
) -> Purchases | None:
    """Return what was bought, by the files and the store.

    None where no purchase is known, or none of anybody who allows training: then nothing that was
    computed of customers before stays.
    """
    if options.purchases == [url]:
        with _reading(url) as store:
            sold = select(events.c.number).where(events.c.kind == PURCHASE).limit(1)
            is_empty = store is None or store.connection.execute(sold).first() is None
        if is_empty:
            reporter.say(f"The store holds no purchase: nothing of customers' worth. {NAME_FILES}")
            return None
        reporter.say(f"Only purchases in the store count. {NAME_FILES}")
    try:
        return read_history(options, config, reporter, now)
    except NobodyAllowsError as error:
        reporter.say(f"{error} Nothing is told of customers' worth, nor of experiments")
        remove_insight(options.registry, WORTH)
        remove_figures(options.registry)
        return None


def _compute_worth(
    registry: Path,
    purchases: Purchases,
    allowing: PurposeConsents,
    reporter: Reporter,
    now: int,
) -> dict[str, Any]:
    """Write what customers are worth, and return it."""
    refused = set(allowing.refused(purchases.customer_ids))
    counted = np.array([name not in refused for name in purchases.customer_ids], np.bool_)
    with reporter.step("Computing what customers are worth"):
        facts, figures = compute_worth(purchases, counted, now)
    figures.write(registry)
    reporter.say(f"Written to {write_insight(registry, WORTH, facts)}")
    return facts


def compute_attribution(source: InsightSource, windows: Windows, *, days: int) -> dict[str, Any]:
    """Return the document of so many days. Raises InputError."""
    now = source.now
    start = now - days * DAY
    earliest = start - windows.longest_days * DAY
    with open_workspace(MEMORY_LIMIT) as workspace, open_store(source.url, "--store") as store:
        with store.connection.begin():
            measured = PurposeConsents.read(store, source.learned, source.unasked)
            segments = CustomerSegments.read(store, source)
            records = read_records(workspace, store, measured, start, earliest)
            costs = _read_costs(store, source.learned)
        attribution = attribute(workspace, records, costs, windows)
        figures = summarize(workspace, records, attribution, segments)
    return {
        "computed": format_timestamp(now),
        "from": format_timestamp(start),
        "until": format_timestamp(now),
        "days": days,
        "click_days": windows.click_days,
        "view_days": windows.view_days,
        **figures,
    }


def compute_feedback(source: InsightSource) -> dict[str, Any]:
    """Return the document of what customers said of products. Raises InputError."""
    start = source.now - FEEDBACK_DAYS * DAY
    with open_workspace(MEMORY_LIMIT) as workspace, open_store(source.url, "--store") as store:
        with store.connection.begin():
            segments = CustomerSegments.read(store, source)
            feedback = read_feedback(workspace, store, segments, start)
        rows = summarize_feedback(workspace, feedback)
    return {
        "computed": format_timestamp(source.now),
        "from": format_timestamp(start),
        "until": format_timestamp(source.now),
        "min_customers": MIN_GROUP,
        "feedback": rows,
    }


def _read_costs(store: StoreReader, learned: Recommender | None) -> dict[str, float]:
    """Return what a piece of each product costs the shop, by what was reported last."""
    costs: dict[str, float] = {}
    if learned is not None:
        known = learned.catalogue.known_costs
        items = np.flatnonzero(~np.isnan(known)).tolist()
        costs = {learned.catalogue.ids[item]: float(known[item]) for item in items}
    query = select(products.c.product_id, products.c.document)
    for product_id, document in store.connection.execute(query):
        cost = orjson.loads(document).get("cost")
        if cost is not None:
            costs[product_id] = float(cost)
    return costs


def _print(console: Console, facts: dict[str, Any]) -> None:
    for name, rows in facts.get("attribution", {}).items():
        title = f"Followed a click or the sight of it, by {name}"
        columns = ("value", "currency", "orders", "clicked_orders", "units", "revenue")
        _print_rows(console, title, columns, rows[:10])
    if "note" in facts:
        console.print(facts["note"], soft_wrap=True)
    if "experiments" in facts:
        print_results(console, facts)
    columns = ("product_id", "customers", "disappointed", "rating", "dismissals", "unused")
    rows = [row for row in facts.get("feedback", ()) if row["segment"] is None]
    _print_rows(console, "Products that disappoint", columns, rows[:10])
    if worth := facts.get("worth"):
        columns = ("segment", "customers", "orders", "revenue", "recency_days", "returns")
        _print_rows(console, "Customers by segment", columns, worth["segments"])
        value = worth["value"]
        columns = ("quarter", "method", "rmse", "deviance", "total", "best_tenth")
        _print_rows(console, "Orders of held-out quarters", columns, value["comparison"])
        told = value.get("problem") or f"Orders are foretold by: {value['served']}"
        console.print(told, soft_wrap=True)


def _print_rows(
    console: Console, title: str, columns: tuple[str, ...], rows: list[dict[str, Any]]
) -> None:
    if rows:
        table = Table(title=title)
        for column in columns:
            table.add_column(column)
        for row in rows:
            table.add_row(*[_cell(row.get(column)) for column in columns])
        console.print(table)


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int | float) else str(value)
