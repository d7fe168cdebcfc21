"""Run the commands that read a shop's history: `train`, `evaluate` and `tune`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from models.artifact.files import read_manifest
from models.artifact.registry import Registry
from models.artifact.reports import REFUSED as REFUSED_REPORT
from models.artifact.reports import report_path
from models.errors import ArtifactError
from training.cli.arguments import (
    DONE,
    REFUSED,
    STANDARD_OUTPUT,
    STOPPED,
    add_json,
    add_registry,
    check_output,
    find_store,
    present,
    registry_at,
)
from training.cli.check import reading_as_json
from training.cli.reading import add_history, parse_until, read_history
from training.cli.registry import version_as_json
from training.cli.tables import print_evaluation, print_learned, print_reading
from training.config import read_config
from training.errors import InputError
from training.evaluation.figures import figures_as_json
from training.pipeline import Outcome, evaluate_history, train
from training.progress import Reporter
from training.reading.refusals import RefusalWatch
from training.reading.rules_file import read_rules
from training.reading.service_store import is_store, store_holds
from training.report.data import Report, RunVerdict
from training.report.example_customers import EXAMPLE_CUSTOMERS
from training.report.render import write_report
from training.tuning.tune import TuningPlan, print_tuned, tune, tuned_as_json


def add_train(commands: Any) -> None:
    """Add the command `train`."""
    command = commands.add_parser(
        "train",
        help="Train a model, measure it, and publish it if it is good enough.",
        description="Train a model, measure it on the last days of the purchases, and publish it "
        "as the active version unless the quality gate refuses it.",
    )
    add_history(command)
    add_registry(command)
    command.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="The HTML report to write. Default: reports/VERSION.html in the registry.",
    )
    command.add_argument(
        "--accept-smaller",
        action="store_true",
        help="Publish also what was read from much less than the active version: less than half "
        "of its customers, products, lines or days, or sales that end more than 7 days earlier. "
        "Default: that is refused.",
    )
    add_json(command)
    command.set_defaults(run=_train)


def _train(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    config = read_config(options.config, options.column)
    registry = registry_at(options.registry)
    registry.active()  # raises now, and not after the work, where the registry is damaged
    for option, path in (("--report", options.report), ("--json", options.json)):
        if path:
            check_output(option, path)
    named = next(filter(is_store, options.purchases), None)
    store = find_store(registry, named, "--purchases", reporter)
    if store != named:
        options.purchases = [*options.purchases, store]
    watch = RefusalWatch(store)
    purchases = read_history(options, config, reporter, now)
    _tell_other_store(options.purchases, registry, reporter)
    try:
        outcome = train(
            purchases,
            config,
            registry,
            reporter,
            now=now,
            until=parse_until(options.until),
            accept_smaller=options.accept_smaller,
            watch=watch,
        )
    finally:
        if options.json != STANDARD_OUTPUT:
            print_reading(reporter.results, purchases, now)
    present(
        options.json,
        reporter,
        lambda: outcome_as_json(outcome) | {"reading": reading_as_json(purchases, now)},
        lambda console: print_outcome(console, outcome),
    )
    name = outcome.published.version if outcome.published else REFUSED_REPORT
    report = options.report or report_path(options.registry, name)
    _write_report(report, outcome.report, reporter)
    if outcome.published is None:
        for refusal in outcome.refusals:
            reporter.say(f"Refused, {refusal}")
        reporter.say("Nothing was published; what was active stays active.")
        return REFUSED
    reporter.say(f"Published {outcome.published.version}, now active in {options.registry}")
    return DONE


def outcome_as_json(outcome: Outcome) -> dict[str, Any]:
    """Return what came of a training, ready for JSON."""
    published = outcome.published
    return {
        "published": version_as_json(published, published.version) if published else None,
        "refusals": outcome.refusals,
        "evaluation": figures_as_json(outcome.evaluation),
    }


def print_outcome(console: Console, outcome: Outcome) -> None:
    """Print what was learned, and what it found."""
    if outcome.published is not None:
        print_learned(console, outcome.published)
    if outcome.evaluation is not None:
        print_evaluation(console, outcome.evaluation)


def add_evaluate(commands: Any) -> None:
    """Add the command `evaluate`."""
    command = commands.add_parser(
        "evaluate",
        help="Measure a model on the last days of the purchases, and publish nothing.",
        description="Train a model on all but the last days of the purchases, and measure it and "
        "published methods on those days. Nothing is published.",
    )
    add_history(command)
    command.add_argument(
        "--test-days",
        type=int,
        metavar="N",
        help="The number of last days to measure on, 1 to 365. Default: 28, or test_days of the "
        "settings.",
    )
    command.add_argument(
        "--rules",
        type=Path,
        metavar="FILE.json",
        help="A JSON list of shop rules, whose effect on the figures is measured. Default: none.",
    )
    add_json(command)
    command.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="The HTML report to write. Default: report.html.",
    )
    command.add_argument(
        "--example-customers",
        action="store_true",
        help=f"Show {EXAMPLE_CUSTOMERS} customers in the report: id, purchases and slate. Keep it "
        "then as you keep your orders. Default: the report shows no customer.",
    )
    command.set_defaults(run=_evaluate)


def _tell_other_store(sources: Sequence[str], registry: Registry, reporter: Reporter) -> None:
    """Say where the store is not the one that the active version has learned from."""
    urls, version = list(filter(is_store, sources)), registry.active()
    if not urls or version is None:
        return
    try:
        learned = read_manifest(registry.path(version))
    except ArtifactError:
        return  # it is told where it is compared
    if learned.event_mark and not store_holds(urls[0], learned.event_position, learned.event_mark):
        reporter.say(
            f"Warning: the store is not the one that the active version {version} has learned "
            "from, or an older copy of it. Who was forgotten, or said no, in that store and is not "
            "known here comes back.",
            alarming=True,
        )


def _evaluate(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    config = read_config(options.config, options.column)
    if options.test_days is not None:
        if not 1 <= options.test_days <= 365:
            raise InputError(f"--test-days {options.test_days}: expected 1 to 365")
        evaluation = config.evaluation.model_copy(update={"test_days": options.test_days})
        config = config.model_copy(update={"evaluation": evaluation})
    report = options.report or Path("report.html")
    check_output("--report", report)
    if options.json:
        check_output("--json", options.json)
    rules = read_rules(options.rules) if options.rules else ()
    purchases = read_history(options, config, reporter, now)
    examples = EXAMPLE_CUSTOMERS if options.example_customers else 0
    outcome = evaluate_history(purchases, config, reporter, now=now, rules=rules, examples=examples)
    if options.json != STANDARD_OUTPUT:
        print_reading(reporter.results, purchases, now)
    present(
        options.json,
        reporter,
        lambda: figures_as_json(outcome.evaluation),
        lambda console: print_outcome(console, outcome),
    )
    _write_report(report, outcome.report, reporter)
    return DONE


def add_tune(commands: Any) -> None:
    """Add the command `tune`."""
    command = commands.add_parser(
        "tune",
        help="Search for better settings, and publish nothing.",
        description="Search for better settings on days before the ones that evaluate measures "
        "on. Nothing is published. The same command again continues an interrupted search.",
    )
    add_history(command)
    command.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE.toml",
        help="The file to write the best settings to, for train --config. Required.",
    )
    command.add_argument(
        "--study",
        type=Path,
        metavar="FILE",
        help="The file that keeps the trials. Default: the name of the output, followed by .study.",
    )
    command.add_argument(
        "--minutes",
        type=float,
        metavar="N",
        help="The time to search. No trial begins that would take longer. Default: no limit.",
    )
    command.add_argument(
        "--trials",
        type=int,
        metavar="N",
        help="The number of trials, including those the study already keeps. Default: 50, or no "
        "limit if --minutes is given.",
    )
    command.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="The seed of the random choices of settings. Default: 0.",
    )
    add_json(command)
    command.set_defaults(run=_tune)


def _tune(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    started = reporter.clock()
    study = options.study or options.output.with_name(f"{options.output.name}.study")
    plan = TuningPlan(
        options.output, study, options.config, options.trials, options.minutes, options.seed
    )
    plan.check()
    config = read_config(options.config, options.column)
    purchases = read_history(options, config, reporter, now)
    if options.json != STANDARD_OUTPUT:
        print_reading(reporter.results, purchases, now)
    tuned = tune(purchases, config, plan, reporter, started=started)
    present(
        options.json,
        reporter,
        partial(tuned_as_json, tuned),
        lambda console: print_tuned(console, tuned, plan),
    )
    return STOPPED if tuned.stopped else DONE


def _write_report(path: Path, report: Report, reporter: Reporter) -> None:
    message = f"The report is in {path}"
    try:
        write_report(path, report)
    except InputError as error:
        # The version is published without a report, too: that must not look like a failed training.
        if report.verdict is not RunVerdict.PUBLISHED:
            raise
        message = str(error)
    reporter.say(message)
