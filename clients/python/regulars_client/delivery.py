"""How events come from a queue to the service, without saying how calls are sent."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, cast

from regulars_client.call import Call
from regulars_client.calls import EventBody, EventsAnswer, Rejected, report
from regulars_client.errors import ServiceError
from regulars_client.event_queue import EventQueue

BATCH: Final = 500
# The body as a whole was refused: too large, or not understood.
WHOLE: Final = frozenset({413, 422})


@dataclass(frozen=True)
class Delivery:
    """Count the events of a delivery: each is stored now, or refused for ever."""

    stored: int = 0
    refused: int = 0


Steps = Generator[Call[EventsAnswer], EventsAnswer, Delivery]


def deliver(queue: EventQueue) -> Steps:
    """Yield calls that report what waits, oldest first, and take what they answer.

    An event leaves the queue once the service has stored it. One that is sent again, since the
    answer was lost or another process sent it too, has the same id and is not doubled. A batch
    that is refused as a whole is halved until the event behind it stands alone.
    """
    stored = refused = 0
    size = BATCH
    while waiting := queue.first(size):
        try:
            answer = yield report(events=[cast(EventBody, one.event) for one in waiting])
        except ServiceError as error:
            if error.status not in WHOLE:
                raise
            if len(waiting) > 1:
                size = len(waiting) // 2
                continue
            problems = {0: error.detail}
        else:
            problems = {one["index"]: _describe(one) for one in answer["rejected"]}
        queue.settle(waiting, problems)
        stored += len(waiting) - len(problems)
        refused += len(problems)
        size = min(2 * size, BATCH)
    return Delivery(stored, refused)


def _describe(rejected: Rejected) -> str:
    return "; ".join(f"{error['field']} {error['problem']}" for error in rejected["errors"])
