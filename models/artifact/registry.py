"""A directory of all versions, one of which is active.

registry/active               the active version, then the ones before it, a line each
registry/versions/VERSION/    an artifact, immutable
registry/pins/VERSION         seconds since 1970 until when mails are made from a version, which is
                              not pruned before
registry/reports/VERSION.html   what its training has measured
registry/staging-…/           a version being written; swept up when its writer is gone
registry/unfinished/          what a training has learned that is not published yet
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from models.artifact.atomic import atomic_write, durable_rename, sync_directory
from models.artifact.files import (
    Manifest,
    created_of,
    is_version,
    read_manifest,
    verify_artifact,
    write_artifact,
)
from models.artifact.insights import INSIGHTS
from models.artifact.locks import lock
from models.artifact.reports import REPORTS
from models.artifact.scratch import remove, scratch_directory
from models.errors import ArtifactError, UnreadableError, reading_failed

ACTIVE: Final = "active"
PINS: Final = "pins"
STAGING: Final = "staging-"
UNFINISHED: Final = "unfinished"
DAY_SECONDS: Final = 86_400
LONGEST_PIN_SECONDS: Final = 366 * DAY_SECONDS
MAX_POINTERS: Final = 50  # versions kept in the file `active`


class Registry:
    """A registry that several processes may use at once: changes are made under a lock."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, version: str) -> Path:
        return self.root / "versions" / version

    def active(self) -> str | None:
        """Return the active version's name, or None before the first. Raises ArtifactError."""
        pointers = self.pointers()
        return pointers[0] if pointers else None

    def pointers(self) -> list[str]:
        """Return the active version, then those that were active before it, newest first.

        Raises ArtifactError.
        """
        try:
            lines = (self.root / ACTIVE).read_text("utf-8").split()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise reading_failed(self.root / ACTIVE, error) from error
        except UnicodeDecodeError as error:
            raise ArtifactError(f"{self.root / ACTIVE}: unreadable ({error})") from error
        if not lines or any("/" in line or line.startswith(".") for line in lines):
            raise ArtifactError(f"{self.root / ACTIVE}: names no version")
        return lines

    def names(self) -> list[str]:
        """Return every version, readable or not, newest first.

        Other directories are ignored.
        """
        directories = (path.name for path in self.root.glob("versions/*") if path.is_dir())
        return sorted(filter(is_version, directories), reverse=True)

    def versions(self) -> list[Manifest]:
        """Return the manifests that can be read, newest first; `damaged` names the others."""
        manifests = []
        for name in self.names():
            with suppress(ArtifactError):
                manifests.append(read_manifest(self.path(name)))
        return manifests

    def damaged(self) -> list[ArtifactError]:
        """Read every byte of all versions and return an error for each that is not whole."""
        errors = []
        for name in self.names():
            try:
                verify_artifact(self.path(name))
            except ArtifactError as error:
                errors.append(error)
        return errors

    def publish(
        self, model: Any, manifest: Manifest, *, activate: bool = True, durable: bool = True
    ) -> Manifest:
        """Write a version beside the others, rename it into place and make it active.

        Until the rename nothing has changed; a killed process leaves a staging directory that the
        next call removes. Raises OSError (disk full, no permission) with nothing published.
        """
        (self.root / "versions").mkdir(parents=True, exist_ok=True)
        with scratch_directory(self.root, STAGING) as staging:
            staging.chmod(0o755)
            manifest = write_artifact(staging, model, manifest, durable=durable)
            with self._locked():
                target = self.path(manifest.version)
                if not target.exists():
                    durable_rename(staging, target)
                if activate:
                    self._point([manifest.version, *self.pointers()])
        return manifest

    def activate(self, version: str) -> None:
        """Make an existing version the active one, after reading every byte of it.

        Where the file `active` is damaged, the versions that were active before are not known any
        more. Raises ArtifactError.
        """
        if not self.root.is_dir():
            raise ArtifactError(f"{self.root}: no such registry")
        with self._locked():
            if version not in self.names():
                raise ArtifactError(f"{self.root}: holds no version {version}")
            verify_artifact(self.path(version))
            try:
                earlier = self.pointers()
            except UnreadableError:
                raise
            except ArtifactError:
                earlier = []
            self._point([version, *earlier])

    def rollback(self) -> str:
        """Make the last version active that was so before and is whole.

        Raises ArtifactError where there is none.
        """
        with self._locked():
            earlier = self.pointers()[1:]
            for rank, version in enumerate(earlier):
                try:
                    verify_artifact(self.path(version))
                except UnreadableError:
                    raise  # it may be whole
                except ArtifactError:
                    continue  # pruned or damaged
                self._point(earlier[rank:])
                return version
        raise ArtifactError(f"{self.root}: no earlier version to go back to")

    def pin(self, version: str, until: int, *, now: int) -> None:
        """Keep a version until a time in seconds since 1970, or until the later one it has."""
        if not is_version(version) or self.pinned(version, now=now) >= until:
            return
        pin = self.root / PINS / version
        pin.parent.mkdir(exist_ok=True)
        with atomic_write(pin, durable=False) as stream:
            stream.write(str(until).encode())

    def pinned(self, version: str, *, now: int) -> int:
        """Return until when a version is kept, 0 where nothing asks for it.

        What lies further ahead than any mailing lasts was written by a clock that was ahead.
        """
        try:
            until = int((self.root / PINS / version).read_text())
        except (FileNotFoundError, ValueError):
            return 0
        return until if until <= now + LONGEST_PIN_SECONDS else 0

    def prune(self, *, now: int, keep: int, max_age_days: int) -> list[str]:
        """Remove versions beyond the newest `keep` or older than `max_age_days`.

        The active version and pinned ones stay. A report goes with its version. Returns the
        removed ones, newest first.
        """
        removed = []
        with self._locked():
            active = self.active()
            for rank, version in enumerate(self.names()):
                too_old = now - created_of(version) > max_age_days * DAY_SECONDS
                in_use = version == active or self.pinned(version, now=now) > now
                if not in_use and (rank >= keep or too_old):
                    self._remove(version)
                    removed.append(version)
            self._remove_reports(set(self.names()))
        return removed

    def remove(self, version: str) -> None:
        """Remove a version, whatever its age."""
        with self._locked():
            self._remove(version)

    def erase(self) -> list[str]:
        """Remove all versions, pins, reports, insights, and what ended processes have left.

        Returns the versions, newest first. Whatever else is in the directory stays.
        """
        with scratch_directory(self.root, STAGING), self._locked():  # sweeps what is left
            (self.root / ACTIVE).unlink(missing_ok=True)
            versions = self.names()
            for version in versions:
                self._remove(version)
            for name in (PINS, REPORTS, INSIGHTS, UNFINISHED):
                if (self.root / name).is_dir():
                    remove(self.root / name)
            sync_directory(self.root)
        return versions

    def _remove_reports(self, kept: Set[str]) -> None:
        """Remove the reports of versions that are gone."""
        for report in self.root.glob(f"{REPORTS}/*.html"):
            if is_version(report.stem) and report.stem not in kept:
                report.unlink(missing_ok=True)

    def _remove(self, version: str) -> None:
        # Renamed first: a reader sees the version whole or not at all.
        pruned = self.root / f"{STAGING}pruned-{version}"
        self.path(version).rename(pruned)
        remove(pruned)
        (self.root / PINS / version).unlink(missing_ok=True)

    def _point(self, versions: list[str]) -> None:
        unique = list(dict.fromkeys(versions))[:MAX_POINTERS]
        with atomic_write(self.root / ACTIVE, durable=True) as stream:
            stream.write("".join(f"{version}\n" for version in unique).encode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.root / ".lock").open("w") as file, lock(file):
            yield
