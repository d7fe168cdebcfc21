"""A shop in a CSV file, small enough to train in a moment and loyal enough to pass the gate."""

import os
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from training.cli.commands import main

NOW: Final = 1_767_225_600  # 1 January 2026
HEADER: Final = "customer_id,product_id,timestamp,order_id,quantity,unit_price"
# One process, and few factors: no test here is about how good they are. Two products of six are
# asked for, and 30 customers are too few for a ranker to learn from.
SETTINGS: Final = (
    "processes = 1\n[evaluation]\nk = 2\n[model.factors]\nfactors = 8\nregularization = 1.0\niterations = 2\n"
    "[model.ranker]\nwindows = 0\n"
)
ENDLESS: Final = "[model.factors]\niterations = 1_000_000\n"
# The blend with its signs turned round: it shows last what should be first.
UPSIDE_DOWN: Final = (
    "[model.blend.new]\naffinity = -1.0\nneighbours = -1.0\nrecent_sales = -1.0\n"
    "[model.blend.bought]\nconstant = 0.0\nown_long = -1.0\n"
)


def rows() -> list[str]:
    """30 customers in summer 2025, who buy one product every week and another every second week."""
    start = date(2025, 5, 1)
    return [
        f"c{number:02},p{(number + second) % 6},{start + timedelta(day + number % 7)},{number}-{day},1,1.50"
        for number in range(30)
        for day in range(0, 100, 7)
        for second in range(1 + (day % 2 == 0))
    ]


def write(
    folder: Path, lines: Iterable[str], *, header: str = HEADER, name: str = "orders.csv"
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def settings(folder: Path, text: str = SETTINGS) -> Path:
    path = folder / "shop.toml"
    path.write_text(text, encoding="utf-8")
    return path


def run(*arguments: str | Path, now: int = NOW) -> int:
    return main([str(argument) for argument in arguments], now=now)


def arguments(folder: Path, *more: str | Path, lines: Sequence[str] | None = None) -> list[str]:
    """`train` on the corner shop, or on these lines, into the registry of a folder."""
    orders = write(folder, rows() if lines is None else lines)
    files = ["--purchases", orders, "--registry", folder / "registry", "--config", settings(folder)]
    return [str(argument) for argument in ("train", *files, *more)]


def train(
    folder: Path, *more: str | Path, lines: Sequence[str] | None = None, now: int = NOW
) -> int:
    return run(*arguments(folder, *more, lines=lines), now=now)


def unmeasured() -> dict[str, str]:
    """For a process that gets Ctrl-C: coverage would hold its lock for ever where that comes while
    it has it.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
