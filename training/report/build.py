"""The report of a run, from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final

from training.config import Config
from training.evaluation.evaluate import Evaluation
from training.evaluation.gate import GateComparison
from training.evaluation.methods import AUTO, BASELINES, SERVED
from training.evaluation.reference_methods import REFERENCE_METHODS
from training.evaluation.results import Role
from training.ranker.train_ranker import RankerTraining
from training.reading.purchases import Purchases
from training.report.data import (
    Anchor,
    BundleFigures,
    BundleMethodFigures,
    ExampleCustomer,
    Importance,
    MethodRow,
    Report,
    RunVerdict,
    TaskFigures,
)

MIN_BIN_CANDIDATES: Final = 200  # of about the same score, for their share of hits to be shown


@dataclass(frozen=True, eq=False)
class MeasuredTwin:
    """Hold what the twin would have answered, and how its ranker learned."""

    evaluation: Evaluation
    ranker: RankerTraining
    days: int  # after the cut
    customers: tuple[ExampleCustomer, ...]


@dataclass(frozen=True)
class RunRecord:
    """Hold what came of a run, besides what was measured."""

    verdict: RunVerdict
    version: str | None  # that was published
    created: int  # seconds since 1970
    seconds: Mapping[str, float]  # step -> how long it took
    comparisons: tuple[GateComparison, ...]
    notes: tuple[str, ...]
    anchors: tuple[Anchor, ...] = ()  # of the version that was published


def build_report(
    purchases: Purchases, config: Config, twin: MeasuredTwin | None, record: RunRecord
) -> Report:
    """Build the report of a run; without a twin, one of what was read."""
    shop_time = purchases.shop_time
    report = Report(
        verdict=record.verdict,
        version=record.version,
        created=record.created,
        data_from=int(purchases.time.min()),
        cut=twin.evaluation.cut if twin else shop_time,
        data_as_of=shop_time,
        k=config.evaluation.k,
        test_days=twin.days if twin else config.evaluation.test_days,
        reading=purchases.report,
        comparisons=record.comparisons,
        settings=asdict(config.model),
        seconds=record.seconds,
        notes=record.notes,
        anchors=record.anchors,
    )
    return _add_figures(report, twin) if twin else report


def _add_figures(report: Report, twin: MeasuredTwin) -> Report:
    evaluation = twin.evaluation
    return replace(
        report,
        tasks=tuple(_summarize_task(evaluation, task) for task in evaluation.scores),
        trials=twin.ranker.trials,
        importance=_sort_importance(twin.ranker),
        bundles=_summarize_bundles(evaluation),
        new_products=evaluation.new_products,
        diversity=evaluation.diversity,
        daring=evaluation.daring,
        customers=twin.customers,
    )


def _sort_importance(ranker: RankerTraining) -> tuple[Importance, ...]:
    """Features that the ranker splits on, those that gained most first."""
    gains = sorted((ranker.importance or {}).items(), key=lambda gain: -gain[1])
    return tuple(Importance(feature, gain) for feature, gain in gains if gain > 0)


def _summarize_task(evaluation: Evaluation, task: str) -> TaskFigures:
    methods = tuple(
        MethodRow(name, _role(name), scores["recall"], scores["ndcg"], scores["hits"].value)
        for name, scores in evaluation.scores[task].items()
        if name != AUTO or task == "all"
    )
    bins = evaluation.calibration[task]
    return TaskFigures(
        name=task,
        customers=evaluation.customers(task),
        methods=methods,
        coverage=evaluation.coverage[task],
        novelty=evaluation.novelty[task],
        filled=evaluation.filled[task],
        by_length=evaluation.by_length.get(task, ()),
        by_activity=evaluation.by_activity.get(task, ()),
        candidates=evaluation.candidates[task],
        calibration=tuple(each for each in bins if each.candidates >= MIN_BIN_CANDIDATES),
    )


def _role(method: str) -> Role:
    if method == SERVED:
        return Role.SERVED
    return Role.BASELINE if method in (*BASELINES, *REFERENCE_METHODS) else Role.OTHER


def _summarize_bundles(evaluation: Evaluation) -> BundleFigures | None:
    if not evaluation.bundles:
        return None
    basket, one_product = evaluation.bundles["basket"], evaluation.bundles["one product"]
    served = BundleMethodFigures(
        name="served",
        role=Role.SERVED,
        basket=basket["per order"],
        one_product=one_product["per order"],
        basket_per_product=basket["per product"],
        one_product_per_product=one_product["per product"],
    )
    return BundleFigures(int(basket["orders"]), (served,))
