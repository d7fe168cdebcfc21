"""Add options that several commands take, and name the exit statuses."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

from models.artifact.registry import Registry
from training.errors import InputError

DONE: Final = 0
REFUSED: Final = 1
BAD_INPUT: Final = 2
STOPPED: Final = 130  # by Ctrl-C, as a shell tells it, or by SIGTERM


def add_registry(command: argparse.ArgumentParser) -> None:
    """Add --registry."""
    command.add_argument(
        "--registry",
        type=Path,
        required=True,
        metavar="DIR",
        help="The folder with all published versions. Required.",
    )


def add_config(command: argparse.ArgumentParser) -> None:
    """Add --config."""
    command.add_argument(
        "--config",
        type=Path,
        metavar="FILE.toml",
        help="A file of settings, described in docs/data.md. Default: the built-in settings.",
    )


def registry_at(root: Path, *, must_exist: bool = False) -> Registry:
    """Return the registry in a folder. Raises InputError for a file, or where it `must_exist`."""
    if must_exist and not root.exists():
        raise InputError(f"--registry {root}: no such folder; the first training makes it")
    if root.exists() and not root.is_dir():
        raise InputError(f"--registry {root}: is a file, expected a folder")
    return Registry(root)


def check_output(option: str, path: Path) -> None:
    """Raise InputError now where a file could not be written when the work is done.

    Its folder need not exist yet.
    """
    folder = next(above for above in path.absolute().parents if above.exists())
    if path.is_dir():
        raise InputError(f"{option} {path}: is a folder, expected a file")
    if not folder.is_dir():
        raise InputError(f"{option} {path}: {folder} is a file, expected a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{option} {path}: nothing may be written into {folder}")
