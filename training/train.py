"""A training run: fit before the cut, evaluate, pass the gate, fit on everything, publish."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.artifact import Manifest, read_manifest
from models.errors import ArtifactError
from models.events import PURCHASE
from models.model import Model
from models.registry import Registry
from models.settings import ModelSettings, settings_of
from training.bundle_evaluation import evaluate_bundles
from training.config import Config
from training.errors import InputError
from training.evaluation import Evaluation, evaluate
from training.fit import fit
from training.gate import compare
from training.progress import Reporter
from training.purchases import Purchases
from training.split import Split, split
from training.summary import figures
from training.workers import cores

TOO_LITTLE = "the history is too short or has too few returning customers to measure slates on its last days"


@dataclass(frozen=True, eq=False)
class Outcome:
    published: Manifest | None
    evaluation: Evaluation | None
    refusals: tuple[str, ...]


def train(purchases: Purchases, config: Config, registry: Registry, reporter: Reporter, *, now: int) -> Outcome:
    """Publish a new version, unless its twin of the days before the cut is worse than what it is held against."""
    if not (purchases.kind == PURCHASE).any():
        raise InputError(f"None of the {len(purchases)} lines that were read is a purchase; nothing can be learned")
    parts = split(purchases, config.evaluation)
    evaluation: Evaluation | None = None
    refusals: tuple[str, ...] = ()
    if parts is None and _was_measured(registry):
        refusals = (f"{TOO_LITTLE}, though they sufficed for the active version: is the history complete?",)
    elif parts is None:
        reporter.console.print(f"Published without figures: {TOO_LITTLE}.")
    else:
        evaluation = evaluate_twin(parts, config, config.model, reporter, name="Test twin")
        rival = _active_settings(registry)
        active = None
        if rival is not None and rival != config.model:
            active = evaluate_twin(parts, config, rival, reporter, name="Twin of the active version")
        compared = compare(evaluation, active, config.evaluation.seed)
        refusals = tuple(str(found) for found in compared if found.worse)
    if refusals:
        return Outcome(None, evaluation, refusals)
    model = fit(purchases, config.model, reporter, name="Everything")
    with reporter.step("Publishing"):
        manifest = publish(registry, model, manifest_of(purchases, model, config.model, figures(evaluation), now))
    try:
        registry.prune(now=now, keep=config.registry.keep, max_age_days=config.registry.max_age_days)
    except OSError as error:
        # The new version stands: what is wrong with an old one must not look like a failed training.
        reporter.console.print(f"Old versions were not removed: {error}", markup=False, soft_wrap=True)
    return Outcome(manifest, evaluation, ())


def evaluate_history(purchases: Purchases, config: Config, reporter: Reporter) -> Evaluation:
    """The figures alone. Raises InputError where there is too little to measure on."""
    parts = split(purchases, config.evaluation)
    if parts is None:
        raise InputError(f"Nothing can be measured: {TOO_LITTLE} ({config.evaluation.test_days} days)")
    return evaluate_twin(parts, config, config.model, reporter, name="Test twin")


def evaluate_twin(
    parts: Split, config: Config, settings: ModelSettings, reporter: Reporter, *, name: str
) -> Evaluation:
    """Fit on what precedes the cut, write it as an artifact, and measure what a service would answer from it."""
    model = fit(parts.past, settings, reporter, name=name)
    with tempfile.TemporaryDirectory(prefix="regulars-twin-") as folder:
        directory = write_twin(Path(folder), model, parts.past, settings)
        del model
        with reporter.step(f"{name}: baskets") as advance:
            bundles = evaluate_bundles(directory, parts, config.evaluation, advance)
        with reporter.step(f"{name}: slates") as advance:
            return evaluate(
                directory,
                parts,
                config.evaluation,
                bundles=bundles,
                processes=config.processes or cores(),
                on_progress=advance,
            )


def write_twin(folder: Path, model: Model, purchases: Purchases, settings: ModelSettings) -> Path:
    registry = Registry(folder)
    return registry.path(publish(registry, model, manifest_of(purchases, model, settings, {}, 0)).version)


def publish(registry: Registry, model: Model, manifest: Manifest) -> Manifest:
    """Raises InputError naming the folder where the disk is full or may not be written to."""
    try:
        return registry.publish(model, manifest)
    except OSError as error:
        problem = error.strerror or error
        raise InputError(f"{registry.root} cannot be written to: {problem}; nothing was published") from error


def manifest_of(
    purchases: Purchases, model: Model, settings: ModelSettings, metrics: dict[str, Any], now: int
) -> Manifest:
    counts = {
        "customers": len(purchases.customer_ids),
        "products": len(purchases.product_ids),
        "lines": len(purchases.time),
        "orders": int(purchases.order.max(initial=-1)) + 1,
        "learned_products": len(model.factors.item),
        "neighbours": len(model.neighbours.item),
        "bundle_pairs": len(model.orders.item),
        "days_of_sales": len(model.sales.indptr) - 1,
    }
    return Manifest(
        created=now,
        data_from=int(purchases.time.min()),
        data_as_of=int(purchases.time.max()),
        counts=counts,
        config=asdict(settings),
        metrics=metrics,
    )


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
        return settings_of(read_manifest(directory).config, directory)
    except ArtifactError:
        return None
