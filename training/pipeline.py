"""A training run: fit before the cut, evaluate, pass the gate, fit on everything, publish."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from threadpoolctl import threadpool_limits

from models.artifact.files import Manifest, read_manifest
from models.artifact.registry import Registry
from models.data.events import PURCHASE
from models.errors import ArtifactError
from models.model import LearnedRanker
from models.rules.shop_rules import ShopRule
from models.settings import ModelSettings, read_settings
from training.config import Config
from training.errors import InputError
from training.evaluation.bundles import evaluate_bundles
from training.evaluation.evaluate import Evaluation, ReferenceSlates, evaluate
from training.evaluation.figures import figures_as_json
from training.evaluation.gate import GateComparison, compare
from training.evaluation.new_products import evaluate_new_products
from training.evaluation.reference_methods import build_reference_slates
from training.evaluation.reference_methods import list_limits as rival_notes
from training.evaluation.split import Split, split_history
from training.fitting.counts import build_histories, count_daily_sales
from training.fitting.fit import fit
from training.parallel import cores
from training.progress import Reporter
from training.publishing import build_manifest, publish, write_twin
from training.ranker.train_ranker import RankerTraining, train_ranker
from training.reading.purchases import Purchases
from training.report.build import build_report
from training.report.data import ExampleCustomer, Report, Verdict
from training.report.example_customers import draw_example_customers

TOO_LITTLE = (
    "the history is too short or has too few returning customers to measure slates on its last days"
)


@dataclass(frozen=True, eq=False)
class MeasuredTwin:
    """What a model that learned from what precedes the cut would have answered."""

    evaluation: Evaluation
    taught: RankerTraining
    customers: tuple[ExampleCustomer, ...]


@dataclass(frozen=True, eq=False)
class Outcome:
    published: Manifest | None
    evaluation: Evaluation | None
    refusals: tuple[str, ...]
    report: Report


def train(
    purchases: Purchases, config: Config, registry: Registry, reporter: Reporter, *, now: int
) -> Outcome:
    """Publish a new version, unless its twin of the days before the cut is worse than what it is held against."""
    if not (purchases.kind == PURCHASE).any():
        raise InputError(
            f"None of the {len(purchases)} lines that were read is a purchase; nothing can be learned"
        )
    parts = split_history(purchases, config.evaluation)
    twin: MeasuredTwin | None = None
    compared: list[GateComparison] = []
    refusals: tuple[str, ...] = ()
    if parts is None and _was_measured(registry):
        refusals = (
            f"{TOO_LITTLE}, though they sufficed for the active version: is the history complete?",
        )
    elif parts is None:
        reporter.console.print(f"Published without figures: {TOO_LITTLE}.")
    else:
        twin = measure_twin(parts, config, config.model, reporter, name="Test twin")
        rival = _active_settings(registry)
        active = None
        if rival is not None and rival != config.model:
            active = evaluate_settings(
                parts, config, rival, reporter, name="Twin of the active version"
            )
        compared = compare(twin.evaluation, active, config.evaluation.seed)
        refusals = tuple(str(found) for found in compared if found.worse)
    taught = (
        twin.taught
        if twin
        else RankerTraining(LearnedRanker.none(), note=f"The blend ranks alone: {TOO_LITTLE}.")
    )
    manifest = (
        None
        if refusals
        else _published(purchases, config, registry, reporter, twin, taught, now=now)
    )
    report = build_report(
        Verdict.REFUSED if manifest is None else Verdict.PUBLISHED,
        manifest.version if manifest else None,
        purchases,
        config,
        created=now,
        evaluation=twin.evaluation if twin else None,
        comparisons=compared,
        taught=taught,
        customers=twin.customers if twin else (),
        seconds=reporter.seconds,
        notes=refusals,
    )
    return Outcome(manifest, twin.evaluation if twin else None, refusals, report)


def _published(
    purchases: Purchases,
    config: Config,
    registry: Registry,
    reporter: Reporter,
    twin: MeasuredTwin | None,
    taught: RankerTraining,
    *,
    now: int,
) -> Manifest:
    # The lesson that was measured is the one that serves; the sources learn from everything.
    model = fit(purchases, config.model, reporter, name="Everything", lesson=taught.lesson)
    metrics = figures_as_json(twin.evaluation if twin else None)
    with reporter.step("Publishing"):
        manifest = publish(
            registry, model, build_manifest(purchases, model, config.model, metrics, now)
        )
        reporter.outcome = f"{manifest.version} was published and is active"
    try:
        registry.prune(
            now=now, keep=config.registry.keep, max_age_days=config.registry.max_age_days
        )
    except OSError as error:
        # The new version stands: what is wrong with an old one must not look like a failed training.
        reporter.console.print(
            f"Old versions were not removed: {error}", markup=False, soft_wrap=True
        )
    return manifest


def evaluate_history(
    purchases: Purchases,
    config: Config,
    reporter: Reporter,
    *,
    now: int,
    rules: tuple[ShopRule, ...] = (),
) -> Outcome:
    """The figures alone, of published methods too. Raises InputError where there is too little to measure on."""
    parts = split_history(purchases, config.evaluation)
    if parts is None:
        raise InputError(
            f"Nothing can be measured: {TOO_LITTLE} ({config.evaluation.test_days} days)"
        )
    with reporter.step("EASE and TIFU-KNN") as advance:
        slates = build_reference_slates(parts, config.evaluation.k, on_progress=advance)
    twin = measure_twin(
        parts, config, config.model, reporter, name="Test twin", rivals=slates, rules=rules
    )
    report = build_report(
        Verdict.MEASURED,
        None,
        purchases,
        config,
        created=now,
        evaluation=twin.evaluation,
        comparisons=compare(twin.evaluation, None, config.evaluation.seed),
        taught=twin.taught,
        customers=twin.customers,
        seconds=reporter.seconds,
        notes=tuple(f"{method}: {note}." for method, note in rival_notes(parts).items()),
    )
    return Outcome(None, twin.evaluation, (), report)


def evaluate_settings(
    parts: Split, config: Config, settings: ModelSettings, reporter: Reporter, *, name: str
) -> Evaluation:
    """Learn from what precedes the cut, and measure what a service would answer from it."""
    return measure_twin(parts, config, settings, reporter, name=name).evaluation


def measure_twin(
    parts: Split,
    config: Config,
    settings: ModelSettings,
    reporter: Reporter,
    *,
    name: str,
    rivals: ReferenceSlates | None = None,
    rules: tuple[ShopRule, ...] = (),
    reported: Purchases | None = None,
) -> MeasuredTwin:
    """What a fit of the past would have answered at the cut; `reported`: to the store, until then."""
    processes = config.processes or cores()
    taught = train_ranker(parts.past, settings, reporter, processes=processes)
    model = fit(parts.past, settings, reporter, name=name, lesson=taught.lesson)
    if reported is not None:
        model = replace(
            model, histories=build_histories(reported), sales=count_daily_sales(reported)
        )
    with tempfile.TemporaryDirectory(prefix="regulars-twin-") as folder:
        directory = write_twin(Path(folder), model, parts.past, settings)
        del model
        with reporter.step(f"{name}: baskets") as advance:
            bundles = evaluate_bundles(
                directory, parts, config.evaluation, advance, processes=processes
            )
        with reporter.step(f"{name}: slates") as advance:
            evaluation = evaluate(
                directory,
                parts,
                config.evaluation,
                bundles=bundles,
                processes=processes,
                on_progress=advance,
                rivals=rivals,
                rules=rules,
            )
        with (
            reporter.step(f"{name}: new products and examples"),
            threadpool_limits(limits=1, user_api="blas"),
        ):
            new = evaluate_new_products(directory, parts, config.evaluation)
            customers = draw_example_customers(directory, parts, config.evaluation)
    return MeasuredTwin(replace(evaluation, new_products=new), taught, customers)


def _was_measured(registry: Registry) -> bool:
    """Whether the active version was published with figures."""
    version = registry.active()
    try:
        return version is not None and bool(read_manifest(registry.path(version)).metrics)
    except ArtifactError:
        return True  # it may have been


def _active_settings(registry: Registry) -> ModelSettings | None:
    """The settings of the active version; None without one, or where this version of Regulars cannot fit them."""
    version = registry.active()
    if version is None:
        return None
    directory = registry.path(version)
    try:
        return read_settings(read_manifest(directory).config, directory)
    except ArtifactError:
        return None
