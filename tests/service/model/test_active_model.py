"""The service follows the registry, and never gives up a good model for a bad one."""

import errno
import gc
import logging
import os
import shutil
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event

import pytest

from models.artifact.registry import Registry
from models.assembly.cards import format_price
from models.slate import FallbackReason
from service.answering.answer import build_answer, build_popular_answer
from service.answering.presentation import Presentation
from service.answering.query import QueryKind, RecommendationQuery
from service.answering.warm_up import warm_up
from service.model.active_model import ActiveModel
from service.model.live_catalogue import LiveCatalogue
from service.model.loaded_model import LoadedModel
from service.runtime.metrics import Metrics
from service.signing.click_links import ClickLinks
from tests.support.expected_answers import another_version
from tests.support.service_shop import Shop as Opened
from tests.support.service_shop import damage

WARM = partial(warm_up, locale="en_US")


@pytest.fixture
def active(own_shop: Opened, tmp_path: Path) -> ActiveModel:
    model = ActiveModel(Registry(own_shop.root), tmp_path / "run", Metrics(), WARM)
    model.refresh()
    return model


def version_of(active: ActiveModel) -> str | None:
    return active.current.version if active.current else None


def test_the_active_version_is_served(active: ActiveModel, own_shop: Opened) -> None:
    assert version_of(active) == own_shop.model.version
    assert active.refusal is None


def test_nothing_is_loaded_again_while_nothing_changes(active: ActiveModel) -> None:
    current = active.current
    active.refresh()
    assert active.current is current


def test_a_new_version_takes_over(active: ActiveModel, own_shop: Opened) -> None:
    later = another_version(own_shop.root)
    active.refresh()
    assert version_of(active) == own_shop.model.version
    Registry(own_shop.root).activate(later)
    active.refresh()
    assert version_of(active) == later


def test_a_damaged_version_is_refused_by_name_and_the_old_one_stays(
    active: ActiveModel, own_shop: Opened, caplog: pytest.LogCaptureFixture
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


def test_a_repaired_version_is_tried_again(active: ActiveModel, own_shop: Opened) -> None:
    later = another_version(own_shop.root)
    damage(own_shop.root, later)
    active.refresh()
    damage(own_shop.root, later)
    active.refresh()
    assert (version_of(active), active.refusal) == (later, None)


def test_a_refusal_is_over_when_the_pointer_goes_back(
    active: ActiveModel, own_shop: Opened
) -> None:
    damage(own_shop.root, another_version(own_shop.root))
    active.refresh()
    Registry(own_shop.root).activate(own_shop.model.version)
    active.refresh()
    assert active.refusal is None


def test_a_restart_with_a_damaged_version_serves_the_one_before(
    own_shop: Opened, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry, metrics = Registry(own_shop.root), Metrics()
    second, third = (another_version(own_shop.root, seconds_later=seconds) for seconds in (60, 120))
    for version in (second, third):
        registry.activate(version)
    pointers = (own_shop.root / "active").read_text()
    names = {version: damage(own_shop.root, version) for version in (second, third)}
    (own_shop.root / "active").write_text(pointers)
    active = ActiveModel(registry, tmp_path / "run", metrics, WARM)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            active.refresh()
    assert version_of(active) == own_shop.model.version
    assert active.refusal is not None
    assert (active.refusal.version, names[third] in active.refusal.reason) == (third, True)
    assert [record.getMessage().split()[2] for record in caplog.records] == [
        f"{third}:",
        f"{second}:",
    ]
    assert all(own_shop.model.version in record.getMessage() for record in caplog.records)
    assert 'regulars_model_refused{shop="main"} 1.0' in metrics.render().decode()
    damage(own_shop.root, third)
    active.refresh()
    assert (version_of(active), active.refusal) == (third, None)
    assert 'regulars_model_refused{shop="main"} 0.0' in metrics.render().decode()


def test_popular_slates_are_those_of_the_first_version_that_has_any(
    own_shop: Opened, tmp_path: Path
) -> None:
    registry, first = Registry(own_shop.root), own_shop.model.version
    second = another_version(own_shop.root)
    damage(own_shop.root, first)
    for file in registry.path(second).glob("catalogue.*.npy"):
        file.write_bytes(file.read_bytes()[:-1] + b"!")
    (own_shop.root / "active").write_text(f"{second}\n{first}\n")
    active = ActiveModel(registry, tmp_path / "run", Metrics(), WARM)
    active.refresh()
    assert (version_of(active), active.current and active.current.is_whole) == (first, False)


def test_a_version_that_was_pruned_is_not_tried(own_shop: Opened, tmp_path: Path) -> None:
    (own_shop.root / "active").write_text(f"gone\nlong-gone\n{own_shop.model.version}\n")
    active = ActiveModel(Registry(own_shop.root), tmp_path / "run", metrics := Metrics(), WARM)
    active.refresh()
    assert version_of(active) == own_shop.model.version
    assert 'regulars_models_refused_total{shop="main"} 1.0' in metrics.render().decode()


class ShortOfRoom(ActiveModel):
    """The disk is full at the first look."""

    looks = 0

    def _load(self, directory: Path) -> LoadedModel:
        self.looks += 1
        if self.looks == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super()._load(directory)


def test_what_may_pass_is_tried_again(own_shop: Opened, tmp_path: Path) -> None:
    active = ShortOfRoom(Registry(own_shop.root), tmp_path / "run", Metrics(), WARM)
    active.refresh()
    assert active.refusal is not None
    assert "No space left" in active.refusal.reason
    active.refresh()
    assert (version_of(active), active.refusal) == (own_shop.model.version, None)


def test_a_model_of_a_campaign_that_cannot_be_loaded_stops_nothing(
    own_shop: Opened, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    active = ShortOfRoom(Registry(own_shop.root), tmp_path / "run", Metrics(), WARM)
    active.keep({own_shop.model.version})
    assert active.pinned(own_shop.model.version) is None
    assert [record.getMessage() for record in caplog.records] == [
        f"a campaign needs model {own_shop.model.version}: "
        "OSError: [Errno 28] No space left on device"
    ]
    active.keep({own_shop.model.version})
    assert active.pinned(own_shop.model.version) is not None


def test_the_model_before_leaves_the_memory(active: ActiveModel, own_shop: Opened) -> None:
    assert active.current is not None
    before = weakref.ref(active.current.recommender)
    gc.disable()
    try:
        Registry(own_shop.root).activate(another_version(own_shop.root))
        active.refresh()
        assert before() is None
    finally:
        gc.enable()


def test_the_first_caller_finds_everything_counted(active: ActiveModel, own_shop: Opened) -> None:
    assert active.current is not None
    trends = active.current.recommender.sales_trends
    counted = trends.product_trends.cache_info().misses, trends.bestsellers.cache_info().misses
    for customer in ("c00", "c01", "c02", "stranger"):
        question = RecommendationQuery(QueryKind.CUSTOMER, "en_US", customer_id=customer)
        build_answer(
            LiveCatalogue(active.current, active.current),
            question,
            Presentation(ClickLinks(b"secret")),
        )
        build_popular_answer(
            LiveCatalogue(active.current, active.current),
            question,
            FallbackReason.DEADLINE,
            Presentation(ClickLinks(b"secret")),
        )
    assert (
        trends.product_trends.cache_info().misses,
        trends.bestsellers.cache_info().misses,
    ) == counted
    prices = format_price.cache_info().misses
    build_answer(
        LiveCatalogue(active.current, active.current),
        RecommendationQuery(QueryKind.POPULAR, "en_US"),
        Presentation(ClickLinks(b"secret")),
    )
    assert format_price.cache_info().misses == prices


@pytest.mark.parametrize("pointer", ["", "../../etc", "no-such-version", "\x00\xff"])
def test_a_pointer_to_nonsense_changes_nothing(
    active: ActiveModel, own_shop: Opened, pointer: str
) -> None:
    (own_shop.root / "active").write_text(pointer)
    active.refresh()
    assert version_of(active) == own_shop.model.version
    assert active.refusal is not None


def test_a_version_that_is_missing_a_file_is_refused(active: ActiveModel, own_shop: Opened) -> None:
    later = another_version(own_shop.root)
    doomed = next(Registry(own_shop.root).path(later).glob("*.npy"))
    doomed.unlink()
    (own_shop.root / "active").write_text(later)
    active.refresh()
    assert active.refusal is not None
    assert doomed.name in active.refusal.reason


def test_without_a_registry_there_is_no_model_until_one_is_published(
    own_shop: Opened, tmp_path: Path
) -> None:
    active = ActiveModel(Registry(tmp_path / "later"), tmp_path / "run", Metrics(), WARM)
    active.refresh()
    assert (active.current, active.refusal) == (None, None)
    shutil.copytree(own_shop.root, tmp_path / "later")
    active.refresh()
    assert version_of(active) == own_shop.model.version


def test_a_model_that_a_campaign_is_pinned_to_stays_at_hand_as_long_as_it_is_needed(
    active: ActiveModel, own_shop: Opened
) -> None:
    first = active.current
    assert first is not None
    active.keep({first.version})
    Registry(own_shop.root).activate(another_version(own_shop.root))
    active.refresh()
    assert active.current is not first
    assert active.pinned(first.version) is first
    kept = weakref.ref(first.recommender)
    active.keep(frozenset())
    del first
    assert kept() is None


def test_a_campaign_can_be_pinned_to_a_version_that_is_not_in_service(
    active: ActiveModel, own_shop: Opened
) -> None:
    later = another_version(own_shop.root)
    pinned = active.pinned(later)
    assert pinned is not None
    assert pinned.version == later
    assert active.pinned("20200101T000000Z-000000000000") is None


@pytest.mark.parametrize("other", ["a mail", "a look at the open campaigns"])
def test_two_that_need_the_model_of_a_campaign_have_it_loaded_once(
    own_shop: Opened, tmp_path: Path, other: str
) -> None:
    loads: list[str] = []
    is_loading, is_loaded_twice = Event(), Event()

    def warm(model: LoadedModel) -> None:
        loads.append(model.version)
        is_loading.set()
        if len(loads) > 1:
            is_loaded_twice.set()
        is_loaded_twice.wait(0.3)

    active = ActiveModel(Registry(own_shop.root), tmp_path / "run", Metrics(), warm)
    version = own_shop.model.version
    needs = {"a mail": partial(active.pinned, version)}
    needs["a look at the open campaigns"] = partial(active.keep, {version})
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(active.pinned, version)
        assert is_loading.wait(10)
        threads.submit(needs[other]).result(10)
        assert active.pinned(version) is first.result(10)
    assert loads == [version]


def test_a_damaged_version_serves_no_campaign(
    active: ActiveModel, own_shop: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    later = another_version(own_shop.root)
    damage(own_shop.root, later)
    assert active.pinned(later) is None
    assert active.pinned(later) is None
    assert [record.message for record in caplog.records if later in record.message][1:] == []


def test_a_campaign_gives_up_a_model_that_was_overwritten(
    active: ActiveModel, own_shop: Opened
) -> None:
    later = another_version(own_shop.root)
    active.keep({later})
    assert active.pinned(later) is not None
    damage(own_shop.root, later)
    active.keep({later})
    assert active.pinned(later) is None
