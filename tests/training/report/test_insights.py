"""The report of insights shows what was computed, loads nothing, prints, and names no customer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from models.artifact.insights import (
    ATTRIBUTION,
    EXPERIMENTS,
    FEEDBACK,
    WORTH,
    insights_report_path,
    write_insight,
)
from service.schemas import feedback, insights, worth
from service.schemas.experiment_results import RESULTS_EXAMPLE
from training.report.insights import InsightsReport, render_insights, write_insights_report

VALUE: dict[str, Any] = {
    "served": "learned",
    "expected_orders": 8_556.9,
    "tenths": [{**worth.TENTH, "tenth": number} for number in range(1, 11)],
}
DOCUMENTS: dict[str, dict[str, Any]] = {
    ATTRIBUTION: {
        **insights.PERIOD,
        "overview": [insights.SALES],
        "attribution": {"placement": [insights.ATTRIBUTED], "source": []},
    },
    FEEDBACK: feedback.ANSWER,
    EXPERIMENTS: {
        "computed": "2026-12-20T03:00:00Z",
        "experiments": {"repeats": {**RESULTS_EXAMPLE}, "new": {"problem": "It has not begun."}},
    },
    WORTH: {
        **worth.PERIOD,
        "segments": [worth.SEGMENT],
        "repeats": worth.REPEATS,
        "cohorts": [worth.COHORT],
        "value": VALUE,
    },
}
TITLES = {"1082185": 'Pan <b>"heavy"</b>'}


def write_all(registry: Path) -> str:
    documents = DOCUMENTS | {EXPERIMENTS: {**DOCUMENTS[EXPERIMENTS]}}
    found = dict(documents[EXPERIMENTS]["experiments"])
    del (repeats := dict(found["repeats"]))["problem"]
    documents[EXPERIMENTS]["experiments"] = {**found, "repeats": repeats, "holdout": repeats}
    for name, facts in documents.items():
        write_insight(registry, name, facts)
    path = write_insights_report(registry, TITLES)
    assert path == insights_report_path(registry)
    return path.read_text()


def test_every_part_is_shown_with_its_chart(tmp_path: Path) -> None:
    page = write_all(tmp_path)
    sections = re.findall(r'<section id="(\w+)"', page)
    assert sections == ["attribution", "experiments", "feedback", "segments", "cohorts", "value"]
    for section in sections:
        part = page.partition(f'<section id="{section}"')[2].partition("</section>")[0]
        assert "<svg" in part, section
    assert "upper bound" in page
    assert "of it at most from recommendations</dt><dd>18.3%" in page
    assert "than in the holdout</dt><dd>+5.1%" in page
    assert "new: It has not begun." in page
    assert "leaks" in page
    assert "2026-06" in page


def test_a_title_is_text_and_nothing_is_loaded_from_anywhere(tmp_path: Path) -> None:
    page = write_all(tmp_path)
    assert "Pan &lt;b&gt;" in page
    assert "<b>&" not in page
    assert not re.search(r"<script|<link[^>]*http|src=|url\(", page)
    assert "@media print" in page


def test_what_was_not_computed_is_left_out(tmp_path: Path) -> None:
    write_insight(tmp_path, FEEDBACK, feedback.ANSWER)
    (tmp_path / "insights" / "worth.json").write_text("{")
    page = write_insights_report(tmp_path, {}).read_text()
    assert re.findall(r'<section id="(\w+)"', page) == ["feedback"]
    assert "1082185" in page
    assert "Nothing was reported" in render_insights(InsightsReport())
