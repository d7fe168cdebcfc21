"""A training run: measured on its twin, held against what is active, published or refused."""

import dataclasses
import fcntl
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.artifact import files
from models.artifact.array_tree import flatten
from models.artifact.files import Manifest
from models.artifact.registry import Registry
from models.data.events import DAY
from models.recommender import Recommender
from models.settings import BlendSettings, ModelSettings, RankerSettings, TreeSettings, Weights
from models.slate import SlateRequest, Source
from service.store import erasure
from service.store.store import Store
from tests.support.shop import SMALL, Line, moment, open_shop
from tests.support.store_server import new_store
from tests.support.training_shop import small_purchases, small_shop_purchases
from training.config import Config, EvaluationConfig
from training.errors import InputError
from training.evaluation.split import split_history
from training.fitting.fit import fit
from training.fitting.similar_products import fit_similar_products
from training.pipeline import TOO_LITTLE, Outcome, evaluate_history, train
from training.progress import Reporter
from training.ranker.train_ranker import train_ranker
from training.reading.refusals import RefusalWatch
from training.report.data import RunVerdict

pytestmark = pytest.mark.slow

SHOP = small_shop_purchases()
NOW = moment(200)


def upside_down(weights: Weights) -> Weights:
    return Weights(**{name: -weight for name, weight in vars(weights).items()})


BLEND = BlendSettings()
ALONE = dataclasses.replace(SMALL, ranker=RankerSettings(windows=0))
GOOD = Config(model=ALONE, processes=1)
# A ranker would learn that the blend is to be read backwards.
BACKWARDS = dataclasses.replace(
    ALONE, blend=BlendSettings(upside_down(BLEND.new), upside_down(BLEND.bought))
)
TREES = TreeSettings(trees=10, min_rows=20, learning_rate=0.2)
LEARNED = dataclasses.replace(
    SMALL, ranker=RankerSettings(windows=2, lags_days=(0, 7), trees=TREES)
)
BAD = Config(model=BACKWARDS, processes=1)
KEEP_ONE = GOOD.model_copy(update={"registry": GOOD.registry.model_copy(update={"keep": 1})})


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry")


def run(registry: Registry, config: Config = GOOD, *, now: int = NOW) -> tuple[Outcome, str]:
    stream = StringIO()
    return train(SHOP, config, registry, Reporter(stream), now=now), stream.getvalue()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Registry, Outcome, str]:
    """The first training of a shop: its registry, which nobody changes, what became of it, and what
    it said.
    """
    registry = Registry(tmp_path_factory.mktemp("first") / "registry")
    return registry, *run(registry)


@pytest.fixture
def trained(first: tuple[Registry, Outcome, str], registry: Registry) -> Registry:
    """A registry of one's own with that version."""
    shutil.copytree(first[0].root, registry.root)
    return registry


def run_short(
    registry: Registry, *, now: int = NOW, accept_smaller: bool = True
) -> tuple[Outcome, str]:
    """With a history of one line. The console of a pipe is 80 wide; the words are what counts."""
    stream = StringIO()
    outcome = train(
        small_purchases([Line("anna", "milk", 1)]),
        GOOD,
        registry,
        Reporter(stream),
        now=now,
        accept_smaller=accept_smaller,
    )
    return outcome, " ".join(stream.getvalue().split())


def test_what_is_published_was_learned_from_everything_and_carries_the_figures_of_its_twin(
    first: tuple[Registry, Outcome, str],
) -> None:
    registry, outcome, told = first
    assert outcome.published is not None
    assert outcome.evaluation is not None
    shop = open_shop(registry)
    everything = fit(SHOP, ALONE, Reporter(StringIO()), name="test")
    similar = fit_similar_products(SHOP, everything.traits, everything.neighbours)
    everything = replace(everything, similar=similar)
    arrays = dict(flatten(shop.model))
    assert all(array.tobytes() == arrays[name].tobytes() for name, array in flatten(everything))
    assert shop.manifest.data_as_of == SHOP.time.max()
    assert shop.manifest.created == NOW
    assert shop.manifest.counts == {
        "customers": 60,
        "products": 40,
        "lines": len(SHOP),
        "orders": SHOP.order.max() + 1,
        "learned_products": len(arrays["factors.item"]),
        "neighbours": len(arrays["neighbours.item"]),
        "bundle_pairs": len(arrays["orders.item"]),
        "days_of_sales": len(arrays["sales.indptr"]) - 1,
    }
    # The kettle was never sold and the grinder once; sales are counted from the first day to the
    # last.
    assert 30 < shop.manifest.counts["learned_products"] < 40
    assert (
        shop.manifest.counts["days_of_sales"] == SHOP.time.max() // DAY - SHOP.time.min() // DAY + 1
    )
    recall = outcome.evaluation.scores["all"]["served"]["recall"].value
    assert shop.manifest.metrics["scores"]["all"]["served"]["recall"]["value"] == recall > 0.5
    assert shop.manifest.metrics["cut"] < shop.manifest.data_as_of
    assert shop.settings == ALONE
    assert "Twin of the active version" not in told


def test_a_first_version_worse_than_what_simply_sells_serves_and_says_so(
    registry: Registry,
) -> None:
    outcome, _ = run(registry, BAD)
    assert outcome.published is not None
    assert outcome.refusals == ()
    assert registry.active() == outcome.published.version
    assert any(
        note.startswith("Behind a simple list: all: Recall 0.") and "below popularity (" in note
        for note in outcome.report.notes
    )


def test_a_model_worse_than_a_twin_of_the_active_settings_is_refused_and_the_active_one_stays(
    trained: Registry,
) -> None:
    active = trained.active()
    outcome, told = run(trained, BAD)
    assert (
        "below the active version's settings (interval of the difference -" in outcome.refusals[-1]
    )
    assert "Twin of the active version: slates" in told
    assert trained.active() == active is not None


def test_the_same_settings_again_need_no_second_twin_and_pass(trained: Registry) -> None:
    again, told = run(trained, now=NOW + 60)
    assert again.published is not None
    assert trained.active() == again.published.version
    assert "Twin of the active version" not in told


def test_other_settings_that_are_as_good_pass(trained: Registry) -> None:
    other, told = run(trained, Config(model=dataclasses.replace(ALONE, seed=1), processes=1))
    assert other.published is not None
    assert "Twin of the active version" in told


def test_a_version_whose_settings_are_of_another_time_is_no_rival(registry: Registry) -> None:
    model = fit(SHOP, SMALL, Reporter(StringIO()), name="test")
    foreign = files.Manifest(moment(1), 0, 0, config={"forests": {"trees": 100}})
    registry.publish(model, foreign)
    outcome, told = run(registry)
    assert outcome.published is not None
    assert "Twin of the active version" not in told


def test_a_damaged_old_version_does_not_stop_a_new_one(trained: Registry) -> None:
    (old,) = trained.names()
    manifest = trained.path(old) / files.MANIFEST
    manifest.write_text("{")
    outcome, told = run(trained, now=NOW + 60)
    assert outcome.published is not None
    assert trained.active() == outcome.published.version
    assert [entry.version for entry in trained.versions()] == [outcome.published.version]
    assert [str(manifest) in str(error) for error in trained.damaged()] == [True]
    assert "not removed" not in told


def test_a_damaged_old_version_is_pruned_like_any_other(trained: Registry) -> None:
    (old,) = trained.names()
    (trained.path(old) / files.MANIFEST).write_text("{")
    outcome, _ = run(trained, KEEP_ONE, now=NOW + 60)
    assert outcome.published is not None
    assert trained.names() == [outcome.published.version]


def test_what_is_no_version_is_left_alone_and_in_nobodys_way(trained: Registry) -> None:
    (trained.root / "versions" / "notes").mkdir()
    (trained.root / "versions" / "20200101T000000Z-0123456789ab").write_text("a file")
    outcome, told = run(trained, KEEP_ONE, now=NOW + 60)
    assert outcome.published is not None
    assert trained.names() == [outcome.published.version]
    assert (trained.root / "versions" / "notes").is_dir()
    assert "not removed" not in told


def test_a_version_that_the_disk_will_not_give_up_is_told_and_the_new_version_stands(
    trained: Registry,
) -> None:
    (old,) = trained.names()
    # Somebody works in the place that the old version would be moved to.
    occupied = trained.root / f"staging-pruned-{old}"
    (occupied / "work").mkdir(parents=True)
    descriptor = os.open(occupied, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    outcome, told = run(trained, KEEP_ONE, now=NOW + 60)
    os.close(descriptor)
    assert outcome.published is not None
    assert trained.active() == outcome.published.version
    assert "Old versions were not removed: [Errno 39] Directory not empty: " in told


def test_old_versions_are_pruned_when_a_new_one_is_published(trained: Registry) -> None:
    config = GOOD.model_copy(update={"registry": GOOD.registry.model_copy(update={"keep": 2})})
    versions = [run(trained, config, now=NOW + minute)[0].published for minute in (1, 2)]
    assert [entry.version for entry in trained.versions()] == [
        entry.version for entry in versions[::-1] if entry
    ]


def test_a_history_too_short_to_be_measured_is_published_without_figures(
    registry: Registry,
) -> None:
    outcome, told = run_short(registry)
    assert outcome.published is not None
    assert (outcome.evaluation, outcome.refusals) == (None, ())
    assert open_shop(registry).manifest.metrics == {}
    assert told.startswith(f"Published without figures: {TOO_LITTLE}.")


def test_a_history_too_short_to_be_measured_follows_one_that_was_not_measured_either(
    registry: Registry,
) -> None:
    run_short(registry)
    outcome, told = run_short(registry, now=NOW + 60)
    assert outcome.published is not None
    assert registry.active() == outcome.published.version
    assert len(registry.versions()) == 2
    assert outcome.refusals == ()
    assert told.startswith(f"Published without figures: {TOO_LITTLE}.")


def test_a_history_too_short_to_be_measured_does_not_replace_a_version_that_was_measured(
    trained: Registry,
) -> None:
    before = trained.names()
    outcome, told = run_short(trained, now=NOW + 60)
    assert (outcome.published, outcome.evaluation) == (None, None)
    assert outcome.refusals == (
        f"{TOO_LITTLE}, though they sufficed for the active version: is the history complete?",
    )
    assert trained.names() == before == [trained.active()]
    assert "without figures" not in told
    assert "Everything" not in told


def test_a_stump_of_the_history_is_refused_before_anything_is_learned(trained: Registry) -> None:
    before = trained.active()
    outcome, told = run_short(trained, now=NOW + 60, accept_smaller=False)
    assert (outcome.published, outcome.evaluation) == (None, None)
    (refusal,) = outcome.refusals
    assert f"the active version {before} has learned from" in refusal
    assert f": 1 customers (60), 1 products (40), 1 lines ({len(SHOP):,}), 1 days (" in refusal
    assert refusal.endswith("Is the history complete? If so, add --accept-smaller")
    assert outcome.report.verdict is RunVerdict.REFUSED
    assert outcome.report.notes == outcome.refusals
    assert trained.active() == before
    assert told == ""


def test_only_the_active_version_says_whether_there_was_enough_to_measure(
    registry: Registry,
) -> None:
    unmeasured, _ = run_short(registry)
    run(registry, now=NOW + 60)
    assert unmeasured.published is not None
    registry.activate(unmeasured.published.version)
    outcome, _ = run_short(registry, now=NOW + 120)
    assert outcome.published is not None


def test_a_history_too_short_to_be_measured_cannot_be_evaluated() -> None:
    with pytest.raises(
        InputError, match=r"too short or has too few returning customers .* \(28 days\)"
    ):
        evaluate_history(
            small_purchases([Line("anna", "milk", 1)]), GOOD, Reporter(StringIO()), now=NOW
        )


def test_margin_is_no_objective_where_nobody_knows_what_products_cost(registry: Registry) -> None:
    model = dataclasses.replace(ALONE, ranker=RankerSettings(windows=0, objective="margin"))
    config = Config(model=model, processes=1)
    without_cost = dataclasses.replace(
        SHOP,
        catalogue=dataclasses.replace(SHOP.catalogue, cost=np.full(len(SHOP.catalogue), np.nan)),
    )
    for measure in (
        lambda: train(without_cost, config, registry, Reporter(StringIO()), now=NOW),
        lambda: evaluate_history(without_cost, config, Reporter(StringIO()), now=NOW),
    ):
        with pytest.raises(InputError, match="give the products a `cost`"):
            measure()
    assert list(registry.versions()) == []


def test_a_shop_where_people_only_look_is_refused_with_a_sentence(registry: Registry) -> None:
    looks = small_purchases([Line("anna", "milk", day, kind="view") for day in range(3)])
    with pytest.raises(InputError, match="None of the 3 lines that were read is a purchase"):
        train(looks, GOOD, registry, Reporter(StringIO()), now=NOW)
    assert not registry.root.exists()


def evaluated(config: Config) -> Outcome:
    return evaluate_history(SHOP, config, Reporter(StringIO()), now=NOW)


def test_the_same_seed_gives_the_same_evaluation_and_nothing_is_published() -> None:
    one, two = evaluated(GOOD), evaluated(GOOD)
    assert one.evaluation is not None
    assert two.evaluation is not None
    assert one.evaluation.scores == two.evaluation.scores
    assert one.evaluation.bundles == two.evaluation.bundles
    assert (one.published, one.refusals, one.report.verdict) == (None, (), RunVerdict.MEASURED)


class BusyRegistry(Registry):
    """A registry into which a version is written for so long that a customer is erased."""

    def __init__(self, root: Path, erase: Callable[[], None]) -> None:
        super().__init__(root)
        self._erase = [erase]

    def publish(self, model: Any, manifest: Manifest, **options: bool) -> Manifest:
        published = super().publish(model, manifest, **options)
        while self._erase:
            self._erase.pop()()
        return published


def test_who_is_erased_during_a_training_is_in_no_version_that_it_leaves(tmp_path: Path) -> None:
    url = new_store("sqlite", tmp_path)
    store = Store(url, tmp_path / "run")

    def erase(customer_id: str) -> None:
        forget = partial(erasure.erase, customer_id=customer_id, time=NOW)
        store.write(forget).result(10)

    watch = RefusalWatch(url)
    erase("c00")  # while it learns
    registry = BusyRegistry(tmp_path / "registry", lambda: erase("c01"))
    outcome = train(SHOP, GOOD, registry, Reporter(StringIO()), now=NOW, watch=watch)
    store.close()
    (version,) = registry.versions()
    assert outcome.published is not None
    assert outcome.published.version == registry.active() == version.version
    ids = open_shop(registry).model.customers.ids
    assert set(SHOP.customer_ids) - set(ids) == {"c00", "c01"}
    assert version.counts["customers"] == len(ids)


def test_a_longer_test_window_cuts_earlier() -> None:
    shorter = EvaluationConfig(test_days=14)
    first, second = (
        evaluated(config).report.cut
        for config in (GOOD, GOOD.model_copy(update={"evaluation": shorter}))
    )
    assert second - first == 14 * DAY


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Recommender]:
    """A shop that was trained with a ranker, and what its registry then serves."""
    registry = Registry(tmp_path_factory.mktemp("learned"))
    outcome, _ = run(registry, Config(model=LEARNED, processes=1))
    return outcome, open_shop(registry)


def bytes_of(part: object) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in flatten(part)}


def test_the_lesson_that_serves_is_the_one_that_was_measured(
    learned: tuple[Outcome, Recommender],
) -> None:
    outcome, shop = learned
    parts = split_history(SHOP, EvaluationConfig())
    assert parts is not None
    assert outcome.evaluation is not None
    assert outcome.evaluation.cut == parts.cut
    past, everything = (
        train_ranker(purchases, LEARNED, Reporter(StringIO()), processes=1)
        for purchases in (parts.past, SHOP)
    )
    assert shop.model.lesson.learned
    # How far products are lifted depends on those that the shop has now
    measured = replace(shop.model.lesson, reach=past.lesson.reach)
    assert bytes_of(measured) == bytes_of(past.lesson) != bytes_of(everything.lesson)
    assert outcome.report.importance
    assert outcome.report.notes == past.notes


def test_the_report_shows_what_the_published_version_shows_beside_a_product(
    learned: tuple[Outcome, Recommender],
) -> None:
    outcome, shop = learned
    anchors = outcome.report.anchors
    assert anchors
    for anchor in anchors:
        item = shop.catalogue.ids.find(anchor.product.product_id)
        slots = shop.similar(item, SlateRequest(n=EvaluationConfig().k)).slots
        shown = [shop.catalogue.ids[slot.item] for slot in slots]
        assert [slot.product.product_id for slot in anchor.similar] == shown


def test_the_sources_of_a_shop_that_learns_to_rank_have_learned_from_everything(
    learned: tuple[Outcome, Recommender],
) -> None:
    _, shop = learned
    untaught, taught = (
        bytes_of(fit(SHOP, LEARNED, Reporter(StringIO()), name="test")),
        bytes_of(shop.model),
    )
    assert {name.partition(".")[0] for name in taught if taught[name] != untaught[name]} == {
        "lesson",
        "similar",  # which is learned for what is published alone
    }


def test_a_learned_score_is_a_chance_to_be_bought(learned: tuple[Outcome, Recommender]) -> None:
    _, shop = learned
    slots = [
        slot
        for customer in ("c07", "c08", "c09")
        for slot in shop.recommend(customer, SlateRequest()).slots
    ]
    assert len(slots) == 30
    assert all(0 < slot.score < 1 for slot in slots if slot.source is not Source.FILL)


def test_a_ranker_without_windows_serves_the_blend_and_the_report_says_so(
    first: tuple[Registry, Outcome, str],
) -> None:
    registry, outcome, told = first
    shop = open_shop(registry)
    assert not shop.model.lesson.learned
    assert "Window" not in told
    assert outcome.report.notes == ("The blend ranks alone: no windows are set.",)
    request = shop.at_home(7, SlateRequest())
    case = shop.build_context(7, request)
    ranked = shop.rank(case, shop.find_removed(case, request))
    np.testing.assert_allclose(
        ranked.scores, shop.ranker.blend(ranked.rows, ranked.bought), rtol=1e-6
    )


def test_a_shop_too_young_to_be_measured_learns_no_ranking_and_the_report_says_so(
    registry: Registry,
) -> None:
    outcome, _ = run_short(registry)
    assert not open_shop(registry).model.lesson.learned
    assert outcome.report.notes == (f"The blend ranks alone: {TOO_LITTLE}.",)


def test_default_settings_can_be_written_into_a_manifest_and_back(registry: Registry) -> None:
    purchases = small_purchases([Line("anna", "milk", 1)])
    train(purchases, Config(processes=1), registry, Reporter(StringIO()), now=NOW)
    assert open_shop(registry).settings == ModelSettings()
