"""The figures of an evaluation as JSON, for the manifest and for files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from training.evaluation.evaluate import Evaluation


def figures(evaluation: Evaluation | None) -> dict[str, Any]:
    """Everything but the values per customer, ready for JSON; empty without an evaluation."""
    if evaluation is None:
        return {}
    content = {name: value for name, value in vars(evaluation).items() if name != "values"}
    customers = {task: evaluation.customers(task) for task in evaluation.values}
    figures: dict[str, Any] = orjson.loads(orjson.dumps({**content, "customers": customers}))
    return figures


def write_json(path: Path, evaluation: Evaluation) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(figures(evaluation), option=orjson.OPT_INDENT_2))
