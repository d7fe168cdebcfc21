"""A model in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from models.data.timestamps import format_timestamp
from models.recommender import Recommender


@dataclass(frozen=True)
class LoadedModel:
    """A recommender with the facts of its manifest that every answer repeats."""

    recommender: Recommender
    version: str
    created: int  # seconds since 1970, UTC
    data_as_of: str

    @classmethod
    def of(cls, recommender: Recommender) -> Self:
        manifest = recommender.manifest
        return cls(
            recommender, manifest.version, manifest.created, format_timestamp(manifest.data_as_of)
        )
