"""A training run: fit and measure a twin, pass the gate, fit on everything, publish."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from models.artifact.files import Manifest, read_manifest
from models.artifact.registry import Registry
from models.artifact.scratch import temporary_directory
from models.data.events import PURCHASE
from models.errors import ArtifactError, UnreadableError
from models.model import LearnedRanker, Model
from models.rules.shop_rules import ShopRule
from models.settings import ModelSettings, read_settings
from models.sources.similar_products import SimilarProducts
from training.config import Config
from training.errors import InputError
from training.evaluation.bundles import evaluate_bundles
from training.evaluation.evaluate import NO_EXTRAS, Evaluation, ExtraMethods, evaluate
from training.evaluation.extent import find_losses, measure_purchases, measure_version
from training.evaluation.figures import figures_as_json
from training.evaluation.gate import GateComparison, compare
from training.evaluation.methods import AddedMethods
from training.evaluation.new_products import evaluate_new_products
from training.evaluation.reference_methods import build_reference_slates, list_limits
from training.evaluation.split import Split, split_history
from training.fitting.counts import build_histories, count_daily_sales
from training.fitting.fit import fit
from training.fitting.similar_products import fit_similar_products
from training.parallel import cores
from training.progress import Reporter
from training.publishing import build_manifest, publish, write_twin
from training.ranker.reach import lift_products
from training.ranker.train_ranker import RankerTraining, train_ranker
from training.reading.purchases import Purchases
from training.reading.refusals import RefusalWatch
from training.report.anchors import draw_anchors
from training.report.build import MeasuredTwin, RunRecord, build_report
from training.report.data import Anchor, Report, RunVerdict
from training.report.example_customers import draw_example_customers
from training.unfinished import keep_steps

TOO_LITTLE: Final = (
    "the history is too short or has too few returning customers to measure slates on its last days"
)


@dataclass(frozen=True, eq=False)
class Outcome:
    """Hold what came of a run: the published version, or the reasons why there is none."""

    published: Manifest | None
    evaluation: Evaluation | None
    refusals: tuple[str, ...]
    report: Report


@dataclass(frozen=True, eq=False)
class _Judgement:
    """Hold what the gate says of a history, and the ranker that was measured."""

    twin: MeasuredTwin | None  # None: too little to measure
    ranker: RankerTraining
    comparisons: tuple[GateComparison, ...]
    refusals: tuple[str, ...]

    @property
    def evaluation(self) -> Evaluation | None:
        return self.twin.evaluation if self.twin else None


def train(
    purchases: Purchases,
    config: Config,
    registry: Registry,
    reporter: Reporter,
    *,
    now: int,
    until: int | None = None,
    accept_smaller: bool = False,
    watch: RefusalWatch | None = None,
) -> Outcome:
    """Publish a new version, unless the gate refuses its history or its twin.

    The history is refused where it is much smaller than the active version's, unless
    `accept_smaller`; the twin of the days before the cut where it is worse than one with the active
    version's settings. `until`: where the history was told to end, in seconds since 1970. `watch`:
    of the store that the history is from, for who refuses meanwhile.
    """
    if not (purchases.kind == PURCHASE).any():
        raise InputError(
            f"None of the {len(purchases)} lines that were read is a purchase; "
            "nothing can be learned"
        )
    check_objective(purchases, config)
    if not accept_smaller and (loss := _describe_loss(purchases, registry, until)):
        return _refuse(loss, purchases, config, reporter, now=now)
    active = _active_settings(registry)
    with keep_steps(registry, purchases, config, active, reporter):
        judged = _judge(purchases, config, active, registry, reporter)
        manifest: Manifest | None = None
        if not judged.refusals:
            watch = watch or RefusalWatch(None)
            manifest = _learn_everything(
                purchases, judged, config, registry, reporter, watch, now=now
            )
    anchors: tuple[Anchor, ...] = ()
    if manifest:
        _prune(registry, config, reporter, now=now)
        anchors = draw_anchors(registry.path(manifest.version), purchases, config.evaluation)
    refusals = judged.refusals
    behind = [
        f"Behind a simple list: {lost}."
        for lost in judged.comparisons
        if lost.worse and not lost.refuses
    ]
    notes = [*refusals, *behind, *judged.ranker.notes]
    record = RunRecord(
        verdict=RunVerdict.REFUSED if manifest is None else RunVerdict.PUBLISHED,
        version=manifest.version if manifest else None,
        created=now,
        seconds=reporter.seconds,
        comparisons=judged.comparisons,
        notes=tuple(notes),
        anchors=anchors,
    )
    report = build_report(purchases, config, judged.twin, record)
    return Outcome(manifest, judged.evaluation, refusals, report)


def check_objective(purchases: Purchases, config: Config) -> None:
    """Raise InputError where purchases are to weigh their margin and no margin is known."""
    bought = purchases.item[purchases.kind == PURCHASE]
    if (
        config.model.ranker.objective == "margin"
        and np.isnan(purchases.catalogue.margin[bought]).all()
    ):
        raise InputError(
            'model.ranker.objective = "margin" needs what products cost the shop, and of nothing '
            "that was bought a price and a cost are known; give the products a `cost`"
        )


def _judge(
    purchases: Purchases,
    config: Config,
    active: ModelSettings | None,
    registry: Registry,
    reporter: Reporter,
) -> _Judgement:
    """Measure the twin of a history, and have the gate compare it with one of active settings."""
    history = split_history(purchases, config.evaluation)
    if history is None:
        refusals = _pass_unmeasured(registry, reporter)
        ranker = RankerTraining(LearnedRanker.none(), note=f"The blend ranks alone: {TOO_LITTLE}.")
        return _Judgement(None, ranker, (), refusals)
    twin = _keep_twin(history, config, reporter, "Test twin")
    rival = _measure_active_settings(history, config, active, reporter)
    comparisons = tuple(compare(twin.evaluation, rival, config.evaluation.seed))
    refusals = tuple(str(comparison) for comparison in comparisons if comparison.refuses)
    return _Judgement(twin, twin.ranker, comparisons, refusals)


def _learn_everything(
    purchases: Purchases,
    judged: _Judgement,
    config: Config,
    registry: Registry,
    reporter: Reporter,
    watch: RefusalWatch,
    *,
    now: int,
) -> Manifest:
    """Fit the model on the whole history and publish it, without who refuses meanwhile.

    The ranker that was measured is the one that serves; the sources learn from everything.
    """
    lesson = judged.ranker.lesson
    model = fit(purchases, config.model, reporter, name="Everything", lesson=lesson)
    similar = reporter.keep(
        "Everything: similar products",  # the windows and the twin need none
        SimilarProducts,
        lambda _: fit_similar_products(purchases, model.traits, model.neighbours),
    )
    model = replace(model, similar=similar)
    model = lift_products(model, purchases, config.model, reporter, name="Everything")
    metrics = figures_as_json(judged.evaluation)

    def write(model: Model) -> Manifest:
        manifest = build_manifest(purchases, model, config.model, metrics, now)
        published = publish(registry, model, manifest)
        reporter.outcome = f"{published.version} was published and is active"
        return published

    with reporter.step("Publishing"):
        model = watch.leave_out(model)
        published = write(model)
        while (rest := _look_again(watch, model, reporter)) is not model:
            earlier, model = published, rest
            published = write(model)
            registry.remove(earlier.version)
    return published


def _look_again(watch: RefusalWatch, model: Model, reporter: Reporter) -> Model:
    """Return a published model without who refused while it was written."""
    try:
        return watch.leave_out(model)
    except InputError as error:
        reporter.say(
            f"Warning: whoever refused while the version was written is still in it. {error}",
        )
        return model


def _describe_loss(purchases: Purchases, registry: Registry, until: int | None) -> str | None:
    """Return why a history is taken for the stump of another one; None where it is not."""
    version = registry.active()
    if version is None:
        return None
    try:
        active = measure_version(registry.path(version))
    except UnreadableError:
        raise  # the next run may be able to read it
    except ArtifactError:
        return None  # how much it has learned from is not known any more
    losses = find_losses(measure_purchases(purchases), active, until)
    if not losses:
        return None
    return (
        f"much less was read than the active version {version} has learned from (in brackets): "
        f"{', '.join(losses)}. Is the history complete? If so, add --accept-smaller"
    )


def _refuse(
    refusal: str, purchases: Purchases, config: Config, reporter: Reporter, *, now: int
) -> Outcome:
    """Return the outcome of a run that ends before anything is learned."""
    record = RunRecord(
        verdict=RunVerdict.REFUSED,
        version=None,
        created=now,
        seconds=reporter.seconds,
        comparisons=(),
        notes=(refusal,),
    )
    return Outcome(None, None, (refusal,), build_report(purchases, config, None, record))


def evaluate_history(
    purchases: Purchases,
    config: Config,
    reporter: Reporter,
    *,
    now: int,
    rules: tuple[ShopRule, ...] = (),
    examples: int = 0,
) -> Outcome:
    """Measure a twin and the reference methods, and publish nothing.

    `examples`: number of customers whom the report shows. Raises InputError where there is too
    little to measure on.
    """
    check_objective(purchases, config)
    history = split_history(purchases, config.evaluation)
    if history is None:
        raise InputError(
            f"Nothing can be measured: {TOO_LITTLE} ({config.evaluation.test_days} days)"
        )
    with reporter.step("EASE and TIFU-KNN") as advance:
        references = build_reference_slates(history, config.evaluation.k, on_progress=advance)
    extras = ExtraMethods(references, AddedMethods(rules))
    twin = measure_twin(
        history, config, reporter, name="Test twin", extras=extras, examples=examples
    )
    notes = [f"{method}: {limit}." for method, limit in list_limits(history).items()]
    notes += twin.ranker.notes
    record = RunRecord(
        verdict=RunVerdict.MEASURED,
        version=None,
        created=now,
        seconds=reporter.seconds,
        comparisons=tuple(compare(twin.evaluation, None, config.evaluation.seed)),
        notes=tuple(notes),
    )
    report = build_report(purchases, config, twin, record)
    return Outcome(None, twin.evaluation, (), report)


def measure_twin(
    history: Split,
    config: Config,
    reporter: Reporter,
    *,
    name: str,
    extras: ExtraMethods = NO_EXTRAS,
    reported: Purchases | None = None,
    examples: int = 0,
) -> MeasuredTwin:
    """Fit the past of a history, and measure what a service would have answered from it at the cut.

    `reported` are the lines in the service's store at the cut, unless they are those of the past.
    `examples`: number of customers to keep with their slates.
    """
    processes = config.processes or cores()
    with fit_twin(history, config, reporter, name=name, reported=reported) as (directory, ranker):
        bundles = reporter.keep(
            f"{name}: baskets",
            dict[str, dict[str, float]],
            lambda advance: evaluate_bundles(
                directory, history, config.evaluation, advance, processes=processes
            ),
        )
        evaluation = reporter.keep(
            f"{name}: slates",
            Evaluation,
            lambda advance: evaluate(
                directory,
                history,
                config.evaluation,
                processes=processes,
                on_progress=advance,
                extras=extras,
            ),
        )
        with (
            reporter.step(f"{name}: new products"),
            threadpool_limits(limits=1, user_api="blas"),
        ):
            new_products = evaluate_new_products(directory, history, config.evaluation)
            customers = draw_example_customers(directory, history, config.evaluation, examples)
    evaluation = replace(evaluation, bundles=bundles, new_products=new_products)
    return MeasuredTwin(evaluation, ranker, history.days, customers)


@contextmanager
def fit_twin(
    history: Split,
    config: Config,
    reporter: Reporter,
    *,
    name: str,
    reported: Purchases | None = None,
) -> Iterator[tuple[Path, RankerTraining]]:
    """Write an artifact of the past of a history, and remove it at the end.

    Yield its folder, and how its ranker learned. `reported`: see `measure_twin`.
    """
    past, settings = history.past, config.model
    learn = partial(train_ranker, past, settings, reporter, processes=config.processes or cores())
    ranker = reporter.kept.keep("Learning", RankerTraining, learn)
    model = fit(past, settings, reporter, name=name, lesson=ranker.lesson)
    model = lift_products(model, past, settings, reporter, name=name)
    if reported is not None:
        model = replace(
            model, histories=build_histories(reported), sales=count_daily_sales(reported)
        )
    with temporary_directory() as folder:
        directory = write_twin(folder / "twin", model, past, settings)
        del model
        yield directory, ranker


def _pass_unmeasured(registry: Registry, reporter: Reporter) -> tuple[str, ...]:
    """Return why a history that cannot be measured is refused; nothing where it may pass."""
    if _was_measured(registry):
        problem = "though they sufficed for the active version: is the history complete?"
        return (f"{TOO_LITTLE}, {problem}",)
    reporter.say(f"Published without figures: {TOO_LITTLE}.")
    return ()


def _measure_active_settings(
    history: Split, config: Config, settings: ModelSettings | None, reporter: Reporter
) -> Evaluation | None:
    """Measure a twin with the active version's settings; None where they are these or unknown."""
    if settings is None or settings == config.model:
        return None
    active = config.model_copy(update={"model": settings})
    return _keep_twin(history, active, reporter, "Twin of the active version").evaluation


def _keep_twin(history: Split, config: Config, reporter: Reporter, name: str) -> MeasuredTwin:
    measure = partial(measure_twin, history, config, reporter, name=name)
    return reporter.kept.keep(name, MeasuredTwin, measure)


def _prune(registry: Registry, config: Config, reporter: Reporter, *, now: int) -> None:
    """Remove old versions; what is wrong with one must not look like a failed training."""
    limits = config.registry
    try:
        registry.prune(now=now, keep=limits.keep, max_age_days=limits.max_age_days)
    except OSError as error:
        reporter.say(f"Old versions were not removed: {error}")


def _was_measured(registry: Registry) -> bool:
    """Return whether the active version was published with figures."""
    version = registry.active()
    try:
        return version is not None and bool(read_manifest(registry.path(version)).metrics)
    except ArtifactError:
        return True  # it may have been


def _active_settings(registry: Registry) -> ModelSettings | None:
    """Return the settings of the active version.

    None without one, or where this version of Regulars cannot fit them.
    """
    version = registry.active()
    if version is None:
        return None
    directory = registry.path(version)
    try:
        return read_settings(read_manifest(directory).config, directory)
    except UnreadableError:
        raise
    except ArtifactError:
        return None
