"""Take the options that say which files are read and how, and read them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final, get_args

from models.data.numbers import Decimal
from models.data.timestamps import DateOrder
from models.vendors.vendor import Variants
from training.cli.arguments import add_config
from training.config import Config
from training.errors import InputError
from training.progress import Reporter
from training.reading.options import FORMATS, ReadingOptions, parse_kind_words, parse_words
from training.reading.purchases import Purchases, read_purchases
from training.reading.timestamps import parse_optional_timestamp

# Whose words can be given, what for, and an example.
WORDS: Final = (
    ("stock", "yes|no", "'on demand=no' for a product that is not in stock"),
    ("status", "yes|no", "'in kitchen=yes' for an order that is a sale"),
    ("kind", "KIND", "'zoomed=view' for an event"),
)


def add_history(command: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the options that say what is read. Not `required`: the store alone may be."""
    necessity = (
        "Required. A store.db in the registry is always read by train."
        if required
        else "The service's store is always read. Default: nothing but it."
    )
    command.add_argument(
        "--purchases",
        nargs="+",
        required=required,
        default=None if required else [],
        metavar="PATH",
        help="The purchases: one or more files, folders or globs, and at most one address of the "
        f"service's store, such as sqlite:///store.db. {necessity}",
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
    _add_reading(command)
    add_config(command)
    command.add_argument(
        "--until",
        metavar="DATE",
        help="Leave out what happened at this moment or later. A date such as 2025-12-31 means its "
        "midnight, in UTC. Default: nothing is left out.",
    )


def _add_reading(command: argparse.ArgumentParser) -> None:
    """Add the options that say how files are read, where they do not tell it themselves."""
    command.add_argument(
        "--format",
        choices=FORMATS,
        help="Whose export the files are. auto: their columns tell; own: the columns are those of "
        "docs/data.md. Default: auto, or own where --column or [columns] names columns.",
    )
    command.add_argument(
        "--variants",
        choices=get_args(Variants),
        default="parent",
        help="What is recommended where an export tells sizes and colours of a product: the "
        "product itself, parent, or each variant. Default: parent.",
    )
    command.add_argument(
        "--decimal",
        choices=get_args(Decimal),
        help="The decimal sign of numbers and prices. Default: that of at least 99 in 100 of a "
        "column's cells.",
    )
    command.add_argument(
        "--dates",
        choices=get_args(DateOrder),
        help="Whether 01/02/2024 is in February or in January. Default: what at least 99 in 100 of "
        "a column's cells say, such as 31/12/2024.",
    )
    command.add_argument(
        "--encoding",
        metavar="NAME",
        help="The encoding of files of text, such as cp1252 or latin-1. Default: UTF-8, UTF-16 and "
        "Windows-1252 are told apart.",
    )
    command.add_argument(
        "--skip-rows",
        type=int,
        metavar="N",
        help="The number of lines above the header of CSV files. Default: as many as stand above a "
        "line with known names.",
    )
    unlisted = command.add_mutually_exclusive_group()
    for wanted, effect in (("show", "shown"), ("hide", "not shown")):
        unlisted.add_argument(
            f"--{wanted}-unlisted",
            dest="unlisted",
            action="store_const",
            const=wanted,
            help=f"Products that are not in the products file are {effect}. Default: they are not "
            "shown, and files in which most of what was sold last month is not are refused.",
        )
    _add_words(command)
    command.add_argument(
        "--strict",
        action="store_true",
        help="Refuse files in which a row is left out that was probably meant, or a cell is not "
        "understood. Default: it is counted, with an example.",
    )


def _add_words(command: argparse.ArgumentParser) -> None:
    for name, meaning, example in WORDS:
        command.add_argument(
            f"--{name}-words",
            action="append",
            default=[],
            metavar=f"WORD={meaning}",
            help=f"A word of your files, such as {example}. Can be given several times. Default: "
            "the words in docs/data.md are known.",
        )


def _not_negative(option: str, number: int) -> int:
    if number < 0:
        raise InputError(f"{option} {number}: expected 0 or more")
    return number


def _reading_options(options: argparse.Namespace) -> ReadingOptions:
    return ReadingOptions(
        format=options.format,
        variants=options.variants,
        decimal=options.decimal,
        date_order=options.dates,
        encoding=options.encoding,
        skip_rows=_not_negative("--skip-rows", options.skip_rows or 0),
        unlisted=options.unlisted,
        stock_words=parse_words("--stock-words", options.stock_words),
        status_words=parse_words("--status-words", options.status_words),
        kind_words=parse_kind_words("--kind-words", options.kind_words),
        strict=options.strict,
    )


def read_history(
    options: argparse.Namespace, config: Config, reporter: Reporter, now: int
) -> Purchases:
    """Read what the options of add_history name. Raises InputError."""
    with reporter.step("Reading purchases") as advance:
        return read_purchases(
            options.purchases,
            products=options.products,
            customers=options.customers,
            columns=config.columns,
            now=now,
            until=parse_until(options.until),
            memory_limit=config.memory_limit,
            unasked=config.training.unasked,
            customer_columns=config.customers.columns,
            options=_reading_options(options),
            on_progress=advance,
        )


def parse_until(text: str | None) -> int | None:
    """Return the moment of --until in seconds since 1970, None without one. Raises InputError."""
    try:
        return parse_optional_timestamp(text)
    except ValueError:
        raise InputError(f"--until {text}: expected a date such as 2025-12-31") from None
