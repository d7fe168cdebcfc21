"""Run the commands of `python -m training`.

Exit status 0: done; 1: refused by the quality gate; 2: bad input; 130: stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from models.artifact.scratch import sweep_temporary_directories
from models.errors import ArtifactError
from training.cli.arguments import BAD_INPUT, STOPPED, choose_shop
from training.cli.check import add_check
from training.cli.config import add_config_command
from training.cli.experiments import add_experiments
from training.cli.export import add_export
from training.cli.history import add_evaluate, add_train, add_tune
from training.cli.insights import add_insights
from training.cli.registry import add_activate, add_rollback, add_versions
from training.cli.synthetic import add_synthetic
from training.errors import InputError
from training.progress import Reporter

PROGRAM: Final = "python -m training"


def main(arguments: Sequence[str], *, now: int, program: str = PROGRAM) -> int:
    """Run one command and return the exit status. `now`: the wall clock in seconds since 1970."""
    options = build_parser(program).parse_args(arguments)
    reporter = Reporter()
    try:
        choose_shop(options)
        with suppress(OSError):  # whoever needs the temporary folder says what is wrong with it
            sweep_temporary_directories()  # a killed training left customers' histories there
        status: int = options.run(options, reporter, now)
    except (InputError, ArtifactError) as error:
        reporter.say(f"Error: {error}", alarming=True)
        return BAD_INPUT
    except OSError as error:
        file = f"{error.filename}: " if error.filename else ""
        text = f"Error: {file}{error.strerror or error}; {reporter.outcome}"
        reporter.say(text, alarming=True)
        return BAD_INPUT
    except KeyboardInterrupt:
        reporter.say(f"Stopped; {reporter.outcome}")
        return STOPPED
    return status


def build_parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of all commands; each sets `run`, which returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=program,
        description="Train a model on a shop's purchases, publish it, and write slates to files.",
        epilog="Each command explains its options with --help.",
    )
    add_commands(parser.add_subparsers(required=True, metavar="COMMAND"))
    return parser


def add_commands(commands: Any) -> None:
    """Add all commands of training."""
    add_check(commands)
    add_config_command(commands)
    add_train(commands)
    add_evaluate(commands)
    add_tune(commands)
    add_export(commands)
    add_insights(commands)
    add_experiments(commands)
    add_versions(commands)
    add_activate(commands)
    add_rollback(commands)
    add_synthetic(commands)
