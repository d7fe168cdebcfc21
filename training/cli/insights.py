"""Run the command `insights`: compute what recommendations earned."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import orjson
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from models.artifact.insights import ATTRIBUTION, write_insight
from models.data.customers import NO, YES
from models.data.events import DAY
from models.data.timestamps import format_timestamp
from models.recommender import Recommender
from training.cli.arguments import (
    DONE,
    add_config,
    add_json,
    add_registry,
    find_store,
    present,
    registry_at,
)
from training.config import read_config
from training.errors import InputError
from training.insights.attribution import Windows, attribute
from training.insights.figures import summarize
from training.insights.measured import MeasureConsents
from training.insights.records import read_records
from training.progress import Reporter
from training.reading.duckdb import open_workspace
from training.reading.service_store import StoreReader, open_store, products

MEMORY_LIMIT = "1GB"


def add_insights(commands: Any) -> None:
    """Add the command `insights`."""
    command = commands.add_parser(
        "insights",
        help="Compute what recommendations earned.",
        description="Compute what recommendations earned, from the service's store, into the "
        "registry. The service tells it.",
    )
    add_registry(command)
    command.add_argument(
        "--store",
        metavar="URL",
        help="The service's store, such as sqlite:///store.db. Default: store.db in the registry.",
    )
    for option, default, meaning in (
        ("--days", 28, "Days of purchases that count"),
        ("--click-days", 7, "Days after a click within which a purchase follows from it"),
        ("--view-days", 1, "Days after the sight of a product within which one follows from it"),
    ):
        command.add_argument(
            option, type=_days, default=default, help=f"{meaning}. Default: {default}."
        )
    add_config(command)
    add_json(command)
    command.set_defaults(run=_insights)


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 3650:
        raise argparse.ArgumentTypeError("should be a number of days, 1 to 3650")
    return int(text)


def _insights(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    registry = registry_at(options.registry, must_exist=True)
    unasked = NO if read_config(options.config).training.unasked == "refuse" else YES
    url = find_store(registry, options.store, "--store", reporter)
    if url is None:
        raise InputError(f"--registry {registry.root}: holds no store.db; name it with --store")
    version = registry.active()
    learned = Recommender.load(registry.path(version)) if version else None
    windows = Windows(options.click_days, options.view_days)
    facts = compute_attribution(url, learned, unasked, windows, days=options.days, now=now)
    path = write_insight(registry.root, ATTRIBUTION, facts)
    reporter.say(f"Written to {path}")
    present(options.json, reporter, lambda: facts, lambda console: _print(console, facts))
    return DONE


def compute_attribution(
    url: str, learned: Recommender | None, unasked: int, windows: Windows, *, days: int, now: int
) -> dict[str, Any]:
    """Return the document. `unasked`: YES or NO, of who was not asked. Raises InputError."""
    start = now - days * DAY
    earliest = start - windows.longest_days * DAY
    with open_workspace(MEMORY_LIMIT) as workspace, open_store(url, "--store") as store:
        with store.connection.begin():
            measured = MeasureConsents.read(store, learned, unasked)
            records = read_records(workspace, store, measured, start, earliest)
            costs = _read_costs(store, learned)
        attribution = attribute(workspace, records, costs, windows)
        figures = summarize(workspace, records, attribution)
    return {
        "computed": format_timestamp(now),
        "from": format_timestamp(start),
        "until": format_timestamp(now),
        "days": days,
        "click_days": windows.click_days,
        "view_days": windows.view_days,
        **figures,
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
    for name, rows in facts["attribution"].items():
        if rows:
            table = Table(title=f"Followed a click or the sight of it, by {name}")
            for column in ("value", "currency", "orders", "clicked_orders", "units", "revenue"):
                table.add_column(column)
            for row in rows[:10]:
                table.add_row(*[_cell(row.get(column.header)) for column in table.columns])
            console.print(table)
    console.print(facts["note"], soft_wrap=True)


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int | float) else str(value)
