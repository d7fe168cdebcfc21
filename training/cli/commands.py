"""Run the commands of `python -m training`.

Exit status 0: done; 1: refused by the quality gate; 2: bad input; 130: stopped.
"""

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
from training.reading.timestamps import parse_optional_timestamp
from training.report.data import Report, Verdict
from training.report.render import write_report
from training.synthetic import write
from training.tuning.tune import TuningPlan, print_tuned, tune


def main(arguments: Sequence[str], *, now: int) -> int:
    """Run one command and return the exit status. `now`: the wall clock in seconds since 1970."""
    options = build_parser().parse_args(arguments)
    reporter = Reporter()
    try:
        status: int = options.run(options, reporter, now)
    except (InputError, ArtifactError) as error:
        reporter.console.print(f"Error: {error}", markup=False, soft_wrap=True, style="bold red")
        return BAD_INPUT
    except OSError as error:
        file = f"{error.filename}: " if error.filename else ""
        text = f"Error: {file}{error.strerror or error}; {reporter.outcome}"
        reporter.console.print(text, markup=False, soft_wrap=True, style="bold red")
        return BAD_INPUT
    except KeyboardInterrupt:
        reporter.console.print(f"Stopped; {reporter.outcome}")
        return STOPPED
    return status


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; each sets `run`, which returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description="Train a model on a shop's purchases, publish it, and write slates to files.",
        epilog="Each command explains its options with --help.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_train(commands)
    _add_evaluate(commands)
    _add_tune(commands)
    add_export(commands)
    _add_versions(commands)
    _add_activate(commands)
    _add_rollback(commands)
    _add_synthetic(commands)
    return parser


def _add_train(commands: Any) -> None:
    command = commands.add_parser(
        "train",
        help="Train a model, measure it, and publish it if it is good enough.",
        description="Train a model, measure it on the last days of the purchases, and publish it "
        "as the active version unless the quality gate refuses it.",
    )
    _add_history(command)
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
    command.set_defaults(run=_train)


def _add_evaluate(commands: Any) -> None:
    command = commands.add_parser(
        "evaluate",
        help="Measure a model on the last days of the purchases, and publish nothing.",
        description="Train a model on all but the last days of the purchases, and measure it and "
        "published methods on those days. Nothing is published.",
    )
    _add_history(command)
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
    command.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="A JSON file to write every figure to. Default: no such file is written.",
    )
    command.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="The HTML report to write. Default: report.html.",
    )
    command.set_defaults(run=_evaluate)


def _add_tune(commands: Any) -> None:
    command = commands.add_parser(
        "tune",
        help="Search for better settings, and publish nothing.",
        description="Search for better settings on days before the ones that evaluate measures "
        "on. Nothing is published. The same command again continues an interrupted search.",
    )
    _add_history(command)
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
    command.set_defaults(run=_tune)


def _add_versions(commands: Any) -> None:
    command = commands.add_parser(
        "versions",
        help="List the published versions.",
        description="List the published versions of a registry with their sizes and figures.",
    )
    add_registry(command)
    add_config(command)
    command.add_argument(
        "--prune",
        action="store_true",
        help="Remove old versions first, but never the active one. [registry] of the settings says "
        "how many versions and days to keep. Default: nothing is removed.",
    )
    command.set_defaults(run=_versions)


def _add_activate(commands: Any) -> None:
    command = commands.add_parser(
        "activate",
        help="Make a published version the active one.",
        description="Make a published version the active one, which the service answers from.",
    )
    command.add_argument("version", help="The name of the version, as versions lists it.")
    add_registry(command)
    command.set_defaults(run=_activate)


def _add_rollback(commands: Any) -> None:
    command = commands.add_parser(
        "rollback",
        help="Go back to the version that was active before.",
        description="Make the version that was active before the active one again.",
    )
    add_registry(command)
    command.set_defaults(run=_rollback)


def _add_synthetic(commands: Any) -> None:
    command = commands.add_parser(
        "synthetic",
        help="Write the files of an invented shop with known tastes.",
        description="Write the purchases, products and customers of an invented shop with known "
        "tastes as Parquet files. Equal options write equal files.",
    )
    for option, metavar, counted in (
        ("--customers", "N", "customers, at least 1"),
        ("--products", "M", "products, at least 2"),
        ("--purchases", "K", "purchased lines, at least 1"),
    ):
        command.add_argument(
            option,
            type=int,
            required=True,
            metavar=metavar,
            help=f"The number of {counted}. Required.",
        )
    command.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="The seed of the random numbers. Another seed writes another shop. Default: 0.",
    )
    command.add_argument(
        "--hemispheres",
        action="store_true",
        help="Sell clothes for two years in two markets with opposite seasons. Default: sell "
        "everyday goods for one year.",
    )
    command.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="The folder to write into, which is made if needed. Required.",
    )
    command.set_defaults(run=_synthetic)


def _add_history(command: argparse.ArgumentParser) -> None:
    """Add the options that say what is read."""
    command.add_argument(
        "--purchases",
        nargs="+",
        required=True,
        metavar="PATH",
        help="The purchases: one or more files, folders or globs, and at most one address of the "
        "service's store, such as sqlite:///store.db. Required.",
    )
    command.add_argument(
        "--products",
        type=Path,
        metavar="PATH",
        help="The products, with titles, categories, prices and more. Default: the products are "
        "known from the purchases only.",
    )
    command.add_argument(
        "--customers",
        type=Path,
        metavar="PATH",
        help="The customers, with their consents and markets. Default: the customers are known "
        "from the purchases only.",
    )
    command.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="OURS=THEIRS",
        help="The name of a column in your files, such as customer_id=household_id. Can be given "
        "several times. Default: columns have the names in docs/data.md.",
    )
    add_config(command)
    command.add_argument(
        "--until",
        metavar="DATE",
        help="Leave out what happened at this moment or later. A date such as 2025-12-31 means its "
        "midnight, in UTC. Default: nothing is left out.",
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
        return parse_optional_timestamp(text)
    except ValueError:
        raise InputError(f"--until {text}: expected a date such as 2025-12-31") from None


def _train(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    config = read_config(options.config, options.column)
    registry = registry_at(options.registry)
    registry.active()  # raises now, and not after the work, where the registry is damaged
    if options.report:
        check_output("--report", options.report)
    purchases = _read(options, config, reporter, now)
    try:
        outcome = train(
            purchases,
            config,
            registry,
            reporter,
            now=now,
            until=_until(options.until),
            accept_smaller=options.accept_smaller,
        )
    finally:
        print_reading(reporter.console, purchases)
    if outcome.published is not None:
        print_learned(reporter.console, outcome.published)
    if outcome.evaluation is not None:
        print_evaluation(reporter.console, outcome.evaluation)
    name = outcome.published.version if outcome.published else "refused"
    report = options.report or options.registry / "reports" / f"{name}.html"
    _write_report(report, outcome.report, reporter)
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
        evaluation = config.evaluation.model_copy(update={"test_days": options.test_days})
        config = config.model_copy(update={"evaluation": evaluation})
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
    message = f"The report is in {path}"
    try:
        write_report(path, report)
    except InputError as error:
        # The version is published without a report, too: that must not look like a failed training.
        if report.verdict is not Verdict.PUBLISHED:
            raise
        message = str(error)
    reporter.console.print(message, markup=False, soft_wrap=True)


def _tune(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    started = reporter.clock()
    study = options.study or options.output.with_name(f"{options.output.name}.study")
    plan = TuningPlan(
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
    registry = registry_at(options.registry, must_exist=True)
    config = read_config(options.config).registry
    if options.prune:
        removed = registry.prune(now=now, keep=config.keep, max_age_days=config.max_age_days)
        for version in removed:
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
