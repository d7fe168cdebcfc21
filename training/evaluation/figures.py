"""Figures of an evaluation as JSON, for the manifest and for the command line."""

from __future__ import annotations

from typing import Any

import orjson

from training.evaluation.evaluate import Evaluation


def figures_as_json(evaluation: Evaluation | None) -> dict[str, Any]:
    """Return all but the values per customer, ready for JSON; empty without an evaluation."""
    if evaluation is None:
        return {}
    fields = {name: value for name, value in vars(evaluation).items() if name != "values"}
    fields["customers"] = {task: evaluation.customers(task) for task in evaluation.values}
    content: dict[str, Any] = orjson.loads(orjson.dumps(fields))
    return content
