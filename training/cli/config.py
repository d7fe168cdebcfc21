"""Run the command `config`, which prints the settings of training."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from training.cli.arguments import DONE
from training.config import Config
from training.config_file import write_config
from training.progress import Reporter


def add_config_command(commands: Any) -> None:
    """Add the command `config`."""
    command = commands.add_parser(
        "config",
        help="Print a file of all settings of training, with defaults and meanings.",
        description="Print a file of all settings of training, each with its default and its "
        "meaning, to change and to give to --config.",
    )
    command.set_defaults(run=_config)


def _config(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    del options, reporter, now
    sys.stdout.write(write_config(Config()))
    return DONE
