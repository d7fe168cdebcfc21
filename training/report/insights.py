"""The report of insights: one HTML page that loads nothing, prints, and names no customer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from models.artifact.atomic import atomic_write
from models.artifact.insights import (
    ATTRIBUTION,
    EXPERIMENTS,
    FEEDBACK,
    WORTH,
    insights_report_path,
    read_insight,
)
from models.errors import ArtifactError
from models.experiments.holdout import HOLDOUT
from training.evaluation.metrics import Mean
from training.report import plots
from training.report.plots import OTHER, SERVED, Drawing, IntervalRow, Label, Panel, Rectangle, Row
from training.report.render import template_environment

MOST_ROWS: Final = 10  # of a chart or a table
MOST_COHORTS: Final = 13  # months, the latest
DRAWN: Final = ("placement", "source", "campaign")  # dimensions with a chart of their own
CELL: Final = 23.0
COHORT_LABEL: Final = 62.0  # units left of a grid
PALE: Final = 0.45  # opacity from which on a figure stands on a dark ground


@dataclass(frozen=True)
class InsightsReport:
    """Hold what a page shows: the documents of a registry, None where one was not computed."""

    attribution: Mapping[str, Any] | None = None
    feedback: Mapping[str, Any] | None = None
    experiments: Mapping[str, Any] | None = None
    worth: Mapping[str, Any] | None = None
    titles: Mapping[str, str] = field(default_factory=dict)  # of products, by id

    @property
    def computed(self) -> str:
        """Return when the newest document was computed."""
        documents = (self.attribution, self.feedback, self.experiments, self.worth)
        return max((one["computed"] for one in documents if one is not None), default="")

    @property
    def sections(self) -> list[str]:
        """Return the names of the parts that there is something of."""
        parts = {
            "attribution": self.attribution and self.attribution["overview"],
            "experiments": self.experiments and self.experiments["experiments"],
            "feedback": self.feedback and self.feedback["feedback"],
            "segments": self.worth and self.worth["customers"],
            "cohorts": self.worth and self.worth["cohorts"],
            "value": self.worth and self.worth["value"]["tenths"],
        }
        return [name for name, found in parts.items() if found]

    @property
    def disappointing(self) -> list[Mapping[str, Any]]:
        """Return the products that disappoint most customers."""
        rows = self.feedback["feedback"] if self.feedback else []
        return [row for row in rows if row["segment"] is None and row["disappointed"]][:MOST_ROWS]

    @property
    def uplift(self) -> Mapping[str, Any] | None:
        """Return what the holdout says of revenue a customer."""
        found = (self.experiments or {"experiments": {}})["experiments"].get(HOLDOUT, {})
        rows = (row for row in found.get("comparisons", ()) if row["metric"] == "revenue")
        return next(rows, None)

    def title_of(self, product_id: str) -> str:
        return self.titles.get(product_id) or product_id


TITLES: Final = {
    "attribution": "What followed from recommendations",
    "experiments": "What experiments say",
    "feedback": "Which products disappoint whom",
    "segments": "Who comes, who stays away",
    "cohorts": "Whether customers come back",
    "value": "What customers will bring",
}


def write_insights_report(registry: Path, titles: Mapping[str, str]) -> Path:
    """Write the page of a registry's documents, and return its path. Raises OSError.

    `titles`: of products, by id. A document that cannot be read is left out.
    """
    names = (ATTRIBUTION, FEEDBACK, EXPERIMENTS, WORTH)
    documents = {name: _read(registry, name) for name in names}
    page = render_insights(InsightsReport(**documents, titles=titles))
    path = insights_report_path(registry)
    path.parent.mkdir(exist_ok=True)
    with atomic_write(path, durable=False) as stream:
        stream.write(page.encode())
    return path


def _read(registry: Path, name: str) -> dict[str, Any] | None:
    try:
        return read_insight(registry, name)
    except ArtifactError:
        return None


def render_insights(report: InsightsReport) -> str:
    """Return the page: equal ones for equal reports."""
    template = template_environment().get_template("insights.html.j2")
    drawings = {name: list(DRAWINGS[name](report)) for name in report.sections}
    return template.render(report=report, titles=TITLES, drawings=drawings)


def _draw_attribution(report: InsightsReport) -> Iterator[tuple[str, Drawing]]:
    """Yield revenue by each dimension that has any, of the currency with the most orders."""
    facts = report.attribution or {}
    currency = facts["overview"][0]["currency"]
    for name in DRAWN:
        rows = [
            row
            for row in facts["attribution"].get(name, ())
            if row["currency"] == currency and row["revenue"] and row["value"] is not None
        ]
        rows = sorted(rows, key=lambda row: -row["revenue"])[:MOST_ROWS]
        if rows:
            labels = [Row(row["value"], SERVED) for row in rows]
            panels = [
                Panel("after a look or a click", [row["revenue"] for row in rows], ",.0f"),
                Panel("after a click", [row["clicked_revenue"] or 0 for row in rows], ",.0f"),
            ]
            alt = f"Attributed revenue by {name}, most first: {rows[0]['value']}"
            yield f"Attributed revenue by {name}", plots.bars(alt, labels, panels)


def _draw_experiments(report: InsightsReport) -> Iterator[tuple[str, Drawing]]:
    """Yield the relative differences of each variant, with the interval that always holds."""
    for name, found in (report.experiments or {})["experiments"].items():
        by_variant = groupby(found.get("comparisons", ()), key=lambda row: row["variant"])
        for variant, rows in by_variant:
            known = [row for row in map(_read_interval, rows) if row is not None]
            if known:
                title = f"{name}: {variant}"
                alt = f"Relative differences of {title} to the control"
                yield title, plots.intervals(alt, known, "+.1%")


def _read_interval(row: Mapping[str, Any]) -> IntervalRow | None:
    interval = row["always_valid"] or row["fixed"]
    low, high = interval["relative_low"], interval["relative_high"]
    if None in (low, high, row["relative"]):
        return None
    is_worse = (low > 0) if row["metric"] == "refusals" else (high < 0)
    return IntervalRow(row["metric"], Mean(row["relative"], low, high), is_worse)


def _draw_feedback(report: InsightsReport) -> Iterator[tuple[str, Drawing]]:
    rows = report.disappointing
    if rows:
        labels = [Row(report.title_of(row["product_id"]), SERVED) for row in rows]
        panels = [
            Panel("customers", [row["disappointed"] for row in rows], ",.0f"),
            Panel("of who said anything", [row["share"] for row in rows], ".0%"),
        ]
        yield "Disappointed customers", plots.bars("Disappointed customers", labels, panels)


def _draw_segments(report: InsightsReport) -> Iterator[tuple[str, Drawing]]:
    rows = (report.worth or {})["segments"]
    labels = [Row(row["segment"].replace("_", " "), SERVED) for row in rows]
    panels = [
        Panel("customers", [row["share"] for row in rows], ".0%"),
        Panel("revenue", [row["revenue_share"] for row in rows], ".0%"),
    ]
    yield "Shares of customers and of revenue", plots.bars("Shares by segment", labels, panels)


def _draw_cohorts(report: InsightsReport) -> Iterator[tuple[str, Drawing]]:
    rows = [row for row in (report.worth or {})["cohorts"] if row["months_since"]]
    latest = sorted({row["cohort"] for row in rows})[-MOST_COHORTS:]
    shown = [row for row in rows if row["cohort"] in latest and row["months_since"] < MOST_COHORTS]
    if not shown:
        return
    drawing = Drawing("Share that ordered again, by month since", CELL * (len(latest) + 1))
    for month in range(1, max(row["months_since"] for row in shown) + 1):
        x = COHORT_LABEL + CELL * (month - 0.5)
        drawing.labels.append(Label(x, CELL / 2, str(month), "middle", "muted"))
    for row in shown:
        x = COHORT_LABEL + CELL * (row["months_since"] - 1)
        y = CELL * (latest.index(row["cohort"]) + 1)
        share = row["retention"]
        drawing.rectangles.append(Rectangle(x, y, CELL - 1, CELL - 1, SERVED, round(share, 2)))
        colour = "paper" if share > PALE else "ink"
        text = f"{share:.0%}".removesuffix("%")
        drawing.labels.append(Label(x + CELL / 2, y + CELL / 2, text, "middle", colour))
    for number, cohort in enumerate(latest, 1):
        drawing.labels.append(Label(0, CELL * (number + 0.5), cohort))
    yield "Of 100 customers of a month, those who ordered so many months later", drawing


def _draw_value(report: InsightsReport) -> Iterator[tuple[str, Drawing]]:
    rows = (report.worth or {})["value"]["tenths"]
    labels = [Row(f"{row['tenth']}.", SERVED if row["tenth"] == 1 else OTHER) for row in rows]
    panels = [Panel("orders", [row["expected_orders"] for row in rows], ",.0f")]
    if all(row["expected_value"] is not None for row in rows):
        panels.append(Panel("value", [row["expected_value"] for row in rows], ",.0f"))
    alt = "Expected orders and value of the next 12 months by tenths of the customers"
    yield "Next 12 months, by tenths of the customers", plots.bars(alt, labels, panels)


DRAWINGS: Final = {
    "attribution": _draw_attribution,
    "experiments": _draw_experiments,
    "feedback": _draw_feedback,
    "segments": _draw_segments,
    "cohorts": _draw_cohorts,
    "value": _draw_value,
}
