"""Add options that several commands take, and name the exit statuses."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from sqlalchemy import make_url

from models.artifact.files import read_manifest
from models.artifact.registry import Registry
from models.artifact.shops import is_shop_name, registry_of, schema_options
from models.errors import ArtifactError
from training.config import Config
from training.errors import InputError
from training.progress import Reporter
from training.spark import SparkMaster

DONE: Final = 0
REFUSED: Final = 1
BAD_INPUT: Final = 2
SPARK: Final = "spark"
SQLITE_STORE: Final = "store.db"  # in the registry, where the service keeps it by default
STANDARD_OUTPUT: Final = Path("-")
STOPPED: Final = 130  # by Ctrl-C, as a shell tells it, or by SIGTERM


def add_registry(command: argparse.ArgumentParser) -> None:
    """Add --registry."""
    default = os.environ.get("REGULARS_REGISTRY") or None
    command.add_argument(
        "--registry",
        type=Path,
        default=default,
        required=default is None,
        metavar="DIR",
        help="The folder with all published versions. Required unless REGULARS_REGISTRY names it.",
    )
    command.add_argument(
        "--shop",
        metavar="NAME",
        help="Another shop of the deployment, with its registry and its store. Default: the main "
        "one.",
    )


def choose_shop(options: argparse.Namespace) -> None:
    """Lead the options of a command to the shop that --shop names. Raises InputError."""
    name = getattr(options, "shop", None)
    if name is None:
        return
    options.registry = registry_of(name, Path(options.registry))
    if not is_shop_name(name) or not options.registry.is_dir():
        raise InputError(f"--shop {name}: no such shop; 'regulars shops create {name}' makes it")
    if getattr(options, "purchases", None):
        options.purchases = [_address_in_shop(source, name) for source in options.purchases]
    if getattr(options, "store", None):
        options.store = _address_in_shop(options.store, name)


def _address_in_shop(source: str, shop: str) -> str:
    """Return the address of a shop's own part of a PostgreSQL; anything else as it is."""
    if not source.startswith("postgresql"):
        return source
    address = make_url(source).update_query_dict({"options": schema_options(shop)})
    return address.render_as_string(hide_password=False)


def add_json(command: argparse.ArgumentParser) -> None:
    """Add --json."""
    command.add_argument(
        "--json",
        type=Path,
        nargs="?",
        const=STANDARD_OUTPUT,
        metavar="FILE",
        help="Print one JSON object in place of tables, or write it to FILE. Default: tables.",
    )


def present(
    target: Path | None,
    reporter: Reporter,
    figures: Callable[[], dict[str, Any]],
    print_tables: Callable[[Console], None],
) -> None:
    """Give the results of a command: as JSON where --json said so, and as tables.

    JSON on the standard output stands there alone.
    """
    if target is not None:
        content = orjson.dumps(figures(), option=orjson.OPT_INDENT_2) + b"\n"
        if target == STANDARD_OUTPUT:
            sys.stdout.write(content.decode())
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    print_tables(reporter.results)


def add_config(command: argparse.ArgumentParser) -> None:
    """Add --config."""
    command.add_argument(
        "--config",
        type=Path,
        metavar="FILE.toml",
        help="A file of settings, described in docs/data.md. Default: the built-in settings.",
    )


def add_engine(command: argparse.ArgumentParser, own: str, purpose: str) -> None:
    """Add --engine, which is `own` or spark, and --master. `purpose` begins the help."""
    command.add_argument(
        "--engine",
        choices=(own, SPARK),
        default=own,
        help=f"{purpose} a cluster of Apache Spark (docs/spark.md). Default: {own}.",
    )
    command.add_argument(
        "--master",
        metavar="ADDRESS",
        help="With --engine spark: the address of the cluster, such as local[2], "
        "spark://HOST:7077, yarn, or sc://HOST:15002 for Spark Connect. Required with it. "
        "Default: none.",
    )


def choose_master(options: argparse.Namespace, config: Config) -> SparkMaster | None:
    """Return the cluster that --engine and --master name, None for none. Raises InputError."""
    if options.engine != SPARK:
        if options.master is not None:
            raise InputError(f"--master {options.master}: is for --engine spark")
        return None
    if options.master is None:
        raise InputError("--engine spark: needs --master, such as local[2]")
    if config.processes is not None:
        raise InputError(
            f"processes = {config.processes} of the settings: is not for --engine spark, where "
            "--master and the settings of Spark say how much is done at once"
        )
    master = SparkMaster(options.master)
    master.check()
    return master


def registry_at(root: Path, *, must_exist: bool = False) -> Registry:
    """Return the registry in a folder. Raises InputError for a file, or where it `must_exist`."""
    if must_exist and not root.exists():
        raise InputError(f"--registry {root}: no such folder; the first training makes it")
    if root.exists() and not root.is_dir():
        raise InputError(f"--registry {root}: is a file, expected a folder")
    return Registry(root)


def find_store(
    registry: Registry, named: str | None, option: str, reporter: Reporter
) -> str | None:
    """Return the address of the service's store: the named one, or that in the registry.

    None where there is none. It knows who was erased and who said no since a training: without it
    they would be back. `option`: the one of the command line that names a store.
    """
    if named is not None:
        return named
    own_store = registry.root / SQLITE_STORE
    if own_store.exists():
        reporter.say(
            f"{own_store} is read too: the service's store, with who was erased or said no.",
        )
        return f"sqlite:///{own_store}"
    if _has_learned_from_store(registry):
        reporter.say(
            "Warning: the active version has learned from the service's store, and none is named "
            f"now. Whoever was erased or said no there is unknown: name it with {option}",
            alarming=True,
        )
    return None


def _has_learned_from_store(registry: Registry) -> bool:
    version = registry.active()
    try:
        return version is not None and read_manifest(registry.path(version)).event_position > 0
    except ArtifactError:
        return False  # what is wrong with it is told where it is compared


def check_output(option: str, path: Path) -> None:
    """Raise InputError now where a file could not be written when the work is done.

    Its folder need not exist yet.
    """
    if path == STANDARD_OUTPUT:
        return
    folder = next(above for above in path.absolute().parents if above.exists())
    if path.is_dir():
        raise InputError(f"{option} {path}: is a folder, expected a file")
    if not folder.is_dir():
        raise InputError(f"{option} {path}: {folder} is a file, expected a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{option} {path}: nothing may be written into {folder}")
