"""Run the command `check`: read everything that a training would, and train nothing."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from training.cli.arguments import DONE, add_json, present
from training.cli.reading import add_history, read_history
from training.cli.tables import print_reading, problems_of
from training.config import read_config
from training.progress import Reporter
from training.reading.oddities import find_oddities
from training.reading.problems import ADVICE
from training.reading.purchases import Purchases
from training.reading.timestamps import format_date

COUNTS = ("rows", "lines", "merged_rows", "guest_lines", "customers", "products", "orders")


def add_check(commands: Any) -> None:
    """Add the command `check`."""
    command = commands.add_parser(
        "check",
        help="Read purchases, products and customers, tell what is odd, and train nothing.",
        description="Read everything that a training would. Tell what was read, what was left out, "
        "with an example and what helps, and what looks odd. Nothing is trained or published.",
    )
    add_history(command)
    add_json(command)
    command.set_defaults(run=_check)


def _check(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    config = read_config(options.config, options.column)
    purchases = read_history(options, config, reporter, now)
    present(
        options.json,
        reporter,
        partial(reading_as_json, purchases, now),
        lambda console: print_reading(console, purchases, now),
    )
    return DONE


def reading_as_json(purchases: Purchases, now: int) -> dict[str, Any]:
    """Return what was read, left out and looks odd, as JSON. `now`: seconds since 1970."""
    report = purchases.report
    problems = [
        {
            "file": file.removesuffix(" file") if file != "dropped" else "purchases",
            "problem": name,
            "count": count,
            "example": of_file.examples.get(name),
            "advice": ADVICE.get(name),
        }
        for file, of_file in problems_of(report).items()
        for name, count in of_file.counts.most_common()
    ]
    return {
        "read": {name: getattr(report, name) for name in COUNTS}
        | {"first": format_date(report.first_time), "last": format_date(report.last_time)},
        "read_as": dict(report.taken_for),
        "problems": problems,
        "odd": find_oddities(purchases, now),
    }
