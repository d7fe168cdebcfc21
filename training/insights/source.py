"""What insights of a shop are computed from, beside its purchases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.recommender import Recommender


@dataclass(frozen=True)
class InsightSource:
    """A registry, the service's store, and who may be counted."""

    registry: Path
    url: str  # of the store
    learned: Recommender | None  # the active version
    unasked: int  # YES or NO of models.data.customers: the consent of who was not asked
    now: int  # by the clock, seconds since 1970
