"""A model in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from models.data.timestamps import format_timestamp
from models.recommender import Recommender
from service.model.verification import Signature


@dataclass(frozen=True)
class LoadedModel:
    """A recommender with the facts of its manifest that every answer repeats."""

    recommender: Recommender
    version: str
    created: int  # seconds since 1970, UTC
    data_as_of: str
    signature: Signature = ()  # of the files when they were checked
    is_whole: bool = True  # False: only its popular slates are right

    @classmethod
    def of(
        cls, recommender: Recommender, signature: Signature = (), *, is_whole: bool = True
    ) -> Self:
        manifest = recommender.manifest
        data_as_of = format_timestamp(manifest.data_as_of)
        version, created = manifest.version, manifest.created
        return cls(recommender, version, created, data_as_of, signature, is_whole)
