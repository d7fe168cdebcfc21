"""Who is erased or says no while a training runs is left out of what it publishes."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.data.customers import NO, TRAIN, YES
from models.model import Model
from service.store import consents, erasure
from service.store.store import Store
from service.store.writer import Change
from tests.support.store_server import KINDS, new_store
from tests.support.training_shop import small_shop_purchases, trained
from training.errors import InputError
from training.reading.refusals import RefusalWatch

pytestmark = pytest.mark.slow

MODEL = trained(small_shop_purchases()).model
ANNA, BERT, CARL = "c00", "c01", "c02"


class Desk:
    """A shop's service, at which customers say what they want."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self._store = Store(url, folder)

    def _write(self, work: Callable[[Change], Any]) -> None:
        self._store.write(work).result(10)

    def erases(self, customer: str) -> None:
        self._write(partial(erasure.erase, customer_id=customer, time=1000))

    def hears(self, customer: str, train: int, time: int) -> None:
        def work(change: Change) -> None:
            consents.give(change, customer, {TRAIN: train}, time)

        self._write(work)

    def close(self) -> None:
        self._store.close()


@pytest.fixture(params=KINDS)
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(new_store(request.param, tmp_path), tmp_path / "run")
    yield opened
    opened.close()


def history(model: Model, customer: str) -> list[tuple[int, int]] | None:
    """Return the items and times of a customer; None where the model does not know them."""
    user = model.customers.ids.find(customer)
    if user < 0:
        return None
    events = model.histories.of(user)
    return list(zip(events.item.tolist(), events.time.tolist(), strict=True))


def test_who_is_erased_while_a_training_runs_is_not_in_its_model(desk: Desk) -> None:
    watch = RefusalWatch(desk.url)
    assert watch.leave_out(MODEL) is MODEL
    desk.erases(BERT)
    desk.erases("nobody")
    left = watch.leave_out(MODEL)
    assert set(MODEL.customers.ids) - set(left.customers.ids) == {BERT}
    assert all(history(left, name) == history(MODEL, name) for name in left.customers.ids)
    for name in left.customers.ids:
        before, after = MODEL.customers.ids.find(name), left.customers.ids.find(name)
        assert left.customers.market_of(after) == MODEL.customers.market_of(before)
        np.testing.assert_array_equal(
            left.customers.consent[after], MODEL.customers.consent[before]
        )
    assert watch.leave_out(left) is left


def test_who_says_no_while_a_training_runs_has_no_history_in_its_model(desk: Desk) -> None:
    desk.hears(CARL, NO, 50)  # heard by the training: what became of it is not the watch's
    watch = RefusalWatch(desk.url)
    desk.hears(ANNA, NO, 60)
    desk.hears(BERT, YES, 60)
    left = watch.leave_out(MODEL)
    assert history(left, ANNA) == []
    assert left.customers.consent[left.customers.ids.find(ANNA), TRAIN] == NO
    others = [name for name in MODEL.customers.ids if name != ANNA]
    assert all(history(left, name) == history(MODEL, name) for name in others)
    desk.hears(CARL, NO, 70)  # once more, and later than whatever a file says
    assert history(watch.leave_out(left), CARL) == []


def test_a_store_that_cannot_be_looked_at_again_is_no_store_without_refusals(
    tmp_path: Path,
) -> None:
    url = new_store("sqlite", tmp_path)
    watch = RefusalWatch(url)
    Path(url.removeprefix("sqlite:///")).unlink()
    with pytest.raises(InputError, match="cannot be read"):
        watch.leave_out(MODEL)


def test_files_alone_have_nobody_to_look_for() -> None:
    assert RefusalWatch(None).leave_out(MODEL) is MODEL
