"""The command `regulars`: every command of the service and of training under one name.

Neither package knows the other, and only that of the command is loaded: the service starts without
what trains, and an image that only serves need not hold it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from typing import Final

import shtab

PROGRAM: Final = "regulars"
SERVICE: Final = (
    "serve",
    "migrate",
    "keys",
    "shops",
    "backup",
    "restore",
    "token",
    "erase-shop",
    "settings",
)
TRAINING: Final = (
    "train",
    "check",
    "evaluate",
    "tune",
    "export",
    "experiments",
    "insights",
    "versions",
    "activate",
    "rollback",
    "config",
    "synthetic",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    command = given[0] if given else ""
    if command in SERVICE:
        from service.__main__ import run

        return run(given, PROGRAM)
    if command in TRAINING and _has_training():
        from training.__main__ import run

        return run(given, PROGRAM)
    parser = build_parser()
    if command in TRAINING:
        parser.error(f"{command} needs what trains: pip install '{PROGRAM}[training]'")
    options = parser.parse_args(given)
    sys.stdout.write(shtab.complete(parser, options.shell) + "\n")
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands, for help and for completion."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Recommend products to the customers of a shop.",
        epilog="Each command explains its options with --help.",
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {version(PROGRAM)}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    if _has_training():
        from training.cli.commands import add_commands

        add_commands(commands)
    from service.commands import add_commands as add_service_commands

    add_service_commands(commands)
    _add_completion(commands)
    return parser


def _has_training() -> bool:
    return find_spec("ibis") is not None


def _add_completion(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    summary = "Print a script that completes commands and options in a shell."
    completion = commands.add_parser("completion", help=summary, description=summary)
    completion.add_argument(
        "shell",
        choices=shtab.SUPPORTED_SHELLS,
        help='The shell. For bash: eval "$(regulars completion bash)".',
    )


if __name__ == "__main__":
    sys.exit(main())
