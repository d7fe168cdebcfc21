"""All versions in one directory, and which of them is active.

registry/active               the active version, then the ones before it, a line each
registry/versions/VERSION/    an artifact, immutable
registry/pins/VERSION         until when mails are made from it, seconds since 1970: it is not pruned before
registry/staging-…/           a version being written; swept up when its writer is gone
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from models.artifact.atomic import atomic_write, durable_rename
from models.artifact.files import (
    Manifest,
    created_of,
    is_version,
    read_manifest,
    verify_artifact,
    write_artifact,
)
from models.artifact.locks import lock
from models.artifact.scratch import remove, scratch_directory
from models.errors import ArtifactError

ACTIVE: Final = "active"
PINS: Final = "pins"
HISTORY: Final = 50  # lines kept in the pointer


class Registry:
    """Safe for several processes: who changes it holds a lock that ends with the process."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, version: str) -> Path:
        return self.root / "versions" / version

    def active(self) -> str | None:
        """The active version's name, or None before the first. Raises ArtifactError."""
        pointers = self.pointers()
        return pointers[0] if pointers else None

    def pointers(self) -> list[str]:
        """The active version, then the ones that were active before it, newest first. Raises ArtifactError."""
        try:
            lines = (self.root / ACTIVE).read_text("utf-8").split()
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactError(f"{self.root / ACTIVE}: unreadable ({error})") from error
        if not lines or any("/" in line or line.startswith(".") for line in lines):
            raise ArtifactError(f"{self.root / ACTIVE}: names no version")
        return lines

    def names(self) -> list[str]:
        """Every version, readable or not, newest first; what has another name is none."""
        found = (path.name for path in self.root.glob("versions/*") if path.is_dir())
        return sorted((name for name in found if is_version(name)), reverse=True)

    def versions(self) -> list[Manifest]:
        """Manifests of the versions that can be read, newest first; `damaged` names the others."""
        return [
            manifest for manifest in map(self._read, self.names()) if isinstance(manifest, Manifest)
        ]

    def damaged(self) -> list[ArtifactError]:
        """What is wrong with the versions that are not whole, after reading every byte of all of them."""
        return [error for error in map(self._damage, self.names()) if error is not None]

    def publish(
        self, model: Any, manifest: Manifest, *, activate: bool = True, durable: bool = True
    ) -> Manifest:
        """Write a version beside the others, check it, rename it into place and make it active.

        Until the rename nothing has changed; a killed process leaves a staging directory that the next call sweeps up.
        Raises OSError (disk full, no permission) with nothing published.
        """
        (self.root / "versions").mkdir(parents=True, exist_ok=True)
        with scratch_directory(self.root, "staging-") as staging:
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
        """Make an existing version the active one, after reading every byte of it. Raises ArtifactError.

        Where the pointer itself is damaged, what was active before is not known any more.
        """
        if not self.root.is_dir():
            raise ArtifactError(f"{self.root}: no such registry")
        with self._locked():
            if version not in self.names():
                raise ArtifactError(f"{self.root}: holds no version {version}")
            verify_artifact(self.path(version))
            try:
                earlier = self.pointers()
            except ArtifactError:
                earlier = []
            self._point([version, *earlier])

    def rollback(self) -> str:
        """Make the last version active that was so before and is whole. Raises ArtifactError where there is none."""
        with self._locked():
            earlier = self.pointers()[1:]
            while earlier:
                try:
                    verify_artifact(self.path(earlier[0]))
                except ArtifactError:
                    earlier = earlier[1:]  # pruned or damaged
                else:
                    self._point(earlier)
                    return earlier[0]
        raise ArtifactError(f"{self.root}: no earlier version to go back to")

    def pin(self, version: str, until: int) -> None:
        """Keep a version until a moment, in seconds since 1970, whatever is published. A later moment counts."""
        if not is_version(version) or self.pinned(version) >= until:
            return
        pin = self.root / PINS / version
        pin.parent.mkdir(exist_ok=True)
        with atomic_write(pin, durable=False) as stream:
            stream.write(str(until).encode())

    def pinned(self, version: str) -> int:
        """Until when a version is kept, 0 where nothing asks for it."""
        try:
            return int((self.root / PINS / version).read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def prune(self, *, now: int, keep: int, max_age_days: int) -> list[str]:
        """Remove versions beyond the newest `keep` or older than `max_age_days`, never the active or a pinned one."""
        removed = []
        with self._locked():
            active = self.active()
            for rank, version in enumerate(self.names()):
                too_old = now - created_of(version) > max_age_days * 86_400
                if version != active and self.pinned(version) <= now and (rank >= keep or too_old):
                    # Renamed first: a reader sees the version whole or not at all.
                    doomed = self.root / f"staging-pruned-{version}"
                    self.path(version).rename(doomed)
                    remove(doomed)
                    (self.root / PINS / version).unlink(missing_ok=True)
                    removed.append(version)
        return removed

    def _read(self, version: str) -> Manifest | ArtifactError:
        try:
            return read_manifest(self.path(version))
        except ArtifactError as error:
            return error

    def _damage(self, version: str) -> ArtifactError | None:
        try:
            verify_artifact(self.path(version))
        except ArtifactError as error:
            return error
        return None

    def _point(self, versions: list[str]) -> None:
        unique = list(dict.fromkeys(versions))[:HISTORY]
        with atomic_write(self.root / ACTIVE, durable=True) as stream:
            stream.write("".join(f"{version}\n" for version in unique).encode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.root / ".lock").open("w") as file, lock(file):
            yield
