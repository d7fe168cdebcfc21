"""The report of a run, from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from training.config import Config
from training.evaluation.evaluate import Evaluation
from training.evaluation.gate import GateComparison
from training.evaluation.methods import AUTO, BASELINES, SERVED
from training.evaluation.reference_methods import REFERENCE_METHODS
from training.evaluation.results import Role
from training.ranker.train_ranker import RankerTraining
from training.reading.purchases import Purchases, ReadingReport
from training.report.data import (
    BundleFigures,
    BundleMethodFigures,
    ExampleCustomer,
    Importance,
    MethodFigures,
    ReadingFigures,
    Report,
    TaskFigures,
    Verdict,
)
from training.report.data import ComparisonRow as Compared

MIN_BIN_CANDIDATES: Final = (
    200  # candidates of about the same score, for their share of hits to be shown
)


def build_report(
    verdict: Verdict,
    version: str | None,
    purchases: Purchases,
    config: Config,
    *,
    created: int,
    evaluation: Evaluation | None,
    comparisons: list[GateComparison],
    taught: RankerTraining,
    customers: tuple[ExampleCustomer, ...],
    seconds: Mapping[str, float],
    notes: tuple[str, ...],
) -> Report:
    last = int(purchases.time.max())
    importance = sorted((taught.importance or {}).items(), key=lambda entry: -entry[1])
    return Report(
        verdict=verdict,
        version=version,
        created=created,
        data_from=int(purchases.time.min()),
        cut=evaluation.cut if evaluation else last,
        data_as_of=last,
        k=config.evaluation.k,
        test_days=config.evaluation.test_days,
        reading=_reading(purchases.report),
        tasks=tuple(_task(evaluation, task) for task in evaluation.scores) if evaluation else (),
        comparisons=tuple(
            Compared(
                found.task,
                f"Recall@{config.evaluation.k}",
                found.against,
                found.difference,
                not found.worse,
            )
            for found in comparisons
        ),
        importance=tuple(Importance(feature, gain) for feature, gain in importance if gain > 0),
        bundles=_bundles(evaluation),
        new_products=evaluation.new_products if evaluation else None,
        diversity=evaluation.diversity if evaluation else (),
        customers=customers,
        settings=asdict(config.model),
        seconds=seconds,
        notes=(*notes, *([taught.note] if taught.note else [])),
    )


def _task(evaluation: Evaluation, task: str) -> TaskFigures:
    methods = tuple(
        MethodFigures(name, _role(name), scores["recall"], scores["ndcg"], scores["hits"].value)
        for name, scores in evaluation.scores[task].items()
        if name != AUTO or task == "all"
    )
    return TaskFigures(
        name=task,
        customers=evaluation.customers(task),
        methods=methods,
        coverage=evaluation.coverage[task],
        novelty=evaluation.novelty[task],
        filled=evaluation.filled[task],
        by_length=evaluation.by_length[task],
        by_activity=evaluation.by_activity[task],
        candidates=evaluation.candidates[task],
        calibration=tuple(
            found
            for found in evaluation.calibration[task]
            if found.candidates >= MIN_BIN_CANDIDATES
        ),
    )


def _role(method: str) -> Role:
    if method == SERVED:
        return Role.SERVED
    return Role.BASELINE if method in (*BASELINES, *REFERENCE_METHODS) else Role.OTHER


def _bundles(evaluation: Evaluation | None) -> BundleFigures | None:
    if evaluation is None or not evaluation.bundles:
        return None
    basket, one = evaluation.bundles["basket"], evaluation.bundles["one product"]
    served = BundleMethodFigures(
        "served",
        Role.SERVED,
        basket["per order"],
        one["per order"],
        basket["per product"],
        one["per product"],
    )
    return BundleFigures(int(basket["orders"]), (served,))


def _reading(report: ReadingReport) -> ReadingFigures:
    names = ReadingFigures.__dataclass_fields__
    return ReadingFigures(**{name: getattr(report, name) for name in names})
