"""`export`: slates for whole audiences, in a file."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from models.artifact.array_tree import flatten
from models.artifact.files import verify_artifact
from models.assembly.cards import is_locale
from models.data.customers import NO, YES
from models.data.urls import is_absolute
from models.mail.mailings import MailKind
from models.recommender import Recommender
from models.rules.filters import Repeat
from training.cli.arguments import DONE, STOPPED, add_config, add_registry, registry_at
from training.config import read_config
from training.errors import InputError
from training.export.already_shown import AlreadyShown
from training.export.audiences import chosen, filter_of
from training.export.columns import Cards, ExportOptions, Layout
from training.export.current_model import CurrentModel
from training.export.formats import FORMATS
from training.export.recipients import Recipients, everyone, read_recipients
from training.export.resume import Parts, Tally, open_parts
from training.export.slates import export_slates
from training.export.store_snapshot import StoreSnapshot, as_learned, read_store_snapshot
from training.parallel import cores
from training.progress import Reporter
from training.reading.customers import Unasked
from training.reading.service_store import without_password


def add_export(commands: Any) -> None:
    command = commands.add_parser("export", help="write slates for many customers to a file")
    add_registry(command)
    add_config(command)
    command.add_argument(
        "--store", metavar="URL", help="what the service was told since the training counts too"
    )
    command.add_argument(
        "--recipients", type=Path, metavar="FILE", help="customer_id, optionally as_of and order_id"
    )
    command.add_argument(
        "--audience",
        action="append",
        default=[],
        metavar="FILTER",
        help="bought:90, consent:email, market:SE, activity:lapsed, or a kind of mail, like win_back: those for whom "
        "it is due; repeatable, all must hold; default: everyone",
    )
    command.add_argument(
        "-n", type=int, default=10, help="products in a slate, 1 to 100 (default 10)"
    )
    command.add_argument("--repeat", type=Repeat, choices=list(Repeat), default=Repeat.AUTO)
    command.add_argument("--layout", type=Layout, choices=list(Layout), default=Layout.LONG)
    command.add_argument(
        "--cards", action="store_true", help="titles, prices, addresses and reasons too"
    )
    command.add_argument("--locale", default="en_US", help="of the texts of prices (default en_US)")
    command.add_argument("--shop-url", metavar="URL", help="what relative addresses are joined to")
    command.add_argument(
        "--campaign", metavar="NAME", help="links bear utm parameters with this name"
    )
    command.add_argument(
        "--utm-source", default="regulars", metavar="NAME", help="(default regulars)"
    )
    command.add_argument(
        "--not-again",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="an earlier file of slates, of which nothing is shown again; repeatable",
    )
    command.add_argument(
        "--not-twice",
        type=int,
        default=3,
        metavar="K",
        help="of --store: nothing that a customer's last K campaigns showed is shown again (default 3)",
    )
    command.add_argument(
        "--resume", action="store_true", help="go on where the same export was interrupted"
    )
    command.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help=".parquet, .csv or .ndjson"
    )
    command.set_defaults(run=_export)


def _export(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    _check(options)
    mailing = _mailing(options.audience)
    filters = [filter_of(text) for text in options.audience if text not in list(MailKind)]
    config = read_config(options.config)
    directory = _active(options.registry)
    learned = Recommender.load(directory)
    unasked = NO if config.training.unasked == "refuse" else YES
    order = _order(options, mailing)
    with open_parts(options.output, resume=options.resume) as parts:
        live = _live(options, learned, parts, reporter, now)
        recipients = (
            read_recipients(options.recipients)
            if options.recipients
            else everyone(learned.model.customers.ids, live)
        )
        if filters:
            recipients = chosen(recipients, filters, CurrentModel.of(learned, live, unasked))
        began = parts.begin(
            _about(options, order, directory, recipients, config.training.unasked), now
        )
        _tell_finished(parts, len(recipients), reporter)
        try:
            with reporter.step("Exporting", each="recipients") as advance:
                tally = export_slates(
                    directory,
                    recipients,
                    order,
                    parts,
                    began=began,
                    unasked=unasked,
                    processes=config.processes or cores(),
                    on_progress=advance,
                )
        except KeyboardInterrupt:
            reporter.console.print("Stopped; the same command with --resume goes on")
            return STOPPED
    told = [
        f"{tally.rows:,} rows for {tally.recipients:,} customers from {directory.name} in {options.output}"
    ]
    reporter.console.print("; ".join(told + _remarks(tally, order)), markup=False, soft_wrap=True)
    return DONE


def _active(root: Path) -> Path:
    registry = registry_at(root, must_exist=True)
    version = registry.active()
    if version is None:
        raise InputError(f"{root}: holds no version; train one first")
    verify_artifact(registry.path(version))
    return registry.path(version)


def _mailing(audience: Sequence[str]) -> MailKind | None:
    """The kind of mail among the filters; None for a newsletter too, which is due for all and has no occasion."""
    kinds = {MailKind(text) for text in audience if text in list(MailKind)}
    if len(kinds) > 1:
        raise InputError(
            f"--audience: a file is for one kind of mail, and these are {' and '.join(sorted(kinds))}"
        )
    return next(iter(kinds - {MailKind.NEWSLETTER}), None)


def _order(options: argparse.Namespace, mailing: MailKind | None) -> ExportOptions:
    cards = (
        Cards(options.locale, options.shop_url, options.utm_source, options.campaign)
        if options.cards
        else None
    )
    return ExportOptions(options.n, options.repeat, options.layout, cards, mailing)


def _live(
    options: argparse.Namespace, learned: Recommender, parts: Parts, reporter: Reporter, clock: int
) -> StoreSnapshot:
    """What the store said when this export was begun, so that one that goes on says the same."""
    if not parts.begun:
        store, manifest = options.store, learned.manifest
        shown = AlreadyShown(options.not_again, options.not_twice, options.campaign or "", clock)
        with reporter.step("Reading the store") if store else nullcontext():
            live = (
                read_store_snapshot(store, manifest, shown)
                if store
                else as_learned(manifest, shown)
            )
        parts.live.mkdir()
        live.save(parts.live)
    return StoreSnapshot.load(parts.live)


def _about(
    options: argparse.Namespace,
    order: ExportOptions,
    directory: Path,
    recipients: Recipients,
    unasked: Unasked,
) -> dict[str, Any]:
    """What must be the same for an export to go on, by the names that a caller knows."""
    digest = hashlib.sha256()
    for _, array in flatten(recipients):
        digest.update(np.ascontiguousarray(array).data)
    return {
        "version": directory.name,
        "-n": order.n,
        "--repeat": order.repeat,
        "--layout": order.layout,
        "mail": order.mailing,
        "--cards": options.cards,
        "--locale": options.locale,
        "--shop-url": options.shop_url,
        "--campaign": options.campaign,
        "--utm-source": options.utm_source,
        "--not-again": [str(path) for path in options.not_again],
        "--not-twice": options.not_twice,
        "--store": without_password(options.store, "--store") if options.store else None,
        "[training] unasked": unasked,
        "recipients": f"{len(recipients):,} ({digest.hexdigest()[:12]})",
    }


def _tell_finished(parts: Parts, recipients: int, reporter: Reporter) -> None:
    tally = sum(parts.finished().values(), Tally())
    if done := tally.recipients + tally.not_due:
        reporter.console.print(f"Going on: {done:,} of {recipients:,} recipients are done")


def _remarks(tally: Tally, order: ExportOptions) -> list[str]:
    """What a marketer should know of the file before it is sent."""
    remarks = [f"{tally.short:,} with fewer than {order.n} products"] if tally.short else []
    remarks += [f"{count:,} {reason}" for reason, count in sorted(tally.fallbacks.items())]
    return remarks + ([f"not due for {tally.not_due:,}"] if tally.not_due else [])


def _check(options: argparse.Namespace) -> None:
    if not 1 <= options.n <= 100:
        raise InputError(f"-n {options.n}: expected 1 to 100")
    if options.not_twice < 0:
        raise InputError(f"--not-twice {options.not_twice}: expected 0 or more")
    if options.output.suffix not in FORMATS:
        raise InputError(
            f"--output {options.output}: expected a name ending in {', '.join(FORMATS)}"
        )
    if options.output.is_dir():
        raise InputError(f"--output {options.output}: is a folder, expected a file")
    if not options.output.parent.is_dir():
        raise InputError(
            f"--output {options.output}: the folder {options.output.parent} does not exist"
        )
    if not is_locale(options.locale):
        raise InputError(f"--locale {options.locale}: expected a locale such as en_US or de-DE")
    if options.shop_url is not None and not is_absolute(options.shop_url):
        raise InputError(
            f"--shop-url {options.shop_url}: expected an address such as https://shop.example"
        )
