"""Work that tests give to other processes: a module of its own, so that they load nothing but the
model.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

from models.recommender import Recommender
from models.slate import Slate, SlateRequest


def slates_of(recommender: Recommender, customers: Sequence[str]) -> list[tuple[str, Slate]]:
    """A slate of 10 for each."""
    return [(name, recommender.recommend(name, SlateRequest())) for name in customers]


def find(recommender: Recommender, customers: Sequence[str]) -> list[tuple[str, int, int]]:
    return [
        (customer, recommender.model.customers.ids.find(customer), os.getpid())
        for customer in customers
    ]


def waits_for_ctrl_c(recommender: Recommender, customers: Sequence[str]) -> bool:
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def double(_: int, part: int) -> int:
    return 2 * part


def end_at_ten(_: int, part: int) -> int:
    if part == 10:
        os.kill(os.getpid(), signal.SIGKILL)
    return part


def tell_and_sleep(_: int, part: int) -> int:
    print(part, flush=True)  # noqa: T201
    time.sleep(0.1)
    return part
