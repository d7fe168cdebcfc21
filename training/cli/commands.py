"""The command line. Exit 0: done; 1: refused by the quality gate; 2: bad input."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.errors import ArtifactError
from training.cli.arguments import (
    BAD_INPUT,
    DONE,
    REFUSED,
    STOPPED,
    add_config,
    add_registry,
    check_output,
    registry_at,
)
from training.cli.export import add_export
from training.cli.tables import print_evaluation, print_learned, print_reading, print_versions
from training.config import Config, read_config
from training.errors import InputError
from training.evaluation.figures import write_json
from training.pipeline import evaluate_history, train
from training.progress import Reporter
from training.reading.purchases import Purchases, read_purchases
from training.reading.rules_file import read_rules
from training.reading.timestamps import moment_of
from training.report.data import Report, Verdict
from training.report.render import write_report
from training.synthetic import write
from training.tuning.tune import Plan, print_tuned, tune


def main(arguments: Sequence[str], *, now: int) -> int:
    """Run one command; `now` is the wall clock in seconds since 1970. Returns the exit status."""
    options = parser().parse_args(arguments)
    reporter = Reporter()
    try:
        status: int = options.run(options, reporter, now)
    except (InputError, ArtifactError) as error:
        reporter.console.print(f"Error: {error}", markup=False, soft_wrap=True, style="bold red")
        return BAD_INPUT
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        text = f"Error: {place}{error.strerror or error}; {reporter.outcome}"
        reporter.console.print(text, markup=False, soft_wrap=True, style="bold red")
        return BAD_INPUT
    except KeyboardInterrupt:
        reporter.console.print(f"Stopped; {reporter.outcome}")
        return STOPPED
    return status


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training", description="Learn from a shop's purchases."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser(
        "train", help="learn, evaluate, and publish a version if it is good enough"
    )
    _add_history(command)
    add_registry(command)
    command.add_argument(
        "--report", type=Path, metavar="FILE", help="default: reports/VERSION.html in the registry"
    )
    command.set_defaults(run=_train)

    command = commands.add_parser(
        "evaluate", help="measure on the last days of the history; publish nothing"
    )
    _add_history(command)
    command.add_argument("--test-days", type=int, metavar="N", help="days kept back (default 28)")
    command.add_argument(
        "--rules", type=Path, metavar="FILE.json", help="measure what these rules of the shop cost"
    )
    command.add_argument("--json", type=Path, metavar="FILE", help="write every figure")
    command.add_argument("--report", type=Path, metavar="FILE", help="default: report.html")
    command.set_defaults(run=_evaluate)

    command = commands.add_parser(
        "tune", help="search better settings on days before the last ones; publish nothing"
    )
    _add_history(command)
    command.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE.toml",
        help="the best, for train --config",
    )
    command.add_argument(
        "--study",
        type=Path,
        metavar="FILE",
        help="keeps the trials (default: the output's + .study)",
    )
    command.add_argument(
        "--minutes", type=float, metavar="N", help="no trial begins that would take longer"
    )
    command.add_argument(
        "--trials", type=int, metavar="N", help="in all (default 50, without --minutes)"
    )
    command.add_argument("--seed", type=int, default=0)
    command.set_defaults(run=_tune)

    add_export(commands)

    command = commands.add_parser("versions", help="list the versions of a registry")
    add_registry(command)
    add_config(command)
    command.add_argument(
        "--prune", action="store_true", help="remove old versions, never the active one"
    )
    command.set_defaults(run=_versions)

    command = commands.add_parser("activate", help="make a version the active one")
    command.add_argument("version")
    add_registry(command)
    command.set_defaults(run=_activate)

    command = commands.add_parser("rollback", help="go back to the version that was active before")
    add_registry(command)
    command.set_defaults(run=_rollback)

    _add_synthetic(commands)
    return parser


def _add_synthetic(commands: Any) -> None:
    command = commands.add_parser("synthetic", help="write a seeded shop with known tastes")
    command.add_argument("--customers", type=int, required=True, metavar="N")
    command.add_argument("--products", type=int, required=True, metavar="M")
    command.add_argument("--purchases", type=int, required=True, metavar="K")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument(
        "--hemispheres",
        action="store_true",
        help="clothes in two markets with opposite seasons, two years",
    )
    command.add_argument("--output", type=Path, required=True, metavar="DIR")
    command.set_defaults(run=_synthetic)


def _add_history(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--purchases", nargs="+", required=True, metavar="PATH", help="paths, globs, store URL"
    )
    command.add_argument("--products", type=Path, metavar="PATH")
    command.add_argument("--customers", type=Path, metavar="PATH")
    command.add_argument(
        "--column", action="append", default=[], metavar="OURS=THEIRS", help="repeatable"
    )
    add_config(command)
    command.add_argument(
        "--until", metavar="DATE", help="leave out what happened on this day (UTC) and after"
    )


def _read(options: argparse.Namespace, config: Config, reporter: Reporter, now: int) -> Purchases:
    with reporter.step("Reading purchases") as advance:
        return read_purchases(
            options.purchases,
            products=options.products,
            customers=options.customers,
            columns=config.columns,
            now=now,
            until=_until(options.until),
            memory_limit=config.memory_limit,
            unasked=config.training.unasked,
            on_progress=advance,
        )


def _until(text: str | None) -> int | None:
    try:
        return moment_of(text)
    except ValueError:
        raise InputError(f"--until {text}: expected a date such as 2025-12-31") from None


def _train(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    config = read_config(options.config, options.column)
    registry = registry_at(options.registry)
    registry.active()  # a damaged one is told now and not after the work
    if options.report:
        check_output("--report", options.report)
    purchases = _read(options, config, reporter, now)
    try:
        outcome = train(purchases, config, registry, reporter, now=now)
    finally:
        print_reading(reporter.console, purchases)
    if outcome.published is not None:
        print_learned(reporter.console, outcome.published)
    if outcome.evaluation is not None:
        print_evaluation(reporter.console, outcome.evaluation)
    name = outcome.published.version if outcome.published else "refused"
    _write_report(
        options.report or options.registry / "reports" / f"{name}.html", outcome.report, reporter
    )
    if outcome.published is None:
        for refusal in outcome.refusals:
            reporter.console.print(f"Refused, {refusal}", markup=False, soft_wrap=True)
        reporter.console.print("Nothing was published; what was active stays active.")
        return REFUSED
    reporter.console.print(
        f"Published {outcome.published.version}, now active in {options.registry}", soft_wrap=True
    )
    return DONE


def _evaluate(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    config = read_config(options.config, options.column)
    if options.test_days is not None:
        if not 1 <= options.test_days <= 365:
            raise InputError(f"--test-days {options.test_days}: expected 1 to 365")
        kept_back = config.evaluation.model_copy(update={"test_days": options.test_days})
        config = config.model_copy(update={"evaluation": kept_back})
    report = options.report or Path("report.html")
    check_output("--report", report)
    if options.json:
        check_output("--json", options.json)
    rules = read_rules(options.rules) if options.rules else ()
    purchases = _read(options, config, reporter, now)
    outcome = evaluate_history(purchases, config, reporter, now=now, rules=rules)
    print_reading(reporter.console, purchases)
    if outcome.evaluation is not None:
        print_evaluation(reporter.console, outcome.evaluation)
        if options.json:
            write_json(options.json, outcome.evaluation)
    _write_report(report, outcome.report, reporter)
    return DONE


def _write_report(path: Path, report: Report, reporter: Reporter) -> None:
    """What was published stands without a report: that must not look like a failed training."""
    told = f"The report is in {path}"
    try:
        write_report(path, report)
    except InputError as error:
        if report.verdict is not Verdict.PUBLISHED:
            raise
        told = str(error)
    reporter.console.print(told, markup=False, soft_wrap=True)


def _tune(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    started = reporter.clock()
    study = options.study or options.output.with_name(f"{options.output.name}.study")
    plan = Plan(
        options.output, study, options.config, options.trials, options.minutes, options.seed
    )
    plan.check()
    config = read_config(options.config, options.column)
    purchases = _read(options, config, reporter, now)
    print_reading(reporter.console, purchases)
    tuned = tune(purchases, config, plan, reporter, started=started)
    print_tuned(reporter.console, tuned, plan)
    return STOPPED if tuned.stopped else DONE


def _versions(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    registry, config = (
        registry_at(options.registry, must_exist=True),
        read_config(options.config).registry,
    )
    if options.prune:
        for version in registry.prune(now=now, keep=config.keep, max_age_days=config.max_age_days):
            reporter.console.print(f"Removed {version}")
    print_versions(reporter.console, registry.versions(), registry.active())
    for error in registry.damaged():
        reporter.console.print(f"Damaged: {error}", markup=False, soft_wrap=True)
    return DONE


def _activate(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    del now
    registry_at(options.registry, must_exist=True).activate(options.version)
    reporter.console.print(f"{options.version} is active")
    return DONE


def _rollback(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    del now
    version = registry_at(options.registry, must_exist=True).rollback()
    reporter.console.print(f"{version} is active")
    return DONE


def _synthetic(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    del now
    with reporter.step("Writing the shop") as advance:
        try:
            write.write_shop(
                options.output,
                customers=options.customers,
                products=options.products,
                purchases=options.purchases,
                seed=options.seed,
                hemispheres=options.hemispheres,
                on_progress=advance,
            )
        except ValueError as error:
            raise InputError(str(error)) from None
    reporter.console.print(f"{options.purchases:,} purchases in {options.output}")
    return DONE
