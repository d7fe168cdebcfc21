"""A model in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from models.data.events import DAY
from models.data.shop_time import ShopTime
from models.data.timestamps import format_timestamp
from models.recommender import Recommender
from service.model.verification import Signature


@dataclass(frozen=True)
class LoadedModel:
    """A recommender with the facts of its manifest that every answer repeats."""

    recommender: Recommender
    version: str
    created: int  # seconds since 1970, UTC
    data_as_of: str  # shop time when it learned
    shop_time: ShopTime  # with what was sold since, as far as that is known
    signature: Signature = ()  # of the files when they were checked
    is_whole: bool = True  # False: only its popular slates are right

    @classmethod
    def of(
        cls, recommender: Recommender, signature: Signature = (), *, is_whole: bool = True
    ) -> Self:
        manifest = recommender.manifest
        return cls(
            recommender,
            manifest.version,
            manifest.created,
            format_timestamp(manifest.data_as_of),
            ShopTime.of_sales(recommender.model.sales),
            signature,
            is_whole,
        )

    def age_days(self, moment: int) -> float:
        """Return how old what it learned is at a moment, in days; 0 for an earlier moment."""
        return round(max(moment - self.recommender.manifest.data_as_of, 0) / DAY, 2)
