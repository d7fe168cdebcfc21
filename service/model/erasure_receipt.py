"""Receipt of an erasure: what was deleted, and which models hold the history until when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from models.artifact.files import Manifest
from models.artifact.registry import Registry
from models.data.events import DAY
from models.data.timestamps import format_timestamp
from models.errors import ArtifactError
from models.recommender import Recommender

MAX_AGE_DAYS: Final = 30  # training removes older versions, unless one is served


def find_versions_with(registry: Registry, customer_id: str) -> list[Manifest]:
    """Return the versions on disk whose history holds a customer, newest first."""
    manifests = []
    for manifest in registry.versions():
        try:
            customers = Recommender.load(registry.path(manifest.version)).model.customers
        except ArtifactError:
            continue  # damaged: it will not be served, and it is pruned like the others
        if customers.ids.find(customer_id) >= 0:
            manifests.append(manifest)
    return manifests


def build_receipt(
    counts: Mapping[str, int], versions: Iterable[Manifest], now: int, ttl_seconds: int
) -> dict[str, Any]:
    """Return the receipt. `counts`: rows that were deleted; `ttl_seconds`: of cached answers."""
    versions_with_history = []
    for manifest in versions:
        pruned_by = format_timestamp(max(manifest.created + MAX_AGE_DAYS * DAY, now))
        versions_with_history.append({"version": manifest.version, "pruned_by": pruned_by})
    last_pruned_by = max((version["pruned_by"] for version in versions_with_history), default=None)
    return {
        "deleted": dict(counts),
        "forgotten": format_timestamp(now),
        "versions_with_history": versions_with_history,
        "last_pruned_by": last_pruned_by,
        "text": (
            "No answer uses what these versions hold from now on. Cached answers are void now and "
            f"gone in {ttl_seconds} seconds. Training leaves this customer out whatever file they "
            f"come from, and removes versions that are older than {MAX_AGE_DAYS} days when it "
            "publishes."
        ),
    }
