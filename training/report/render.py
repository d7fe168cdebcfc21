"""The report of a training run: one HTML page that loads nothing and can be mailed and kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from models.artifact.atomic import atomic_write
from training.errors import InputError
from training.reading.timestamps import format_date
from training.report import plots
from training.report.data import Report, RunVerdict, TaskFigures

NUMERALS: Final = (
    "none",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
)
TASKS: Final[dict[str, str]] = {
    "all": "Any product",
    "discovery": "New to the customer",
    "visit": "Anonymous visits",
}


@dataclass(frozen=True)
class ReportSection:
    """A part of the page, left out where `measured` is empty; `name` is its anchor and template."""

    name: str
    title: str
    measured: Callable[[Report], object]


SECTIONS: Final = (
    ReportSection("methods", "Methods side by side", lambda r: r.tasks),
    ReportSection(
        "groups",
        "For whom it works",
        lambda r: any(task.by_length or task.by_activity for task in r.tasks),
    ),
    ReportSection("range", "How much of the shop is shown", lambda r: r.tasks),
    ReportSection(
        "sources", "Where candidates come from", lambda r: any(task.candidates for task in r.tasks)
    ),
    ReportSection("choice", "What serves, and why", lambda r: r.trials),
    ReportSection("importance", "What the ranker goes by", lambda r: r.importance),
    ReportSection(
        "calibration",
        "Whether scores mean what they say",
        lambda r: any(task.calibration for task in r.tasks),
    ),
    ReportSection("bundles", "Bought together", lambda r: r.bundles),
    ReportSection("new_products", "New products", lambda r: r.new_products),
    ReportSection("diversity", "What variety costs", lambda r: r.diversity),
    ReportSection("daring", "Discovery beyond best sellers", lambda r: r.daring),
    ReportSection("anchors", "What stands beside a product", lambda r: r.anchors),
    ReportSection("customers", "Real customers", lambda r: r.customers),
    ReportSection("reading", "What was read", lambda r: r.reading),
    ReportSection("gate", "Held against its rivals", lambda r: r.comparisons),
    ReportSection("making", "How it was made", lambda r: r),
)


def write_report(path: Path, report: Report) -> None:
    """Write the page, whole or not at all, and its folder with it.

    Raises InputError naming the path.
    """
    page = render(report)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, durable=False) as stream:
            stream.write(page.encode())
    except OSError as error:
        raise InputError(
            f"The report {path} cannot be written: {error.strerror or error}"
        ) from error


def render(report: Report) -> str:
    """Return the page of a report: equal ones for equal reports.

    Titles and ids are text wherever they stand, whatever is in them.
    """
    return (
        template_environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            plots=plots,
            summary=" ".join(summary(report)),
            sections=[section for section in SECTIONS if section.measured(report)],
            absent=[section.title for section in SECTIONS if not section.measured(report)],
            settings=list(_flat(report.settings)),
        )
    )


def template_environment() -> Environment:
    """Return the templates of the report, with their filters."""
    templates = Environment(
        loader=PackageLoader("training.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= FILTERS
    return templates


def summary(report: Report) -> list[str]:
    """Return the whole report in a few sentences."""
    return [*(_summarize_task(report, task) for task in report.tasks), _summarize_verdict(report)]


def _summarize_task(report: Report, task: TaskFigures) -> str:
    if task.name == "discovery":
        products, within = "products new to them", ""
    elif task.name == "visit":
        products, within = "products shown to a visitor who has seen a few", " of the same order"
    else:
        products = "products shown to a returning customer"
        within = f" bought within the next {report.test_days} days"
    baseline = task.best_baseline
    comparison = ""
    if baseline:
        comparison = f"; the best simple method ({baseline.name}) gets {baseline.hits:.1f}"
    hits = f"{task.served.hits:.1f} were{within}"
    return f"Of {numeral(report.k)} {products}, {hits}{comparison}."


def _summarize_verdict(report: Report) -> str:
    if report.verdict is RunVerdict.MEASURED:
        return "This was a measurement: nothing was published."
    if report.verdict is RunVerdict.REFUSED:
        return f"This version was refused. {_refusal(report)}".rstrip()
    if not report.tasks:
        return "This version was published without being measured."
    comparisons = len(report.comparisons)
    behind = [comparison for comparison in report.comparisons if comparison.worse]
    reason = ""
    if behind:
        lists = f"{len(behind)} of {numeral(comparisons)} comparisons"
        reason = f", though in {lists} a simple list found more"
    elif comparisons:
        reason = f": in none of {numeral(comparisons)} comparisons did it fall behind"
    return f"This version was published{reason}."


def _refusal(report: Report) -> str:
    """The first comparison that was lost, or else the first note."""
    for comparison in report.comparisons:
        if comparison.refuses:
            task, missing = task_title(comparison.task).lower(), -comparison.difference.value
            shortfall = f"is {missing:.3f} below that of {comparison.against}"
            return f"Its Recall@{report.k} ({task}) {shortfall}."
    return report.notes[0] if report.notes else ""


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield settings as a configuration file would name them: ("factors.alpha", "40")."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)


def tile_title(name: str, k: int) -> str:
    """Return what the hits of a task are called in the head of the page."""
    shown = {"all": "shown", "discovery": "new to the customer", "visit": "shown to visitors"}
    return f"of {k} {shown.get(name, name)} were bought"


def task_title(name: str) -> str:
    return TASKS.get(name, name)


def numeral(number: int) -> str:
    return NUMERALS[number] if 0 <= number < len(NUMERALS) else f"{number:,}"


def figure(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def share(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1%}"


def signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")


FILTERS: Final[dict[str, Callable[..., str]]] = {
    "count": "{:,}".format,
    "day": format_date,
    "figure": figure,
    "numeral": numeral,
    "share": share,
    "signed": signed,
    "task": task_title,
    "tile": tile_title,
    "unit": "{:.2f}".format,
}
