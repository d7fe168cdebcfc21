"""Run the commands of a registry: `versions`, `activate` and `rollback`."""

from __future__ import annotations

import argparse
from typing import Any

from models.artifact.files import Manifest
from models.data.timestamps import format_timestamp
from training.cli.arguments import (
    DONE,
    add_config,
    add_json,
    add_registry,
    present,
    registry_at,
)
from training.cli.tables import print_versions
from training.config import read_config
from training.progress import Reporter


def add_versions(commands: Any) -> None:
    """Add the command `versions`."""
    command = commands.add_parser(
        "versions",
        help="List the published versions.",
        description="List the published versions of a registry with their sizes and figures.",
    )
    add_registry(command)
    add_config(command)
    command.add_argument(
        "--prune",
        action="store_true",
        help="Remove old versions first, but never the active one. [registry] of the settings says "
        "how many versions and days to keep. Default: nothing is removed.",
    )
    add_json(command)
    command.set_defaults(run=_versions)


def _versions(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    registry = registry_at(options.registry, must_exist=True)
    config = read_config(options.config).registry
    if options.prune:
        removed = registry.prune(now=now, keep=config.keep, max_age_days=config.max_age_days)
        for version in removed:
            reporter.say(f"Removed {version}")
    manifests, active = registry.versions(), registry.active()
    present(
        options.json,
        reporter,
        lambda: {"versions": [version_as_json(manifest, active) for manifest in manifests]},
        lambda console: print_versions(console, manifests, active),
    )
    for error in registry.damaged():
        reporter.say(f"Damaged: {error}")
    return DONE


def version_as_json(manifest: Manifest, active: str | None) -> dict[str, Any]:
    """Return what is told of a version, ready for JSON."""
    return {
        "version": manifest.version,
        "active": manifest.version == active,
        "data_as_of": format_timestamp(manifest.data_as_of),
        "counts": manifest.counts,
        "metrics": manifest.metrics,
    }


def add_activate(commands: Any) -> None:
    """Add the command `activate`."""
    command = commands.add_parser(
        "activate",
        help="Make a published version the active one.",
        description="Make a published version the active one, which the service answers from.",
    )
    command.add_argument("version", help="The name of the version, as versions lists it.")
    add_registry(command)
    command.set_defaults(run=_activate)


def _activate(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    del now
    registry_at(options.registry, must_exist=True).activate(options.version)
    reporter.say(f"{options.version} is active")
    return DONE


def add_rollback(commands: Any) -> None:
    """Add the command `rollback`."""
    command = commands.add_parser(
        "rollback",
        help="Go back to the version that was active before.",
        description="Make the version that was active before the active one again.",
    )
    add_registry(command)
    command.set_defaults(run=_rollback)


def _rollback(options: argparse.Namespace, reporter: Reporter, now: int) -> int:
    del now
    version = registry_at(options.registry, must_exist=True).rollback()
    reporter.say(f"{version} is active")
    return DONE
