"""All versions in one directory, and which of them is active.

registry/active               the active version, then the ones before it, a line each
registry/versions/VERSION/    an artifact, immutable
registry/staging-…/           a version being written; swept up when its writer is gone
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from models.artifact import Manifest, read_manifest, sync_directory, verify, write
from models.errors import ArtifactError

ACTIVE: Final = "active"
HISTORY: Final = 50  # lines kept in the pointer


class Registry:
    """Safe for several processes: who changes it holds a lock that ends with the process."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, version: str) -> Path:
        return self.root / "versions" / version

    def active(self) -> str | None:
        """The active version's name, or None before the first. Raises ArtifactError."""
        pointers = self._pointers()
        return pointers[0] if pointers else None

    def versions(self) -> list[Manifest]:
        """Manifests of every version, newest first; a damaged one raises ArtifactError."""
        names = sorted((path.name for path in self.root.glob("versions/*")), reverse=True)
        return [read_manifest(self.path(name)) for name in names]

    def publish(self, model: Any, manifest: Manifest, *, activate: bool = True) -> Manifest:
        """Write a version beside the others, check it, rename it into place and make it active.

        Until the rename nothing has changed; a killed process leaves a staging directory that the next call sweeps up.
        Raises OSError (disk full, no permission) with nothing published.
        """
        (self.root / "versions").mkdir(parents=True, exist_ok=True)
        with self._staging() as staging:
            manifest = write(staging, model, manifest)
            with self._locked():
                target = self.path(manifest.version)
                if not target.exists():
                    staging.rename(target)
                    sync_directory(target.parent)
                if activate:
                    self._point([manifest.version, *self._pointers()])
        return manifest

    def activate(self, version: str) -> None:
        """Make an existing version the active one, after reading every byte of it. Raises ArtifactError."""
        if version not in {path.name for path in self.root.glob("versions/*")}:
            raise ArtifactError(f"{self.root}: holds no version {version}")
        verify(self.path(version))
        with self._locked():
            self._point([version, *self._pointers()])

    def rollback(self) -> str:
        """Make the version active that was active before. Raises ArtifactError where there is none."""
        with self._locked():
            earlier = [version for version in self._pointers()[1:] if self.path(version).exists()]
            if not earlier:
                raise ArtifactError(f"{self.root}: no earlier version to go back to")
            verify(self.path(earlier[0]))
            self._point(earlier)
        return earlier[0]

    def prune(self, *, now: int, keep: int, max_age_days: int) -> list[str]:
        """Remove versions beyond the newest `keep` or older than `max_age_days`, never the active one."""
        removed = []
        with self._locked():
            active = self.active()
            for rank, manifest in enumerate(self.versions()):
                too_old = now - manifest.created > max_age_days * 86_400
                if manifest.version != active and (rank >= keep or too_old):
                    # Renamed first: a reader sees the version whole or not at all.
                    doomed = self.root / f"staging-pruned-{manifest.version}"
                    self.path(manifest.version).rename(doomed)
                    shutil.rmtree(doomed)
                    removed.append(manifest.version)
        return removed

    def _pointers(self) -> list[str]:
        try:
            lines = (self.root / ACTIVE).read_text("utf-8").split()
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactError(f"{self.root / ACTIVE}: unreadable ({error})") from error
        if not lines or any("/" in line or line.startswith(".") for line in lines):
            raise ArtifactError(f"{self.root / ACTIVE}: names no version")
        return lines

    def _point(self, versions: list[str]) -> None:
        unique = list(dict.fromkeys(versions))[:HISTORY]
        beside = self.root / f"{ACTIVE}.new"
        with beside.open("w", encoding="utf-8") as stream:
            stream.write("\n".join(unique) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(self.root / ACTIVE)
        sync_directory(self.root)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def _staging(self) -> Iterator[Path]:
        """A fresh directory, locked for as long as this process writes to it, removed whatever happens."""
        with self._locked():
            self._sweep()
            staging = Path(tempfile.mkdtemp(prefix="staging-", dir=self.root))
            staging.chmod(0o755)
            descriptor = os.open(staging, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield staging
        finally:
            os.close(descriptor)
            shutil.rmtree(staging, ignore_errors=True)

    def _sweep(self) -> None:
        for staging in self.root.glob("staging-*"):
            descriptor = os.open(staging, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(staging)
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN):
                    raise
            finally:
                os.close(descriptor)
