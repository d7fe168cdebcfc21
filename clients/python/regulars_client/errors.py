"""What a call can end in, besides an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class RegularsError(Exception):
    """Any failure of a call."""


class NoAnswerError(RegularsError):
    """The service could not be reached, did not answer in time, or answered no JSON.

    Whether it did what the call asked for is unknown. The cause is the error of the network.
    """


class ServiceError(RegularsError):
    """The service answered that it did not do what the call asked for, and why.

    `kind`: what `type` ends in, such as `store_unavailable`; empty where something in between
    answered. `errors`: each `field` and its `problem`. `retry_after`: seconds, if it named them.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        errors: Sequence[dict[str, Any]] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status} {kind}: {detail}" if kind else f"{status}: {detail}")
        self.status = status
        self.kind = kind
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = retry_after


class QueueFullError(RegularsError):
    """The queue of events holds as many as it may. The event was not kept."""
