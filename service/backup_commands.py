"""Command line for backups: make one, and restore from one."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson

from models.artifact.shops import MAIN
from service.backup.archive import SUFFIXES, opened_backup
from service.backup.backup import back_up
from service.backup.restore import Journals, holds_changes, restore_shop
from service.errors import CommandError
from service.settings import Settings, prepare_registry
from service.shop_commands import list_shops
from service.shops.lifecycle import prepare_shop
from service.shops.shop_settings import settings_of

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
ARCHIVES: Final = ", ".join(SUFFIXES)


def add_backup_commands(commands: Subparsers) -> None:
    """Add `backup` and `restore`."""
    _add_backup(commands)
    _add_restore(commands)


def _add_backup(commands: Subparsers) -> None:
    summary = "Copy stores and models into a backup, while the service answers and writes."
    backup = commands.add_parser("backup", help=summary, description=summary)
    backup.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="DIR|FILE",
        help=f"A new directory, or an archive if the name ends with {ARCHIVES}.",
    )
    backup.add_argument("--shop", metavar="NAME", help="This shop alone. Default: all shops.")
    backup.set_defaults(command=_back_up)


def _add_restore(commands: Subparsers) -> None:
    summary = (
        "Put a backup in the place of stores and models. Noes, erasures and revoked keys since "
        "then hold in the first answer, and shops that were ended stay so."
    )
    restore = commands.add_parser("restore", help=summary, description=summary)
    restore.add_argument("backup", type=Path, metavar="DIR|FILE", help="What `backup` has written.")
    restore.add_argument("--shop", metavar="NAME", help="This shop alone. Default: all in it.")
    restore.add_argument(
        "--replace",
        action="store_true",
        help="Replace what the store holds now. Default: only restore where there is nothing.",
    )
    restore.add_argument(
        "--refusals",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="A directory with journals of noes and erasures, such as another host's; may be "
        "repeated. Default: REGULARS_REFUSALS_DIR alone.",
    )
    restore.add_argument(
        "--without-refusals",
        action="store_true",
        help="Restore also where no journal holds what was refused since the backup.",
    )
    restore.set_defaults(command=_restore)


def _back_up(settings: Settings, options: argparse.Namespace) -> None:
    prepare_registry(settings)
    shops = {options.shop: settings}
    if options.shop is None:
        shops = {MAIN: settings, **_list_others(settings)}
    _print(back_up(shops, options.output, now=int(time.time())))


def _restore(settings: Settings, options: argparse.Namespace) -> None:
    """Restore the main shop before the others, which it knows."""
    settings.registry.mkdir(parents=True, exist_ok=True)
    with opened_backup(options.backup, settings.registry) as (directory, contents):
        names = list(contents.points) if options.shop is None else [options.shop]
        for name in names:
            if name not in contents.points:
                raise CommandError(f"the backup holds no shop {name}")
        restored: dict[str, Any] = {}
        for name in sorted(names, key=lambda name: name != MAIN):
            known = {MAIN: settings} if name == MAIN else _list_others(settings)
            chosen = settings if options.shop else known.get(name)
            if chosen is not None:
                restored[name] = _restore_shop(name, chosen, directory / name, options)
    left_out = sorted({*names} - {*restored})  # the main shop does not have them, or ends them
    _print({"created": contents.created, "restored": restored, "left_out": left_out})


def _restore_shop(
    name: str, settings: Settings, source: Path, options: argparse.Namespace
) -> dict[str, Any]:
    if holds_changes(settings) and not options.replace:
        raise CommandError(
            f"the store of {name} holds changes, and the backup would take their place; restore "
            "with --replace if it is meant. Nothing of it was restored"
        )
    if name != MAIN:
        prepare_shop(name, settings)
    directories = [settings.refusals_directory(), *options.refusals]
    journals = Journals(directories, required=not options.without_refusals)
    return restore_shop(source, settings, journals)


def _list_others(settings: Settings) -> Mapping[str, Settings]:
    records = list_shops(settings)
    return {one.name: settings_of(one, settings) for one in records if one.ending is None}


def _print(told: dict[str, Any]) -> None:
    print(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())  # noqa: T201
