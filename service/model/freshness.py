"""How fresh the model in service is, and the sales that its answers are made for."""

from __future__ import annotations

import logging
from typing import Final

from models.data.events import DAY
from models.data.timestamps import format_timestamp
from service.model.loaded_model import LoadedModel
from service.runtime.metrics import Metrics

STALE_DAYS: Final = 14  # models learn to rank well up to such an age
log: Final = logging.getLogger("regulars.model")


class Freshness:
    """A watch over the newest event, shop time and the model, for metrics, the log and /readyz."""

    def __init__(self, metrics: Metrics) -> None:
        self.newest_event: int | None = None  # of any kind, seconds since 1970; None: there is none
        self._metrics = metrics
        self._logged = ""

    def note(self, model: LoadedModel, newest_event: int | None) -> None:
        """Note how things stand. What is stale is logged once."""
        shop_time, learned = model.shop_time.moment, model.recommender.manifest.data_as_of
        self.newest_event = newest_event
        self._metrics.set_freshness(shop_time, learned, newest_event)
        warning = ""
        if newest_event is not None and newest_event - shop_time > STALE_DAYS * DAY:
            warning = (
                "events are reported, but too few sales to confirm a later moment than "
                f"{format_timestamp(shop_time)}: answers are made for that one"
            )
        elif shop_time - learned > STALE_DAYS * DAY:
            warning = (
                f"model {model.version} knows sales until {model.data_as_of}, and the shop sells "
                f"until {format_timestamp(shop_time)[:10]}: train again"
            )
        if warning and warning != self._logged:
            log.warning("%s", warning)
        self._logged = warning
