"""The service follows the registry, and never gives up a good model for a bad one."""

import logging
import shutil
from pathlib import Path

import pytest

from benchmarks.faults import another_version
from models.registry import Registry
from service.active import ActiveModel
from service.metrics import Metrics
from tests.service.conftest import Shop, damage


@pytest.fixture
def active(own_shop: Shop, tmp_path: Path) -> ActiveModel:
    model = ActiveModel(Registry(own_shop.root), tmp_path / "run", Metrics())
    model.refresh()
    return model


def version_of(active: ActiveModel) -> str | None:
    return active.current.version if active.current else None


def test_the_active_version_is_served(active: ActiveModel, own_shop: Shop) -> None:
    assert version_of(active) == own_shop.model.version
    assert active.refusal is None


def test_nothing_is_loaded_again_while_nothing_changes(active: ActiveModel) -> None:
    current = active.current
    active.refresh()
    assert active.current is current


def test_a_new_version_takes_over(active: ActiveModel, own_shop: Shop) -> None:
    later = another_version(own_shop.root)
    active.refresh()
    assert version_of(active) == own_shop.model.version
    Registry(own_shop.root).activate(later)
    active.refresh()
    assert version_of(active) == later


def test_a_damaged_version_is_refused_by_name_and_the_old_one_stays(
    active: ActiveModel, own_shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    later = another_version(own_shop.root)
    name = damage(own_shop.root, later)
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            active.refresh()
    assert version_of(active) == own_shop.model.version
    assert active.refusal is not None
    assert (active.refusal.version, name in active.refusal.reason) == (later, True)
    assert str(own_shop.root) not in active.refusal.reason
    assert len(caplog.records) == 1


def test_a_repaired_version_is_tried_again(active: ActiveModel, own_shop: Shop) -> None:
    later = another_version(own_shop.root)
    damage(own_shop.root, later)
    active.refresh()
    damage(own_shop.root, later)
    active.refresh()
    assert (version_of(active), active.refusal) == (later, None)


def test_a_refusal_is_over_when_the_pointer_goes_back(active: ActiveModel, own_shop: Shop) -> None:
    damage(own_shop.root, another_version(own_shop.root))
    active.refresh()
    Registry(own_shop.root).activate(own_shop.model.version)
    active.refresh()
    assert active.refusal is None


@pytest.mark.parametrize("pointer", ["", "../../etc", "no-such-version", "\x00\xff"])
def test_a_pointer_to_nonsense_changes_nothing(active: ActiveModel, own_shop: Shop, pointer: str) -> None:
    (own_shop.root / "active").write_text(pointer)
    active.refresh()
    assert version_of(active) == own_shop.model.version
    assert active.refusal is not None


def test_a_version_that_is_missing_a_file_is_refused(active: ActiveModel, own_shop: Shop) -> None:
    later = another_version(own_shop.root)
    doomed = next(Registry(own_shop.root).path(later).glob("*.npy"))
    doomed.unlink()
    (own_shop.root / "active").write_text(later)
    active.refresh()
    assert active.refusal is not None
    assert doomed.name in active.refusal.reason


def test_without_a_registry_there_is_no_model_until_one_is_published(own_shop: Shop, tmp_path: Path) -> None:
    active = ActiveModel(Registry(tmp_path / "later"), tmp_path / "run", Metrics())
    active.refresh()
    assert (active.current, active.refusal) == (None, None)
    shutil.copytree(own_shop.root, tmp_path / "later")
    active.refresh()
    assert version_of(active) == own_shop.model.version
