"""Run the command `export`, which writes slates for whole audiences to a file."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from models.artifact.array_tree import flatten
from models.artifact.files import Manifest, verify_artifact
from models.assembly.cards import is_locale
from models.data.customer_figures import CustomerFigures
from models.data.customers import NO, YES
from models.data.urls import is_absolute
from models.languages.languages import WordingError, read_wording
from models.mail.mailings import MAILINGS, MailKind
from models.recommender import Recommender
from models.rules.filter_language import (
    FilterError,
    FilterExpression,
    check_filter,
    parse_filter,
)
from models.rules.filter_mask import find_unknown_attributes
from models.rules.filters import Repeat
from training.cli.arguments import (
    DONE,
    STOPPED,
    add_config,
    add_engine,
    add_registry,
    choose_master,
    find_store,
    registry_at,
)
from training.config import read_config
from training.errors import InputError
from training.export.already_shown import AlreadyShown
from training.export.audiences import choose, filter_of
from training.export.columns import Cards, ExportOptions, Layout
from training.export.current_model import CurrentModel, read_experiments
from training.export.formats import CSV, FORMATS
from training.export.recipients import Recipients, everyone, read_recipients
from training.export.resume import Parts, Tally, open_parts
from training.export.slates import EMAIL_PLACEMENT, SlateExport, export_slates
from training.export.spark_slates import export_on_spark
from training.export.store_snapshot import StoreSnapshot, empty_snapshot, read_store_snapshot
from training.parallel import cores
from training.progress import Reporter
from training.reading.customers import Unasked
from training.reading.service_store import without_password
from training.spark import SparkMaster, open_spark


def add_export(commands: Any) -> None:
    """Add the command `export`."""
    command = commands.add_parser(
        "export",
        help="Write slates for many customers to a file.",
        description="Write a slate for each of many customers to a file, as the service would "
        "answer them.",
    )
    add_registry(command)
    add_config(command)
    _add_source(command)
    _add_slates(command)
    _add_cards(command)
    _add_offers(command)
    add_engine(command, "processes", "Who computes the slates: processes of this machine, or")
    command.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="The file to write, whose name ends in .parquet, .csv or .ndjson. Required.",
    )
    command.add_argument(
        "--spreadsheet-safe",
        action="store_true",
        help="With a .csv file: put ' before texts that begin with =, +, -, @, a tab or a carriage "
        "return, which a spreadsheet would take for formulas. Default: texts stay as they are.",
    )
    command.add_argument(
        "--resume",
        action="store_true",
        help="Continue the same export where it was interrupted. Default: begin again.",
    )
    command.set_defaults(run=_export)


def _add_source(command: argparse.ArgumentParser) -> None:
    """Add the options that say for whom the file is, and what counts beside the model."""
    command.add_argument(
        "--store",
        metavar="URL",
        help="The address of the service's store, such as sqlite:///store.db. What was reported "
        "to the service since the training then counts too. Default: the store.db in the registry, "
        "if there is one.",
    )
    command.add_argument(
        "--recipients",
        type=Path,
        metavar="FILE",
        help="A file with the column customer_id, and optionally as_of and order_id. Default: all "
        "customers.",
    )
    command.add_argument(
        "--audience",
        action="append",
        default=[],
        metavar="FILTER",
        help="Only recipients who pass this filter: bought:90, bought:90:EXPRESSION for products "
        "that meet one as for --filter, consent:email, market:SE, "
        "activity:lapsed, or a kind of mail such as win_back, which is passed by those for whom "
        "it is due. Can be given several times; recipients must pass all. Default: no filter.",
    )
    command.add_argument(
        "--not-again",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="An earlier file of slates. Nothing that it shows a recipient is shown again. Can be "
        "given several times. Default: none.",
    )
    command.add_argument(
        "--not-twice",
        type=int,
        default=3,
        metavar="K",
        help="With --store: nothing that a recipient's last K campaigns showed is shown again. "
        "Default: 3.",
    )


def _add_offers(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--offers",
        action="store_true",
        help="With --store: add the shop's offers, as columns. Single-use codes are given to "
        "the recipients and noted in the store. Default: no offers.",
    )


def _add_slates(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-n",
        type=int,
        default=10,
        metavar="N",
        help="The number of products in a slate, 1 to 100. Default: 10.",
    )
    command.add_argument(
        "--repeat",
        type=Repeat,
        choices=list(Repeat),
        default=Repeat.AUTO,
        help="Whether products that a customer bought before are shown: include, exclude, or auto, "
        "which shows them where customers of this shop buy again, when it is time. Default: auto.",
    )
    command.add_argument(
        "--filter",
        metavar="EXPRESSION",
        help="Only products that meet this condition, such as 'product.price < 20': see "
        "docs/filter.md. Default: all products.",
    )
    command.add_argument(
        "--layout",
        type=Layout,
        choices=list(Layout),
        default=Layout.LONG,
        help="The rows of the file: one for each product (long) or one for each customer (wide). "
        "Default: long.",
    )


def _add_cards(command: argparse.ArgumentParser) -> None:
    """Add the options of the columns that show products."""
    command.add_argument(
        "--cards",
        action="store_true",
        help="Add titles, prices, addresses and reasons. Default: ids only.",
    )
    command.add_argument(
        "--locale",
        default="en_US",
        help="The locale in which prices and sentences are written. Default: en_US.",
    )
    command.add_argument(
        "--wording",
        type=Path,
        metavar="DIR",
        help="The folder with the shop's own sentences, such as de.po. Default: ours.",
    )
    command.add_argument(
        "--shop-url",
        metavar="URL",
        help="With --cards: the address that relative addresses of products are joined to. "
        "Default: relative addresses stay as they are.",
    )
    command.add_argument(
        "--campaign",
        metavar="NAME",
        help="The name of the campaign that the file is for. With --cards, links get utm "
        "parameters with this name. Default: links get none.",
    )
    command.add_argument(
        "--utm-source",
        default="regulars",
        metavar="NAME",
        help="With --campaign: the utm_source of links. Default: regulars.",
    )


def _export(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    _check(options)
    mailing = _mailing(options.audience)
    filters = [filter_of(text) for text in options.audience if text not in MAILINGS]
    config = read_config(options.config)
    master = choose_master(options, config)
    if master and options.offers:
        raise InputError(
            "--offers: is not for --engine spark; codes are given and noted by one machine"
        )
    directory = _active_artifact(options.registry)
    learned = Recommender.load(directory)
    registry = registry_at(options.registry)
    options.store = find_store(registry, options.store, "--store", reporter)
    if options.offers and not options.store:
        raise InputError("--offers: offers are in the service's store; name it with --store")
    unasked = NO if config.training.unasked == "refuse" else YES
    export_options = _export_options(options, mailing)
    with open_parts(options.output, resume=options.resume) as parts:
        snapshot = _snapshot(options, learned, parts, reporter, now)
        _check_experiments(snapshot, now)
        if options.recipients:
            recipients = read_recipients(options.recipients)
        else:
            recipients = everyone(learned.model.customers.ids, snapshot)
        if filters or export_options.expression:
            current = CurrentModel.of(learned, snapshot, unasked)
            if any(text.startswith("segment:") for text in options.audience):
                current = replace(current, figures=CustomerFigures.read(registry.root))
            _check_attributes(options, export_options, current)
            recipients = choose(recipients, filters, current)
        about = _about(options, mailing, directory, recipients, config.training.unasked)
        export = SlateExport(
            directory,
            registry.root,
            export_options,
            unasked=unasked,
            began=parts.begin(about, now),
            processes=config.processes or cores(),
            spreadsheet_safe=options.spreadsheet_safe,
            store=options.store if options.offers else None,
        )
        _print_finished(parts, len(recipients), reporter)
        try:
            tally = _write_slates(master, export, recipients, parts, reporter)
        except KeyboardInterrupt:
            reporter.say("Stopped; the same command with --resume goes on")
            return STOPPED
    if refused := _count_refused_since(options, snapshot, learned.manifest):
        reporter.say(
            f"Warning: {refused:,} customers said no or were erased while the file was written; "
            "write it again before it is sent.",
            alarming=True,
        )
    summary = (
        f"{tally.rows:,} rows for {tally.recipients:,} customers "
        f"from {directory.name} in {options.output}"
    )
    remarks = _remarks(tally, options.n)
    reporter.say("; ".join([summary, *remarks]))
    return DONE


def _write_slates(
    master: SparkMaster | None,
    export: SlateExport,
    recipients: Recipients,
    parts: Parts,
    reporter: Reporter,
) -> Tally:
    if master is None:
        with reporter.step("Exporting", each="recipients") as advance:
            return export_slates(export, recipients, parts, advance)
    with ExitStack() as stack:
        with reporter.step("Starting Spark"):
            spark = stack.enter_context(open_spark(master))
        with reporter.step("Exporting", each="recipients") as advance:
            return export_on_spark(spark, export, recipients, parts, advance)


def _check_experiments(snapshot: StoreSnapshot, now: int) -> None:
    """Raise InputError where an experiment has mails answered by another model: a file has one."""
    experiments, _ = read_experiments(snapshot)
    for experiment in experiments:
        others = [variant.name for variant in experiment.variants if variant.model_version]
        if others and experiment.runs_at(now) and experiment.is_at(EMAIL_PLACEMENT):
            raise InputError(
                f"the experiment {experiment.id!r} answers the variant {others[0]!r} with another "
                "model, which no file does; fetch its mails from the service, or stop it"
            )


def _active_artifact(root: Path) -> Path:
    registry = registry_at(root, must_exist=True)
    version = registry.active()
    if version is None:
        raise InputError(f"{root}: holds no version; train one first")
    verify_artifact(registry.path(version))
    return registry.path(version)


def _mailing(audience: Sequence[str]) -> MailKind | None:
    """Return the kind of mail among the filters.

    None for a newsletter too: it is due for all customers and has no occasion.
    """
    kinds = {MAILINGS[text].kind for text in audience if text in MAILINGS}
    if len(kinds) > 1:
        raise InputError(
            "--audience: a file is for one kind of mail, and these are "
            f"{' and '.join(sorted(kinds))}"
        )
    return next(iter(kinds - {MailKind.NEWSLETTER}), None)


def _export_options(options: argparse.Namespace, mailing: MailKind | None) -> ExportOptions:
    cards = None
    if options.cards:
        cards = Cards(options.locale, options.shop_url, options.utm_source, options.campaign)
    expression = None if options.filter is None else _parse_filter(options.filter)
    return ExportOptions(
        options.n,
        options.repeat,
        options.layout,
        cards,
        mailing,
        expression,
        options.locale,
        options.wording,
        options.offers,
    )


def _parse_filter(text: str) -> FilterExpression:
    try:
        return parse_filter(check_filter(text))
    except FilterError as error:
        raise InputError(f"--filter {text}: {error}") from None


def _snapshot(
    options: argparse.Namespace, learned: Recommender, parts: Parts, reporter: Reporter, clock: int
) -> StoreSnapshot:
    """Load the content of the store when this export began, which it reads when it is resumed."""
    if not parts.begun:
        snapshot = _read_snapshot(options, learned.manifest, reporter, clock)
        parts.snapshot.mkdir()
        snapshot.save(parts.snapshot)
        if options.store and int(snapshot.learned[0]) < learned.manifest.event_position:
            reporter.say(
                f"The store is not the one that {learned.manifest.version} has learned from, or "
                "an older copy: everything in it counts. Train again with it",
            )
        return StoreSnapshot.load(parts.snapshot)
    snapshot = StoreSnapshot.load(parts.snapshot)
    if refused := _count_refused_since(options, snapshot, learned.manifest):
        raise InputError(
            f"--resume: {refused:,} customers said no or were erased since the export began; "
            "without --resume it begins again"
        )
    return snapshot


def _count_refused_since(
    options: argparse.Namespace, snapshot: StoreSnapshot, learned: Manifest
) -> int:
    """Count the customers who were erased or refused personal mails since a snapshot."""
    if not options.store:
        return 0
    now = read_store_snapshot(options.store, learned)
    return len(now.refusals - snapshot.refusals)


def _read_snapshot(
    options: argparse.Namespace, learned: Manifest, reporter: Reporter, clock: int
) -> StoreSnapshot:
    shown = AlreadyShown(options.not_again, options.not_twice, options.campaign or "", clock)
    if not options.store:
        return empty_snapshot(learned, shown)
    with reporter.step("Reading the store"):
        return read_store_snapshot(options.store, learned, shown)


def _about(
    options: argparse.Namespace,
    mailing: MailKind | None,
    directory: Path,
    recipients: Recipients,
    unasked: Unasked,
) -> dict[str, Any]:
    """Name the facts that must be the same for an export to be resumed, as a user knows them."""
    digest = hashlib.sha256()
    for _, array in flatten(recipients):
        digest.update(np.ascontiguousarray(array).data)
    return {
        "version": directory.name,
        "-n": options.n,
        "--repeat": options.repeat,
        "--filter": options.filter,
        "--layout": options.layout,
        "mail": mailing,
        "--cards": options.cards,
        "--locale": options.locale,
        # None: an export that an older version has begun can be resumed.
        "--wording": str(options.wording) if options.wording else None,
        "--shop-url": options.shop_url,
        "--campaign": options.campaign,
        "--utm-source": options.utm_source,
        "--spreadsheet-safe": options.spreadsheet_safe or None,
        "--offers": options.offers or None,
        "--not-again": [str(path) for path in options.not_again],
        "--not-twice": options.not_twice,
        "--store": without_password(options.store, "--store") if options.store else None,
        "[training] unasked": unasked,
        "recipients": f"{len(recipients):,} ({digest.hexdigest()[:12]})",
    }


def _print_finished(parts: Parts, recipients: int, reporter: Reporter) -> None:
    tally = sum(parts.finished().values(), Tally())
    if finished := tally.recipients + tally.not_due:
        reporter.say(f"Going on: {finished:,} of {recipients:,} recipients are done")


def _remarks(tally: Tally, n: int) -> list[str]:
    """Say what a marketer should know of the file before it is sent."""
    remarks = [f"{tally.short:,} with fewer than {n} products"] if tally.short else []
    remarks += [f"{tally.offered:,} with an offer"] if tally.offered else []
    remarks += [f"{count:,} {reason}" for reason, count in sorted(tally.fallbacks.items())]
    return remarks + ([f"not due for {tally.not_due:,}"] if tally.not_due else [])


def _check_attributes(
    options: argparse.Namespace, export: ExportOptions, current: CurrentModel
) -> None:
    """Raise InputError for a filter about what no product has: all slates would be empty."""
    if export.expression is None:
        return
    unknown = find_unknown_attributes(export.expression, current.recommender.catalogue)
    if unknown:
        raise InputError(f"--filter {options.filter}: no product has {', '.join(unknown)}")


def _check_wording(folder: Path) -> None:
    try:
        read_wording(folder)
    except WordingError as error:
        raise InputError(f"--wording: {error}") from None


def _check(options: argparse.Namespace) -> None:
    """Raise InputError for an option that has no meaning, before any work."""
    if not 1 <= options.n <= 100:
        raise InputError(f"-n {options.n}: expected 1 to 100")
    if options.not_twice < 0:
        raise InputError(f"--not-twice {options.not_twice}: expected 0 or more")
    if options.output.suffix not in FORMATS:
        raise InputError(
            f"--output {options.output}: expected a name ending in {', '.join(FORMATS)}"
        )
    if options.spreadsheet_safe and options.output.suffix != CSV:
        raise InputError(f"--spreadsheet-safe: is for files that end in {CSV}")
    if options.output.is_dir():
        raise InputError(f"--output {options.output}: is a folder, expected a file")
    if not options.output.parent.is_dir():
        raise InputError(
            f"--output {options.output}: the folder {options.output.parent} does not exist"
        )
    if not is_locale(options.locale):
        raise InputError(f"--locale {options.locale}: expected a locale such as en_US or de-DE")
    if options.wording:
        _check_wording(options.wording)
    if options.shop_url is not None and not is_absolute(options.shop_url):
        raise InputError(
            f"--shop-url {options.shop_url}: expected an address such as https://shop.example"
        )
