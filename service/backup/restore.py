"""Restore shops from a backup: every no and every erasure since holds in the first answer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from models.artifact.atomic import durable_rename
from models.artifact.registry import Registry
from models.artifact.reports import erase_from_reports
from models.artifact.scratch import scratch_directory
from models.data.customer_figures import erase_from_figures
from models.errors import ArtifactError
from models.recommender import Recommender
from service.backup.archive import KEPT, REGISTRY, STORE
from service.backup.store_copy import copy_in, open_copy, read_point
from service.errors import CommandError
from service.settings import PREFIX, Settings
from service.store.change_counters import ChangeCounters
from service.store.database import (
    StoreBrokenError,
    connect,
    migrate,
    read_schema_version,
    reading,
    store_path,
)
from service.store.refusal_journal import (
    Lineage,
    RefusalJournal,
    begins_before,
    journal_name,
    read_identity,
)
from service.store.replay import Replayed, read_lost, replay
from service.store.writer import KeptRefusals, Writer, read_consent_counters, read_position

STAGING: Final = "restore-staging-"


@dataclass(frozen=True)
class Journals:
    """Which journals of refusals are replayed."""

    directories: Sequence[Path]
    required: bool = True  # else a store is restored without them


def restore_shop(source: Path, settings: Settings, journals: Journals) -> dict[str, Any]:
    """Put a backup of one shop in the place of what it has.

    What was refused since is put into the copy before it takes that place. Returns what was
    restored. Raises CommandError and StoreDownError, with the store as it was.
    """
    settings.registry.mkdir(parents=True, exist_ok=True)
    with scratch_directory(settings.registry, STAGING) as scratch:
        path = scratch / STORE
        shutil.copy2(source / STORE, path)
        migrate(open_copy(path))
        registry = Registry(settings.registry)
        replayed = _replay(path, source / REGISTRY, settings, journals)
        version = _restore_registry(source / REGISTRY, registry, scratch)
        copy_in(path, settings.store_url())
    for customer_id in replayed.erased_ids:
        erase_from_reports(registry.root, customer_id)
        erase_from_figures(registry.root, customer_id)
    return {"version": version, "replayed": replayed.describe()}


def _replay(path: Path, registry: Path, settings: Settings, journals: Journals) -> Replayed:
    """Put into a copy of a store what was refused since; the journals note it."""
    engine, counters = open_copy(path), ChangeCounters()
    with reading(engine) as connection:
        found = _find_journals(journal_name(read_identity(connection)), journals)
        lineage = Lineage.read(connection, read_position(connection).number)
        lost = read_lost(connection, found)
        counters.begin_at(lineage.newest, lineage.marks[-1], read_consent_counters(connection))
    if journals.required and not any(begins_before(one.read(), lineage) for one in found):
        raise CommandError(_describe_uncovered(found, journals))
    ids = _customers_of(Registry(registry)) if lost else ()
    refusals = KeptRefusals(settings.refusals_directory(), replay=lambda _: None)
    writer = Writer(engine, counters, None, refusals=refusals)
    try:
        return writer.submit(partial(replay, lost=lost, known_ids=ids)).result()
    finally:
        writer.close()
        engine.dispose()


def _find_journals(name: str, journals: Journals) -> list[RefusalJournal]:
    paths = [directory / name for directory in journals.directories]
    return [RefusalJournal(path) for path in paths if path.exists()]


def _describe_uncovered(found: Sequence[RefusalJournal], journals: Journals) -> str:
    places = ", ".join(str(directory) for directory in journals.directories)
    problem = f"no journal of this store is in {places}"
    if found:
        problem = f"the journal {found[0].path} begins after the backup was made"
    return (
        f"{problem}: who has said no or was forgotten since would be personalised again. Name the "
        f"directory it is in with --refusals or {PREFIX}REFUSALS_DIR, or restore with "
        "--without-refusals. Nothing was restored"
    )


def _customers_of(registry: Registry) -> Iterator[str]:
    """Yield the customers of all models of a registry."""
    for version in registry.names():
        try:
            yield from Recommender.load(registry.path(version)).model.customers.ids
        except ArtifactError:
            continue  # damaged: it will not be served


def _restore_registry(source: Path, registry: Registry, scratch: Path) -> str | None:
    """Add what a backup has of a registry and activate its version; return the version."""
    for name in KEPT:
        kept = source / name
        if name == "versions":
            for version in sorted(kept.glob("*")):
                if not registry.path(version.name).exists():
                    _move_in(version, registry.path(version.name), scratch)
        elif kept.is_dir():
            shutil.copytree(kept, registry.root / name, dirs_exist_ok=True)
    active = Registry(source).active()
    if active is not None:
        registry.activate(active)
    return active


def _move_in(source: Path, target: Path, scratch: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    copied = scratch / target.name
    shutil.copytree(source, copied)
    durable_rename(copied, target)


def holds_changes(settings: Settings) -> bool:
    """Tell whether there is a store that a restore would replace. Raises StoreDownError."""
    engine = connect(settings.store_url())
    try:
        path = store_path(engine)
        if path is not None and not path.exists():
            return False
        return read_schema_version(engine) is not None and read_point(engine).number > 0
    except StoreBrokenError:
        return True
    finally:
        engine.dispose()
