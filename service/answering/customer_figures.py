"""What is computed of one customer, for the shop and in words for the customer."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from models.data.customer_figures import CustomerFigure, CustomerFigures
from models.data.events import DAY
from models.data.segments import Segment
from models.errors import ArtifactError
from models.languages.phrases import Phrase

# As one would say it to their face
TO_THEIR_FACE: Final = {
    Segment.NEW: Phrase("You are new here: welcome"),
    Segment.PROMISING: Phrase("You have come back to us"),
    Segment.CONNECTED: Phrase("You are one of our regulars"),
    Segment.AT_RISK: Phrase("You have not been here for a while"),
    Segment.LAPSED: Phrase("It has been a long time since you were here"),
}
AWAY: Final = (Segment.AT_RISK, Segment.LAPSED)
log: Final = logging.getLogger("regulars.service")


def find_figure(registry: Path, customer_id: str) -> CustomerFigure | None:
    """Return what was computed of a customer; None where nothing was, or it cannot be read."""
    try:
        figures = CustomerFigures.read(registry)
    except ArtifactError as error:
        log.warning("%s", error)
        return None
    return None if figures is None else figures.find(customer_id)


def describe_figure(figure: CustomerFigure) -> dict[str, Any]:
    """Return what was computed, as an answer tells it."""
    return {
        "segment": figure.segment,
        "orders": figure.orders,
        "first_order": _day(figure.first),
        "last_order": _day(figure.last),
        "recency_days": figure.recency,
        "interval_days": round(figure.interval, 2),
        "revenue": round(figure.revenue, 2),
        "returns": _round(figure.returns, 4),
        "expected_orders": _round(figure.expected_orders, 4),
        "expected_value": _round(figure.expected_value, 2),
    }


def say_segment(figure: CustomerFigure, last_purchase: int) -> Phrase:
    """Return a customer's segment in words for them.

    `last_purchase`: seconds since 1970; who has come back since it was computed is not told that
    they stay away.
    """
    segment = figure.segment
    if segment in AWAY and last_purchase // DAY > figure.last:
        segment = Segment.PROMISING
    return TO_THEIR_FACE[segment]


def _day(day: int) -> str:
    return datetime.fromtimestamp(day * DAY, UTC).date().isoformat()


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
