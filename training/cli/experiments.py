"""Run the commands `experiments plan` and `results`: before an experiment, and once it runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from models.artifact.insights import EXPERIMENTS, read_insight, write_insight
from models.data.customers import NO, YES
from models.data.timestamps import format_timestamp
from models.errors import ArtifactError
from models.recommender import Recommender
from training.cli.arguments import (
    DONE,
    add_json,
    add_registry,
    find_store,
    present,
    registry_at,
)
from training.cli.reading import add_history, read_history
from training.config import read_config
from training.errors import InputError
from training.insights.experiments import compare_all, read_experiments, read_observed
from training.insights.plan import POWER, find_duration, plan_experiment
from training.insights.purpose_consents import PurposeConsents
from training.insights.source import InsightSource
from training.insights.statistics.metrics import METRICS
from training.progress import Reporter
from training.reading.duckdb import open_workspace
from training.reading.purchases import Purchases
from training.reading.service_store import is_store, open_store

DAYS: Final = (14, 28, 56, 84)
MAX_DAYS: Final = 365
MEMORY_LIMIT: Final = "1GB"


def add_experiments(commands: Any) -> None:
    """Add the command `experiments` with its own commands."""
    summary = "Plan an experiment, and compute what running ones say."
    command = commands.add_parser("experiments", help=summary, description=summary)
    own = command.add_subparsers(
        required=True, metavar="COMMAND", help="Plan one, or tell the results of all."
    )
    _add_plan(own)
    _add_results(own)


def _add_plan(commands: Any) -> None:
    command = commands.add_parser(
        "plan",
        help="Tell how small a difference an experiment finds, by how long it runs.",
        description="Tell the least difference, relative to the control, that an experiment finds "
        "in four of five cases at its planned end, for each figure and duration. Read from what "
        "the customers bought until now.",
    )
    add_history(command)
    for option, default, meaning in (
        ("--share", 1.0, "Share of the customers who are in the experiment"),
        ("--split", 0.5, "Share of these who are in the variant; the others are in the control"),
    ):
        command.add_argument(
            option, type=_share, default=default, help=f"{meaning}. Default: {default:g}."
        )
    command.add_argument(
        "--days",
        type=_days,
        default=DAYS,
        metavar="LIST",
        help=f"Durations to plan for. Default: {','.join(map(str, DAYS))}.",
    )
    command.add_argument(
        "--metric",
        choices=[metric.name for metric in METRICS],
        default="revenue",
        help="The figure that the experiment is about. Default: revenue.",
    )
    command.add_argument(
        "--effect",
        type=_effect,
        metavar="SHARE",
        help="The relative difference that you want to find, such as 0.05 for 5 %%. Tells the "
        "shortest of the durations that does. Default: none.",
    )
    add_json(command)
    command.set_defaults(run=_plan)


def _add_results(commands: Any) -> None:
    command = commands.add_parser(
        "results",
        help="Compute what experiments and the holdout say by now.",
        description="Compare the variants of each experiment in the service's store, and the "
        "holdout with everyone else, by what customers bought. Written into the registry; the "
        "service tells it.",
    )
    add_history(command)
    add_registry(command)
    add_json(command)
    command.set_defaults(run=_results)


def _results(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    registry = registry_at(options.registry, must_exist=True)
    config = read_config(options.config, options.column)
    named = next(filter(is_store, options.purchases), None)
    url = find_store(registry, named, "--purchases", reporter)
    if url is None:
        raise InputError(f"--registry {registry.root}: holds no store.db; name it in --purchases")
    if url != named:
        options.purchases = [*options.purchases, url]
    purchases = read_history(options, config, reporter, now)
    unasked = NO if config.training.unasked == "refuse" else YES
    version = registry.active()
    learned = Recommender.load(registry.path(version)) if version else None
    source = InsightSource(registry.root, url, learned, unasked, now)
    facts = compute_experiments(source, purchases, reporter)
    present(options.json, reporter, lambda: facts, lambda console: print_results(console, facts))
    return DONE


def compute_experiments(
    source: InsightSource, purchases: Purchases, reporter: Reporter
) -> dict[str, Any]:
    """Write what the experiments of a store say by now, and return it. Raises InputError."""
    earlier, now = _read_earlier(source.registry, reporter), source.now
    with open_workspace(MEMORY_LIMIT) as workspace, open_store(source.url, "--purchases") as store:
        with store.connection.begin():
            stored = read_experiments(store.experiments())
            measured = PurposeConsents.read(store, source.learned, source.unasked)
            observed = read_observed(workspace, store, purchases, stored, measured, source)
        found = compare_all(observed, stored, source.unasked, now, earlier)
    facts = {"computed": format_timestamp(now), "experiments": found}
    reporter.say(f"Written to {write_insight(source.registry, EXPERIMENTS, facts)}")
    return facts


def _read_earlier(registry: Path, reporter: Reporter) -> dict[str, Any]:
    """Return what was computed before, by experiment: none where it cannot be read any more."""
    try:
        facts = read_insight(registry, EXPERIMENTS) or {}
    except ArtifactError as error:
        reporter.say(f"{error}. Guardrails that were crossed before are looked at anew")
        return {}
    return dict(facts.get("experiments", {}))


def print_results(console: Console, facts: dict[str, Any]) -> None:
    for name, found in facts["experiments"].items():
        table = Table(title=f"{name}: {found.get('problem', 'difference to the control')}")
        for heading in ("variant", "figure", "difference", "fixed", "always valid"):
            table.add_column(
                heading, justify="left" if heading in ("variant", "figure") else "right"
            )
        for row in found.get("comparisons", ()):
            relative = row["relative"]
            table.add_row(
                row["variant"],
                row["metric"],
                "" if relative is None else f"{relative:+.1%}",
                _interval(row["fixed"]),
                _interval(row["always_valid"]),
            )
        console.print(table)
        if found.get("sample_ratio", {}).get("holds") is False:
            console.print(
                f"{name}: the numbers of customers are not what the shares say", style="red"
            )


def _interval(interval: dict[str, float] | None) -> str:
    if interval is None or interval["low"] is None:
        return ""
    return f"{interval['low']:.4g} to {interval['high']:.4g}"


def _plan(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    if options.share * min(options.split, 1 - options.split) <= 0:
        raise InputError(f"--split {options.split:g}: expected a share above 0 and below 1")
    config = read_config(options.config, options.column)
    purchases = read_history(options, config, reporter, now)
    rows = plan_experiment(purchases, options.days, options.share, options.split)
    if not rows:
        raise InputError(
            f"--days {','.join(map(str, options.days))}: no customer bought in the year before, or "
            "the purchases do not reach back twice as long; name shorter durations"
        )
    facts: dict[str, Any] = {"power": POWER, "plan": rows}
    if options.effect is not None:
        needed = find_duration(rows, options.metric, options.effect)
        facts |= {"metric": options.metric, "effect": options.effect, "days_needed": needed}
    present(options.json, reporter, lambda: facts, lambda console: _print(console, facts))
    return DONE


def _print(console: Console, facts: dict[str, Any]) -> None:
    rows = facts["plan"]
    days = sorted({row["days"] for row in rows})
    customers = {row["days"]: row["customers"] for row in rows}
    title = "Least relative difference that is found in four of five cases, at the planned end"
    table = Table(title=title)
    table.add_column("figure")
    for length in days:
        heading = f"{length} days, {customers[length]:,} customers"
        table.add_column(heading, justify="right")
    found = {(row["metric"], row["days"]): row["detectable"] for row in rows}
    for name in dict.fromkeys(row["metric"] for row in rows):
        cells = [found.get((name, length)) for length in days]
        table.add_row(name, *("" if cell is None else f"{cell:.1%}" for cell in cells))
    console.print(table)
    if "effect" in facts:
        needed, wanted = facts["days_needed"], f"{facts['effect']:.1%} of {facts['metric']}"
        answer = f"{needed} days find {wanted}" if needed else f"None of them finds {wanted}"
        console.print(answer, soft_wrap=True)


def _share(text: str) -> float:
    value = _number(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError("should be a share above 0, 1 at most")
    return value


def _effect(text: str) -> float:
    value = _number(text)
    if not 0 < value <= 10:
        raise argparse.ArgumentTypeError("should be a share above 0, such as 0.05 for 5 %")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError("should be a number") from None


def _days(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() and 1 <= int(part) <= MAX_DAYS for part in parts):
        raise argparse.ArgumentTypeError(f"should be numbers from 1 to {MAX_DAYS}, such as 14,28")
    return tuple(sorted({int(part) for part in parts}))
