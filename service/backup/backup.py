"""Make a backup of shops while the service answers and writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.data.timestamps import format_timestamp
from service.backup.archive import REGISTRY, STORE, Contents, copy_registry, new_backup, seal
from service.backup.store_copy import copy_out, open_copy, read_point
from service.settings import Settings
from service.store.database import check_schema
from service.store.lineage import Point


def back_up(shops: Mapping[str, Settings], output: Path, *, now: int) -> dict[str, Any]:
    """Write stores and registries of shops, by their names, to a new directory or archive.

    Returns what was written. Raises CommandError and StoreDownError.
    """
    with new_backup(output) as directory:
        points = {name: _back_up(shop, directory / name) for name, shop in shops.items()}
        seal(directory, Contents(format_timestamp(now), points))
    changes = {name: point.number for name, point in points.items()}
    return {"backup": str(output), "created": format_timestamp(now), "changes": changes}


def _back_up(settings: Settings, directory: Path) -> Point:
    # The store last: then it holds all that a model has learned of it.
    copy_registry(settings.registry, directory / REGISTRY)
    path = directory / STORE
    copy_out(settings.store_url(), path)
    engine = open_copy(path)
    try:
        check_schema(engine)
        point = read_point(engine)
    finally:
        engine.dispose()
    path.chmod(0o600)
    return point
