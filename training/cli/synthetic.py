"""Run the command `synthetic`, which writes the files of an invented shop."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from training.cli.arguments import DONE
from training.errors import InputError
from training.progress import Reporter
from training.synthetic import write
from training.synthetic.shapes import SHAPES


def add_synthetic(commands: Any) -> None:
    """Add the command `synthetic`."""
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
        "--shape",
        choices=SHAPES,
        metavar="NAME",
        help="A shop of an unusual shape: "
        + "; ".join(f"{name} ({shape.description})" for name, shape in SHAPES.items())
        + ". Default: everyday goods for one year.",
    )
    command.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="The folder to write into, which is made if needed. Required.",
    )
    command.set_defaults(run=_synthetic)


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
                shape=options.shape,
                on_progress=advance,
            )
        except ValueError as error:
            raise InputError(str(error)) from None
    reporter.say(f"{options.purchases:,} purchases in {options.output}")
    return DONE
