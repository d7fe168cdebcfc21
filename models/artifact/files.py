"""One trained version on disk: a directory with `manifest.json` and one `.npy` for each array.

Nothing in it is code. The version's name ends with a digest of the manifest, and the manifest holds
the digest of every file, so the name alone vouches for every byte.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from models.artifact.array_tree import Array, build, flatten
from models.artifact.atomic import sync_directory, sync_file
from models.artifact.earlier import EARLIEST, bring_up
from models.errors import ArtifactError, reading_failed

SCHEMA: Final = 5
MANIFEST: Final = "manifest.json"
# The beginning of a version's name, so that names sort by time
TIME_FORMAT: Final = "%Y%m%dT%H%M%SZ"
# NumPy has Python parse headers of files. In Python 3.11 that may fail in two threads at once
PARSING: Final = threading.Lock()
T = TypeVar("T")


@dataclass(frozen=True)
class FileEntry:
    sha256: str
    size: int  # bytes
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Manifest:
    """Hold the facts about a version; times are in seconds since 1970, UTC."""

    created: int
    data_from: int  # the oldest event that was learned from
    data_as_of: int  # shop time of what was learned from
    counts: Mapping[str, int] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    event_position: int = 0  # how far in the store's event sequence it has learned
    # Hexadecimal mark that the store counted this position under; "" without a store, and in
    # versions that were trained before stores had marks.
    event_mark: str = ""
    files: Mapping[str, FileEntry] = field(default_factory=dict)
    schema: int = SCHEMA

    @cached_property
    def version(self) -> str:
        time = datetime.fromtimestamp(self.created, UTC).strftime(TIME_FORMAT)
        return f"{time}-{hashlib.sha256(self.text).hexdigest()[:12]}"

    @cached_property
    def text(self) -> bytes:
        """Return the manifest as it is written, in JSON. Nothing in it changes once it was made."""
        facts = {each.name: getattr(self, each.name) for each in fields(self)}
        if not self.event_mark:
            del facts["event_mark"]  # as the versions without it are named
        return json.dumps(facts, indent=1, sort_keys=True, allow_nan=False, default=vars).encode()


def created_of(version: str) -> int:
    """Return when a version was created, from its name alone: seconds since 1970."""
    time = datetime.strptime(version.partition("-")[0], TIME_FORMAT)
    return int(time.replace(tzinfo=UTC).timestamp())


def is_version(name: str) -> bool:
    if re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{12}", name) is None:
        return False
    try:
        return created_of(name) >= 0
    except ValueError:
        return False  # the digits are no time


def write_artifact(
    directory: Path, model: Any, manifest: Manifest, *, durable: bool = True
) -> Manifest:
    """Write every array of a model into an existing directory, the manifest last.

    `durable`: with an fsync of each file and of the directory. Returns the manifest with its files.
    Raises OSError when the disk is full; the caller removes the directory.
    """
    files: dict[str, FileEntry] = {}
    for name, array in flatten(model):
        file_name = f"{name}.npy"
        files[file_name] = _write_array(directory / file_name, array, durable)
    manifest = replace(manifest, files=files)
    with (directory / MANIFEST).open("wb") as stream:
        stream.write(manifest.text)
        if durable:
            sync_file(stream)
    if durable:
        sync_directory(directory)
    return manifest


def _write_array(path: Path, array: Array, durable: bool) -> FileEntry:
    with path.open("w+b") as stream:
        np.save(stream, array, allow_pickle=False)
        if durable:
            sync_file(stream)
        size = stream.tell()
        stream.seek(0)
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FileEntry(digest, size, array.dtype.str, array.shape)


def read_manifest(directory: Path) -> Manifest:
    """Read a manifest and check it against the name of its directory. Raises ArtifactError."""
    path = directory / MANIFEST
    try:
        text = path.read_bytes()
        content = json.loads(text)
        if content["schema"] not in range(EARLIEST, SCHEMA + 1):
            raise ArtifactError(
                f"{path}: schema {content['schema']}, this version reads schema {EARLIEST} to "
                f"{SCHEMA}; train again to replace it"
            )
        files = {
            name: FileEntry(**{**file, "shape": tuple(file["shape"])})
            for name, file in content["files"].items()
        }
        manifest = Manifest(**{**content, "files": files})
    except OSError as error:
        raise reading_failed(path, error) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtifactError(f"{path}: not a manifest of Regulars ({error})") from error
    if manifest.text != text or manifest.version != directory.name:
        raise ArtifactError(
            f"{path}: does not belong to version {directory.name}; it was changed after training"
        )
    return manifest


def load_artifact(
    directory: Path, kind: type[T], *, without: Set[str] = frozenset()
) -> tuple[Manifest, T]:
    """Map the arrays of an artifact into memory; those of the files `without` are zeros.

    Manifest, sizes and headers are checked, the bytes are not. Raises ArtifactError.
    """
    manifest = read_manifest(directory)
    arrays = {
        name.removesuffix(".npy"): (
            np.zeros(file.shape, file.dtype) if name in without else _map(directory / name, file)
        )
        for name, file in manifest.files.items()
    }
    try:
        return manifest, build(kind, bring_up(manifest.schema, arrays))
    except KeyError as error:
        raise ArtifactError(f"{directory / MANIFEST}: names no file {error.args[0]}.npy") from error


def _map(path: Path, file: FileEntry) -> Array:
    try:
        size = path.stat().st_size
        if size != file.size:
            raise ArtifactError(f"{path}: {size} bytes instead of {file.size}")
        with PARSING:
            array = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except OSError as error:
        raise reading_failed(path, error) from error
    except ValueError as error:
        raise ArtifactError(f"{path}: not an array ({error})") from error
    if (array.dtype.str, array.shape) != (file.dtype, file.shape):
        raise ArtifactError(
            f"{path}: holds {array.dtype.str} {array.shape}, not {file.dtype} {file.shape}"
        )
    return array


def verify_artifact(directory: Path) -> None:
    """Read every byte and compare digests.

    Raises ArtifactError with the name of the first file that differs.
    """
    for error in find_damaged(directory).values():
        raise error


def find_damaged(directory: Path) -> dict[str, ArtifactError]:
    """Read every byte; return what is wrong with each file that is not whole, by its name.

    Raises ArtifactError where the manifest is not.
    """
    damaged = {}
    for name, file in read_manifest(directory).files.items():
        path = directory / name
        try:
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            damaged[name] = reading_failed(path, error)
            continue
        if digest != file.sha256:
            damaged[name] = ArtifactError(
                f"{path}: damaged, its bytes are not the ones that were written"
            )
    return damaged
