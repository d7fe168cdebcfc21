"""Receipt of an erasure: what was known, what was deleted, and which models hold it until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from models.artifact.files import Manifest
from models.artifact.registry import Registry
from models.artifact.reports import ReportWithCustomer, erase_from_reports
from models.data.customer_figures import erase_from_figures
from models.data.events import DAY
from models.data.timestamps import format_timestamp
from models.errors import ArtifactError
from models.recommender import Recommender
from service.store.erasure import Erasure

MAX_AGE_DAYS: Final = 30  # training removes older versions, unless one is served
ERASED_TEXT: Final = (
    "No answer uses anything of this customer from now on. Cached answers are void now and gone in "
    "{} seconds. Every training that reads this store leaves this customer out, whatever file they "
    f"come from, and removes versions that are older than {MAX_AGE_DAYS} days when it publishes."
)


@dataclass(frozen=True)
class Traces:
    """Hold what a registry has of a customer."""

    # Versions whose history holds them, newest first, each with the time until when it is pinned
    versions: Sequence[tuple[Manifest, int]]
    reports: Sequence[ReportWithCustomer]
    insights: bool | None = None  # whether they were erased there; None: they are not in them

    @property
    def found(self) -> bool:
        return bool(self.versions or self.reports or self.insights is not None)


def erase_from_registry(registry: Registry, customer_id: str, now: int) -> Traces:
    """Take a customer out of the reports and insights of a registry; return what it has of them."""
    manifests = find_versions_with(registry, customer_id)
    return Traces(
        [(manifest, registry.pinned(manifest.version, now=now)) for manifest in manifests],
        erase_from_reports(registry.root, customer_id),
        erase_from_figures(registry.root, customer_id),
    )


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
    customer_id: str, erasure: Erasure, traces: Traces, now: int, ttl_seconds: int
) -> dict[str, Any]:
    """Return the receipt. `ttl_seconds`: of cached answers."""
    versions_with_history = []
    for manifest, pinned_until in traces.versions:
        pruned_by = format_timestamp(max(manifest.created + MAX_AGE_DAYS * DAY, pinned_until, now))
        versions_with_history.append({"version": manifest.version, "pruned_by": pruned_by})
    last_pruned_by = max((version["pruned_by"] for version in versions_with_history), default=None)
    known = traces.found or any(erasure.counts.values())
    return {
        "customer_id": customer_id,
        "known": known,
        "deleted": dict(erasure.counts),
        "forgotten": format_timestamp(now if erasure.earlier is None else erasure.earlier),
        "versions_with_history": versions_with_history,
        "last_pruned_by": last_pruned_by,
        "reports": [{"report": page.name, "erased": page.erased} for page in traces.reports],
        "insights": traces.insights,
        "text": ERASED_TEXT.format(ttl_seconds) if known else _explain_unknown(erasure),
    }


def _explain_unknown(erasure: Erasure) -> str:
    if erasure.earlier is not None:
        return (
            "Nothing is known under this id any more: it was erased on "
            f"{format_timestamp(erasure.earlier)}."
        )
    return (
        "Nothing was known under this id, so nothing was deleted. Ids are compared character by "
        "character: look at case, blanks and slashes. What comes in under this id from now on is "
        "refused."
    )
