"""Who said no is personalised by no way to ask, whatever happens to the shop.

REGULARS_REFUSALS=200 runs so many sequences of 30 steps, REGULARS_REFUSALS_STORE=postgresql on
PostgreSQL; without them there are a few short ones. `pytest -s` shows how many have ended.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.refusals import Refusals
from tests.support.service_shop import Shop

pytestmark = pytest.mark.slow

SEQUENCES = int(os.environ.get("REGULARS_REFUSALS", "0"))
KIND = os.environ.get("REGULARS_REFUSALS_STORE", "sqlite")


def of(shop: Shop, kind: str) -> type[Refusals]:
    """Return the machine of a shop; hypothesis makes its machines without arguments."""
    return type("OfShop", (Refusals,), {"kind": kind, "shop_root": shop.root})


@contextmanager
def opened(shop: Shop, kind: str) -> Iterator[Refusals]:
    machine = of(shop, kind)()
    try:
        machine.open()
        yield machine
    finally:
        machine.teardown()


def test_nobody_who_said_no_is_personalised_whatever_happens(shop: Shop) -> None:
    chosen = settings(
        max_examples=SEQUENCES or 4,
        stateful_step_count=30 if SEQUENCES else 10,
        derandomize=not SEQUENCES,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink) if SEQUENCES else (Phase.generate,),
        database=None,
    )
    machine = of(shop, KIND)
    run_state_machine_as_test(machine, settings=chosen)
    assert machine.ended >= chosen.max_examples


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_no_before_and_after_a_copy_a_restore_and_a_restart(shop: Shop, kind: str) -> None:
    with opened(shop, kind) as machine:
        machine.says_no(2, "c00", 3600)
        machine.store_is_copied()
        machine.says_yes(0, "c00", -3600)
        machine.says_no(0, "c01", 0)
        machine.is_forgotten(2, "c02")
        machine.store_is_restored(0)
        machine.says_no(1, "c03", 0)
        machine.worker_is_restarted(2)
        machine.model_is_published(500)
        machine.says_yes(2, "c01", 86_400)
        machine.says_no(0, "c01", 0)
        machine.model_is_rolled_back()
        machine.store_is_lost()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_who_was_forgotten_at_another_host_stays_so_where_the_store_is_lost(
    shop: Shop, kind: str
) -> None:
    with opened(shop, kind) as machine:
        machine.is_forgotten(0, "c03")
        machine.is_forgotten(2, "c00")
        machine.store_is_lost()
