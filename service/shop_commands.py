"""Command line for the shops of a deployment: list, make and end them."""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import Any, Final, TypeAlias

import orjson

from models.artifact.shops import is_shop_name
from models.data.timestamps import format_timestamp
from service.errors import CommandError
from service.schemas.shops import check_own_settings
from service.settings import Settings
from service.shops.lifecycle import end_shop, make_shop, opened_store
from service.shops.shop_settings import settings_of
from service.store import shops as table
from service.store.shops import ShopRecord

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
ACTOR: Final = "command line"


def add_shop_commands(commands: Subparsers) -> None:
    """Add the commands below `shops`."""
    listing = _add(commands, "list", "List the shops besides the main one, as JSON.")
    listing.set_defaults(command=_list)
    make = _add(
        commands,
        "create",
        "Make a shop, or replace its settings. Its first key and its signing key are printed.",
    )
    make.add_argument("name", metavar="NAME", help="Lower case letters, digits and '-', like acme.")
    make.add_argument(
        "--setting",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="A setting of its own, such as default_locale=de_DE. Repeat it for several. Default: "
        "those of the deployment.",
    )
    make.set_defaults(command=_make)
    end = _add(commands, "end", "End a shop and erase everything of it, with a receipt.")
    end.add_argument("name", metavar="NAME", help="Name of the shop.")
    end.add_argument("--yes", action="store_true", required=True, help="It is meant, for ever.")
    end.set_defaults(command=_end)


def choose_shop(deployment: Settings, name: str | None) -> Settings:
    """Return the settings of the shop that `--shop` names. Raises CommandError."""
    return deployment if name is None else settings_of(_find(deployment, name), deployment)


def list_shops(deployment: Settings) -> list[ShopRecord]:
    """Return all shops besides the main one. Raises StoreDownError."""
    with opened_store(deployment) as store:
        return list(store.read(table.list_all).values())


def _add(commands: Subparsers, name: str, summary: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=summary, description=summary)


def _find(deployment: Settings, name: str) -> ShopRecord:
    records = {record.name: record for record in list_shops(deployment)}
    if name not in records:
        raise CommandError(f"there is no shop {name}; 'regulars shops list' shows them")
    return records[name]


def _list(settings: Settings, _: argparse.Namespace) -> None:
    shops = [
        {
            "name": record.name,
            "settings": record.settings,
            "created": format_timestamp(record.created),
            "ending": record.ending is not None,
        }
        for record in list_shops(settings)
    ]
    _print({"shops": shops})


def _make(settings: Settings, options: argparse.Namespace) -> None:
    if not is_shop_name(options.name):
        raise CommandError(f"{options.name}: no name; use 1 to 40 of a-z, 0-9 and '-', like acme")
    given = dict(setting.partition("=")[::2] for setting in options.setting)
    try:
        own = check_own_settings(given)
    except ValueError as error:
        raise CommandError(str(error)) from None
    with opened_store(settings) as store:
        made = make_shop(settings, store, options.name, own, time=int(time.time()), actor=ACTOR)
    if made.record.ending is not None:
        raise CommandError(f"{options.name} is being ended; 'regulars shops end' goes on with it")
    secrets = {"key": made.key, "signing_key": made.signing_key}
    _print({"name": made.record.name, "settings": own, **secrets})


def _end(settings: Settings, options: argparse.Namespace) -> None:
    now = int(time.time())
    begin = partial(table.begin_to_end, name=options.name, time=now, actor=ACTOR)
    with opened_store(settings) as store:
        record = store.write(begin).result()
        receipt = None
        if record is not None:
            receipt = end_shop(settings, store, record, time=now, actor=ACTOR)
    if receipt is None:
        raise CommandError(f"there is no shop {options.name}; 'regulars shops list' shows them")
    _print(receipt)


def _print(told: dict[str, Any]) -> None:
    print(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())  # noqa: T201
