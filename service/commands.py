"""Command line: `python -m service` serves; its commands manage the store, keys and tokens."""

from __future__ import annotations

import argparse
import logging
import logging.config
import os
import secrets
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeAlias

import orjson

from models.artifact.shops import MAIN
from service.backup_commands import add_backup_commands
from service.errors import CommandError
from service.http.api_keys import create_key, describe_key
from service.http.authorization import Scope
from service.http.connections import bounded_protocol
from service.runtime.descriptors import make_room
from service.runtime.logs import log_config
from service.runtime.tracing import MissingTelemetryError, check_telemetry
from service.runtime.workers import serve
from service.settings import (
    MAX_CALLS_A_MINUTE,
    MAX_TOKEN_MINUTES,
    PREFIX,
    Settings,
    SettingsError,
    find_service_links,
    prepare_registry,
    prepare_runtime_directory,
)
from service.shop_commands import ACTOR, add_shop_commands, choose_shop, list_shops
from service.shops.erasure import describe_everything, erase_everything
from service.shops.lifecycle import opened_store, prepare_shop
from service.shops.shop_settings import settings_of
from service.signing.customer_tokens import CustomerToken, sign
from service.store import keys
from service.store.database import (
    StoreBrokenError,
    StoreDownError,
    StoreError,
    connect,
    migrate,
    prepare,
)
from service.store.keys import StoredKey
from service.store.shop_erasure import dismiss_requests
from service.store.store import Store

PROGRAM = "python -m service"
Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
log: Final = logging.getLogger("regulars.service")
SAID: Final = (SettingsError, CommandError, MissingTelemetryError)
HEADINGS = ("key_id", "name", "scopes", "calls_a_minute", "created", "revoked")


def main(arguments: Sequence[str], program: str = PROGRAM) -> int:
    """Run a command and return the exit status: 0 done, 2 with a sentence on what is wrong."""
    options = build_parser(program).parse_args(arguments)
    command: Callable[[Settings, argparse.Namespace], None] = options.command
    try:
        settings = Settings.from_environment(os.environ)
        command(choose_shop(settings, getattr(options, "shop", None)), options)
    except (*SAID, StoreError, StoreBrokenError) as error:
        print(f"service: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except StoreDownError:
        print("service: the database does not answer", file=sys.stderr)  # noqa: T201
        return 2
    return 0


def build_parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of the command line; `command` of what it parses does the work."""
    parser = argparse.ArgumentParser(
        prog=program,
        description=(
            "Serve recommendations. Settings are environment variables that begin with REGULARS_; "
            "docs/settings.md lists them with their defaults."
        ),
    )
    parser.set_defaults(command=_serve)
    add_commands(parser.add_subparsers(title="commands (default: serve)", metavar="COMMAND"))
    return parser


def add_commands(commands: Subparsers) -> None:
    """Add all commands of the service."""
    _add_command(
        commands, "serve", "Answer at REGULARS_HOST and REGULARS_PORT until it is told to stop."
    ).set_defaults(command=_serve)
    _add_command(
        commands,
        "migrate",
        "Upgrade the schema of the store to this version. Running it again changes nothing.",
    ).set_defaults(command=_migrate)
    keys_parser = _add_command(commands, "keys", "Create, list and revoke API keys.")
    _add_key_commands(keys_parser.add_subparsers(required=True, metavar="COMMAND"))
    shops_parser = _add_command(commands, "shops", "List, make and end shops of the deployment.")
    add_shop_commands(shops_parser.add_subparsers(required=True, metavar="COMMAND"))
    add_backup_commands(commands)
    _add_token_command(commands)
    _add_erasure_command(commands)
    _add_command(
        commands,
        "settings",
        "Print a file of all settings of the service, with defaults and meanings.",
    ).set_defaults(command=_print_settings)


def _add_command(commands: Subparsers, name: str, summary: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=summary, description=summary)


def _add_shop(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--shop", metavar="NAME", help="Another shop of the deployment. Default: the main one."
    )


def _add_key_commands(commands: Subparsers) -> None:
    create = _add_command(commands, "create", "Create a key and print it. It is not shown again.")
    create.add_argument("--name", required=True, help="Name of the caller who gets the key.")
    create.add_argument(
        "--scope",
        required=True,
        action="append",
        type=Scope,
        choices=list(Scope),
        metavar="SCOPE",
        help="What the key may do: read, write, admin (all of its shop), or shops (make and end "
        "other shops). Repeat it for several scopes.",
    )
    create.add_argument(
        "--calls-a-minute",
        type=partial(_number, maximum=MAX_CALLS_A_MINUTE),
        metavar="K",
        help="Calls a minute that the key may make. Default: REGULARS_CALLS_A_MINUTE, or no limit.",
    )
    _add_shop(create)
    create.set_defaults(command=_create_key)
    listing = _add_command(commands, "list", "List all keys without their secrets.")
    listing.add_argument(
        "--json", action="store_true", help="Print one JSON object. Default: a table."
    )
    _add_shop(listing)
    listing.set_defaults(command=_list_keys)
    revoke = _add_command(commands, "revoke", "Revoke a key. Its next call is refused.")
    revoke.add_argument("key_id", metavar="KEY_ID", help="Id of the key, as 'keys list' shows it.")
    _add_shop(revoke)
    revoke.set_defaults(command=_revoke_key)


def _add_token_command(commands: Subparsers) -> None:
    summary = "Print a customer token, to try out what a browser may call."
    token = _add_command(commands, "token", summary)
    token.add_argument("customer_id", metavar="CUSTOMER_ID", help="Customer the token is for.")
    token.add_argument(
        "--minutes",
        type=partial(_number, maximum=MAX_TOKEN_MINUTES),
        metavar="N",
        help=(
            "Minutes for which the token is valid. Default: REGULARS_TOKEN_MINUTES, or "
            f"{Settings.model_fields['token_minutes'].default}."
        ),
    )
    _add_shop(token)
    token.set_defaults(command=_print_token)


def _add_erasure_command(commands: Subparsers) -> None:
    erasure = _add_command(
        commands,
        "erase-shop",
        "Tell what is kept of the shop: store, versions, reports, cached answers. Or erase it all, "
        "with a receipt.",
    )
    choice = erasure.add_mutually_exclusive_group()
    choice.add_argument(
        "--yes",
        action="store_true",
        help="Erase it, for ever. Stop every service and training before. Default: only tell.",
    )
    choice.add_argument(
        "--dismiss",
        action="store_true",
        help="Erase nothing, and have /readyz no longer tell that Shopify asked for it.",
    )
    erasure.set_defaults(command=_erase_shop)


def _number(text: str, maximum: int) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= maximum:
        raise argparse.ArgumentTypeError(f"should be a number from 1 to {maximum}")
    return int(text)


def _serve(settings: Settings, _: argparse.Namespace) -> None:
    logging.config.dictConfig(log_config(settings.log_level))
    if links := find_service_links(os.environ):
        log.warning("not settings but links to services, ignored: %s", ", ".join(sorted(links)))
    if settings.demo and settings.token_secret() is None:
        settings = _sign_for_demo()
    check_telemetry(settings.otlp_endpoint)
    prepare_registry(settings)
    prepare_runtime_directory(settings)
    try:
        prepare(settings.store_url(), to_write=True)
    except (StoreError, StoreBrokenError):
        raise
    except StoreDownError:
        pass  # the service tries again until it answers
    serve(settings, bounded_protocol(settings, make_room(settings.max_connections)))


def _sign_for_demo() -> Settings:
    """Make a signing key that lasts as long as the service, for every worker of it."""
    os.environ[f"{PREFIX}SIGNING_KEY"] = secrets.token_hex(32)
    return Settings.from_environment(os.environ)


def _migrate(settings: Settings, _: argparse.Namespace) -> None:
    _prepare_store_directory(settings)
    engine = connect(settings.store_url())
    try:
        migrate(engine)
    finally:
        engine.dispose()
    for record in list_shops(settings):
        prepare_shop(record.name, settings_of(record, settings))


def _create_key(settings: Settings, options: argparse.Namespace) -> None:
    if options.shop and Scope.SHOPS in options.scope:
        raise CommandError("the scope shops is for keys of the main shop; leave --shop out")
    now, shop = int(time.time()), options.shop or MAIN
    key = create_key(options.name, options.scope, options.calls_a_minute, now, shop=shop)
    with _open_store(settings) as store:
        store.write(partial(keys.add, key=key.stored, actor=ACTOR)).result()
    notice = f"key {key.stored.key_id}; this is the only time it is shown:"
    print(notice, file=sys.stderr)  # noqa: T201
    print(key.text)  # noqa: T201


def _list_keys(settings: Settings, options: argparse.Namespace) -> None:
    with _open_store(settings) as store:
        stored_keys = store.read(keys.list_all)
    if options.json:
        listed = {"keys": list(map(describe_key, stored_keys))}
        print(orjson.dumps(listed, option=orjson.OPT_INDENT_2).decode())  # noqa: T201
        return
    rows = [HEADINGS, *map(_cells, stored_keys)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(line.rstrip())  # noqa: T201


def _revoke_key(settings: Settings, options: argparse.Namespace) -> None:
    revoke = partial(keys.revoke, key_id=options.key_id, actor=ACTOR, time=int(time.time()))
    with _open_store(settings) as store:
        exists = store.write(revoke).result()
    if not exists:
        raise CommandError(f"there is no key {options.key_id}; 'regulars keys list' shows them")


def _print_token(settings: Settings, options: argparse.Namespace) -> None:
    secret = settings.token_secret()
    if secret is None:
        raise CommandError("customer tokens need REGULARS_SIGNING_KEY to be set")
    expires = int(time.time()) + 60 * (options.minutes or settings.token_minutes)
    token = CustomerToken(options.customer_id, None, expires)
    print(sign(secret, token, settings.token_audience, shop=options.shop))  # noqa: T201


def _erase_shop(settings: Settings, options: argparse.Namespace) -> None:
    prepare_registry(settings)
    now = int(time.time())
    with _open_store(settings) as store:
        if options.dismiss:
            shops = store.write(partial(dismiss_requests, actor=ACTOR, time=now)).result()
            told: dict[str, Any] = {"dismissed": shops}
        elif options.yes:
            try:
                told = erase_everything(settings, store, ACTOR, now)
            except OSError as error:
                raise CommandError(f"{error.filename} cannot be erased: {error.strerror}") from None
        else:
            told = describe_everything(settings, store)
    print(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())  # noqa: T201


def _print_settings(_: Settings, __: argparse.Namespace) -> None:
    print("# The settings of the service. A setting counts once the sign before it is taken away.")  # noqa: T201
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else field.default
        meaning = textwrap.fill(
            str(field.description), 100, initial_indent="# ", subsequent_indent="# "
        )
        print(f"\n{meaning}\n#{PREFIX}{name.upper()}={default}")  # noqa: T201


@contextmanager
def _open_store(settings: Settings) -> Iterator[Store]:
    _prepare_store_directory(settings)
    prepare_runtime_directory(settings)
    with opened_store(settings) as store:
        yield store


def _prepare_store_directory(settings: Settings) -> None:
    if settings.database_url is None:
        prepare_registry(settings)


def _cells(key: StoredKey) -> tuple[str, ...]:
    limit = "" if key.calls_a_minute is None else str(key.calls_a_minute)
    created, revoked = _format_minute(key.created), _format_minute(key.revoked)
    return key.key_id, key.name, " ".join(key.scopes), limit, created, revoked


def _format_minute(seconds: int | None) -> str:
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
