"""A guardrail is crossed where all of an interval lies beyond the harm that is too much."""

from __future__ import annotations

from models.experiments.guardrails import GuardedFigure, Guardrail


def test_sales_are_harmed_by_less_and_refusals_by_more() -> None:
    revenue = Guardrail(GuardedFigure.REVENUE, 0.05)
    assert revenue.is_crossed(-0.3, -0.06)
    assert not revenue.is_crossed(-0.3, -0.05)
    assert not revenue.is_crossed(0.1, 0.3)
    refusals = Guardrail.read({"metric": "refusals", "harm": 0.5})
    assert refusals.is_crossed(0.6, 2.0)
    assert not refusals.is_crossed(0.4, 2.0)
    assert not refusals.is_crossed(-0.9, -0.8)
