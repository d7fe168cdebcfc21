"""The command line: `python -m service` serves; its commands look after the store, the keys and the tokens."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

from service.http.api_keys import create_key
from service.http.authorization import Scope
from service.runtime.workers import serve
from service.settings import MAX_CALLS_A_MINUTE, Settings, SettingsError
from service.signing.customer_tokens import CustomerToken, sign
from service.store import keys
from service.store.database import StoreDownError, StoreError, connect, migrate, prepare
from service.store.keys import StoredKey
from service.store.store import Store

ACTOR = "command line"
HEADINGS = ("key_id", "name", "scopes", "calls_a_minute", "created", "revoked")


class CommandError(Exception):
    """What cannot be done, in a sentence."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 2 where something cannot be used, told in a sentence."""
    given = parser().parse_args(arguments)
    work: Callable[[Settings, argparse.Namespace], None] = given.work
    try:
        work(Settings.from_environment(os.environ), given)
    except (SettingsError, StoreError, CommandError) as error:
        print(f"service: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except StoreDownError:
        print("service: the database does not answer", file=sys.stderr)  # noqa: T201
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="python -m service", description="Settings come from REGULARS_ variables."
    )
    root.set_defaults(work=_serve)
    commands = root.add_subparsers(title="commands; without one it serves")
    commands.add_parser(
        "migrate", help="make the database's schema that of this version"
    ).set_defaults(work=_migrate)
    _add_keys(commands.add_parser("keys", help="who may call").add_subparsers(required=True))
    token = commands.add_parser("token", help="print a customer token, to try it out")
    token.add_argument("customer_id")
    token.add_argument("--minutes", type=partial(_number, most=1440))
    token.set_defaults(work=_token)
    return root


def _add_keys(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    create = commands.add_parser("create", help="make a key and print it, this once")
    create.add_argument("--name", required=True, help="whom it is for")
    create.add_argument(
        "--scope", required=True, action="append", type=Scope, choices=list(Scope), metavar="SCOPE"
    )
    create.add_argument(
        "--calls-a-minute", type=partial(_number, most=MAX_CALLS_A_MINUTE), metavar="K"
    )
    create.set_defaults(work=_create_key)
    commands.add_parser("list", help="every key, without its secret").set_defaults(work=_list_keys)
    revoke = commands.add_parser("revoke", help="close a key, from the next call on")
    revoke.add_argument("key_id")
    revoke.set_defaults(work=_revoke_key)


def _number(text: str, most: int) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"should be a number from 1 to {most}")
    return int(text)


def _serve(settings: Settings, _: argparse.Namespace) -> None:
    try:
        prepare(settings.store_url())
    except StoreError:
        raise
    except StoreDownError:
        pass  # it is asked again and again
    serve(settings)


def _migrate(settings: Settings, _: argparse.Namespace) -> None:
    engine = connect(settings.store_url())
    try:
        migrate(engine)
    finally:
        engine.dispose()


def _create_key(settings: Settings, given: argparse.Namespace) -> None:
    key = create_key(given.name, given.scope, given.calls_a_minute, int(time.time()))
    with _opened(settings) as store:
        store.write(partial(keys.add, key=key.stored, actor=ACTOR)).result()
    print(f"key {key.stored.key_id}; this is the only time it is shown:", file=sys.stderr)  # noqa: T201
    print(key.text)  # noqa: T201


def _list_keys(settings: Settings, _: argparse.Namespace) -> None:
    with _opened(settings) as store:
        rows = [HEADINGS, *map(_cells, store.read(keys.listed))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(line.rstrip())  # noqa: T201


def _revoke_key(settings: Settings, given: argparse.Namespace) -> None:
    revoke = partial(keys.revoke, key_id=given.key_id, actor=ACTOR, time=int(time.time()))
    with _opened(settings) as store:
        known = store.write(revoke).result()
    if not known:
        raise CommandError(
            f"there is no key {given.key_id}; 'python -m service keys list' shows them"
        )


def _token(settings: Settings, given: argparse.Namespace) -> None:
    secret = settings.token_secret()
    if secret is None:
        raise CommandError("customer tokens need REGULARS_SIGNING_KEY to be set")
    expires = int(time.time()) + 60 * (given.minutes or settings.token_minutes)
    print(sign(secret, CustomerToken(given.customer_id, None, expires)))  # noqa: T201


@contextmanager
def _opened(settings: Settings) -> Iterator[Store]:
    store = Store(settings.store_url(), settings.runtime_directory())
    try:
        yield store
    finally:
        store.close()


def _cells(key: StoredKey) -> tuple[str, ...]:
    limit = "" if key.calls_a_minute is None else str(key.calls_a_minute)
    return key.key_id, key.name, " ".join(key.scopes), limit, _day(key.created), _day(key.revoked)


def _day(seconds: int | None) -> str:
    return (
        "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
    )
