"""Files of a backup: a directory or an archive, checked by the hashes in `backup.json`.

backup.json                  which shops, which schema, the point of each store, sha256 of each file
SHOP/store.db                a copy of the store, a file of SQLite
SHOP/registry/…              versions, the active one, pins, reports, insights
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from models.artifact.atomic import durable_rename
from models.artifact.insights import INSIGHTS
from models.artifact.registry import ACTIVE, PINS
from models.artifact.reports import REPORTS
from models.artifact.scratch import scratch_directory
from service.errors import CommandError
from service.store.database import SCHEMA
from service.store.lineage import Point

LAYOUT: Final = 1
CONTENTS: Final = "backup.json"
STORE: Final = "store.db"
REGISTRY: Final = "registry"
SUFFIXES: Final = (".tar", ".tar.gz", ".tgz")
STAGING: Final = "backup-staging-"
# Of a registry. Refusals are not among them: they are kept apart from what is restored.
KEPT: Final = ("versions", ACTIVE, PINS, REPORTS, INSIGHTS)


@dataclass(frozen=True)
class Contents:
    """What a backup holds."""

    created: str
    points: Mapping[str, Point]  # by shop: the newest change of its store

    def to_json(self, files: Mapping[str, str]) -> bytes:
        """Return the contents with the hash of each file."""
        shops = {
            name: {"number": point.number, "mark": point.mark.hex()}
            for name, point in self.points.items()
        }
        layout = {"layout": LAYOUT, "schema": SCHEMA, "created": self.created}
        return orjson.dumps({**layout, "shops": shops, "files": files}, option=orjson.OPT_INDENT_2)


@contextmanager
def new_backup(output: Path) -> Iterator[Path]:
    """Make a directory to be filled; it takes its name, or is packed, when the block ends.

    Raises CommandError where there is something already.
    """
    if output.exists():
        raise CommandError(f"{output} is there already; name another directory or file")
    if not output.absolute().parent.is_dir():
        raise CommandError(f"{output.absolute().parent} is no directory; make it first")
    with scratch_directory(output.absolute().parent, STAGING) as staging:
        filled = staging / "backup"
        filled.mkdir(mode=0o700)
        yield filled
        if is_archive(output):
            packed = staging / output.name
            _pack(filled, packed)
            filled = packed
        durable_rename(filled, output.absolute())


def is_archive(path: Path) -> bool:
    """Tell whether a name is that of an archive, and not of a directory."""
    return path.name.endswith(SUFFIXES)


def seal(directory: Path, contents: Contents) -> None:
    """Write what a backup holds, with the hash of every file in it."""
    (directory / CONTENTS).write_bytes(contents.to_json(_hash_files(directory)))


@contextmanager
def opened_backup(path: Path, beside: Path) -> Iterator[tuple[Path, Contents]]:
    """Open a backup, whose files are all as they were written. Raises CommandError.

    `beside`: an existing directory with room for an archive to be unpacked.
    """
    if path.is_dir():
        yield path, _read_contents(path)
        return
    if not path.is_file():
        raise CommandError(f"{path} is no backup: there is nothing")
    with scratch_directory(beside, STAGING) as unpacked:
        try:
            with tarfile.open(path) as archive:
                archive.extractall(unpacked, filter="data")
        except (tarfile.TarError, EOFError, OSError) as error:
            raise CommandError(f"{path} cannot be unpacked: {error}") from error
        yield unpacked, _read_contents(unpacked)


def copy_registry(source: Path, target: Path) -> None:
    """Copy what a registry keeps; versions that are pruned meanwhile are left out."""
    target.mkdir(parents=True)
    for name in KEPT:
        kept = source / name
        if name == "versions":
            for version in sorted(kept.glob("*/manifest.json")):
                _copy_version(version.parent, target / name / version.parent.name)
        elif kept.is_dir():
            shutil.copytree(kept, target / name)
        elif kept.exists():
            shutil.copy2(kept, target / name)


def _copy_version(source: Path, target: Path) -> None:
    try:
        shutil.copytree(source, target)
    except (shutil.Error, FileNotFoundError):
        if source.exists():
            raise
        shutil.rmtree(target)


def _pack(directory: Path, path: Path) -> None:
    mode: Any = "w" if path.name.endswith(".tar") else "w:gz"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        with tarfile.open(fileobj=stream, mode=mode) as archive:
            archive.add(directory, arcname=".")
        stream.flush()
        os.fsync(stream.fileno())


def _read_contents(directory: Path) -> Contents:
    path = directory / CONTENTS
    try:
        values = orjson.loads(path.read_bytes())
        layout, schema, files = values["layout"], str(values["schema"]), dict(values["files"])
        points = {
            str(name): Point(int(point["number"]), bytes.fromhex(point["mark"]))
            for name, point in values["shops"].items()
        }
        contents = Contents(str(values["created"]), points)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CommandError(f"{directory} is no backup: {CONTENTS} cannot be read") from error
    if layout != LAYOUT or schema > SCHEMA:
        raise CommandError("the backup was made by a newer version of Regulars; restore with it")
    _check_files(directory, files)
    return contents


def _check_files(directory: Path, files: Mapping[str, str]) -> None:
    found = _hash_files(directory)
    for name, digest in files.items():
        if found.get(name) != digest:
            problem = "is damaged" if name in found else "is missing"
            raise CommandError(f"{name} of the backup {problem}; nothing was restored")


def _hash_files(directory: Path) -> dict[str, str]:
    """Return the sha256 of every file by its path."""
    digests = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path != directory / CONTENTS:
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            digests[path.relative_to(directory).as_posix()] = digest
    return digests
