"""Charts of a report: rectangles, lines, dots and labels in units that a template draws as SVG.

A chart is computed here and drawn by one macro, `drawing.html.j2`. Its colours are the names of
the page's own variables, so a chart follows the page by day and by night.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from training.evaluation.gate import GateComparison
from training.evaluation.metrics import Mean
from training.evaluation.results import CandidateFigures, CustomerGroup, Role
from training.report.data import BundleMethodFigures, Importance, TaskFigures

WIDTH: Final = 400.0  # units, a pixel each where the page is about as wide as a telephone
ROW: Final = 23.0
BAR: Final = 0.62 * ROW
FONT: Final = 12.0
LETTER: Final = 0.58 * FONT  # mean width; the page's font is not known here
LONGEST_LABEL: Final = 30  # letters
TOP_FEATURES: Final = 20
GAP: Final = 12.0  # between two panels
SQUARE: Final = 300.0  # height of a chart with two axes
LOGARITHMIC_FROM: Final = 30.0  # largest over smallest share, above which axes are logarithmic

INK, MUTED, RULE, SERVED, REFUSED, OTHER = "ink", "muted", "rule", "served", "refused", "other"
COLOURS: Final = {Role.SERVED: SERVED, Role.BASELINE: "baseline", Role.OTHER: OTHER}


@dataclass(frozen=True)
class Rectangle:
    x: float
    y: float
    width: float
    height: float
    colour: str
    opacity: float = 1.0


@dataclass(frozen=True)
class Line:
    x1: float
    y1: float
    x2: float
    y2: float
    colour: str
    width: float = 1.0
    opacity: float = 1.0
    dashed: bool = False


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    radius: float
    colour: str
    hollow: bool = False


@dataclass(frozen=True)
class Label:
    """A text whose middle line stands at `y`; `anchor` is start, middle or end."""

    x: float
    y: float
    text: str
    anchor: str = "start"
    colour: str = INK
    bold: bool = False


@dataclass
class Drawing:
    """One chart, `WIDTH` units wide."""

    alt: str  # what is read aloud
    height: float
    rectangles: list[Rectangle] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    label: str
    colour: str


@dataclass(frozen=True)
class IntervalRow:
    """A difference, and whether it is told as a bad one."""

    label: str
    difference: Mean
    is_worse: bool = False


@dataclass(frozen=True)
class Panel:
    """One column of bars: a value a row, with its interval where there is one."""

    title: str
    values: Sequence[float | Mean]
    form: str = ".3f"

    @property
    def means(self) -> list[Mean]:
        return [
            value if isinstance(value, Mean) else Mean(value, value, value) for value in self.values
        ]


@dataclass(frozen=True)
class Scale:
    """Map values from `low` to `high` onto units from `start` to `stop`."""

    low: float
    high: float
    start: float
    stop: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.start + (value - low) / (high - low) * (self.stop - self.start)

    def ticks(self, most: int) -> list[float]:
        """Return at most so many round values within the scale."""
        if self.logarithmic:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            return [10.0**power for power in range(first, last + 1)]
        step = _round_step((self.high - self.low) / most)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [step * number for number in range(first, last + 1)]


def ladder(task: TaskFigures, k: int) -> Drawing:
    """Draw Recall and NDCG of every method, the best first."""
    methods = task.best_first
    rows = [Row(method.name, COLOURS[method.role]) for method in methods]
    recall = Panel(f"Recall@{k}", [method.recall for method in methods])
    ndcg = Panel(f"NDCG@{k}", [method.ndcg for method in methods])
    alt = f"Recall and NDCG of {len(methods)} methods, the best first: {methods[0].name}"
    return bars(alt, rows, [recall, ndcg])


def groups(of: str, groups: Sequence[CustomerGroup], k: int) -> Drawing:
    """Draw the Recall of groups of customers."""
    rows = [Row(f"{group.name} (n = {group.customers:,})", SERVED) for group in groups]
    panel = Panel(f"Recall@{k}", [group.recall for group in groups])
    return bars(f"Recall of {len(groups)} groups of customers by {of}", rows, [panel])


def sources(candidates: CandidateFigures) -> Drawing:
    """Draw the share of later purchases that each source proposes."""
    each = candidates.sources
    rows = [Row("all together", SERVED), *(Row(source.name, OTHER) for source in each)]
    found = [candidates.recall, *(source.recall for source in each)]
    unique = [math.nan, *(source.unique for source in each)]
    alt = f"Share of later purchases that each of {len(each)} sources proposes"
    panels = [Panel("found", found, ".1%"), Panel("found by no other", unique, ".1%")]
    return bars(alt, rows, panels)


def importance(features: Sequence[Importance]) -> Drawing:
    """Draw the share of the ranker's gain by feature; the last row sums up the smallest."""
    top, rest = features[:TOP_FEATURES], features[TOP_FEATURES:]
    rows = [Row(feature.feature, SERVED) for feature in top]
    gains: list[float | Mean] = [feature.gain for feature in top]
    if rest:
        rows.append(Row(f"{len(rest)} others", OTHER))
        gains.append(math.fsum(feature.gain for feature in rest))
    alt = f"Share of the ranker's gain by feature, most first: {features[0].feature}"
    return bars(alt, rows, [Panel("share of gain", gains, ".1%")])


def bundles(methods: Sequence[BundleMethodFigures]) -> Drawing:
    """Draw how often each way to complete an order finds the product that is missing."""
    rows = [Row(method.name, COLOURS[method.role]) for method in methods]
    panels = [
        Panel("given the basket", [method.basket for method in methods]),
        Panel("given one product", [method.one_product for method in methods]),
    ]
    return bars(f"Hit rates of {len(methods)} ways to complete an order", rows, panels)


def differences(comparisons: Sequence[GateComparison]) -> Drawing:
    """Draw where each interval lies: left of 0 the version is worse than its rival."""
    alt = f"Differences to {len(comparisons)} rivals with their intervals; right of 0 is better"
    rows = [IntervalRow(one.against, one.difference, one.worse) for one in comparisons]
    return intervals(alt, rows)


def intervals(alt: str, rows: Sequence[IntervalRow], form: str = "+.3f") -> Drawing:
    """Draw differences with their intervals around 0. `form`: of the figures beside them."""
    drawing = Drawing(alt, ROW * (len(rows) + 1) + 6)
    low = min(0.0, min(row.difference.low for row in rows))
    high = max(0.0, max(row.difference.high for row in rows))
    margin = 0.05 * (high - low) or 0.001
    left = _label_width([row.label for row in rows])
    scale = Scale(low - margin, high + margin, left, 0.87 * WIDTH)
    bottom = 6 + ROW * len(rows)
    drawing.lines.append(Line(scale(0), 6, scale(0), bottom, MUTED))
    for number, row in enumerate(rows):
        gap, colour = row.difference, REFUSED if row.is_worse else SERVED
        y = 6 + ROW * (number + 0.5)
        drawing.labels.append(_row_label(row.label, scale.start, y))
        drawing.lines.append(Line(scale(gap.low), y, scale(gap.high), y, colour, 3, 0.45))
        drawing.dots.append(Dot(scale(gap.value), y, 3.5, colour))
        drawing.labels.append(Label(scale.stop + 6, y, _signed(gap.value, form)))
    drawing.lines.append(Line(scale.start, bottom, scale.stop, bottom, RULE))
    for tick in scale.ticks(3):
        text = _percent(tick) if "%" in form else f"{tick:.3g}"
        text = text.replace("-", "−")
        drawing.labels.append(Label(scale(tick), bottom + 10, text, "middle", MUTED))
    return drawing


def _signed(value: float, form: str) -> str:
    return format(value, form).replace("-", "−")


def calibration(task: TaskFigures) -> Drawing:
    """Draw predicted probabilities against shares that were bought.

    Both axes are logarithmic where the shares span more than a factor of LOGARITHMIC_FROM.
    """
    bins = task.calibration
    shares = [each.predicted for each in bins] + [each.bought for each in bins]
    positive = [share for share in shares if share > 0]
    high = max(positive, default=1.0) * 1.25
    wide = bool(positive) and max(positive) > LOGARITHMIC_FROM * min(positive)
    low = min(positive) / 1.5 if wide else 0.0
    across = Scale(low, high, 0.17 * WIDTH, 0.97 * WIDTH, wide)
    up = Scale(low, high, 0.87 * SQUARE, 0.09 * SQUARE, wide)
    drawing = Drawing("Predicted probability against the share that was bought", SQUARE)
    _draw_axes(drawing, across, up)
    drawing.lines.append(Line(across.start, up.start, across.stop, up.stop, MUTED, dashed=True))
    most = max(each.candidates for each in bins)
    for each in bins:
        x, y = across(max(each.predicted, low)), up(max(each.bought, low))
        radius = 2 + 4 * math.sqrt(each.candidates / most)
        drawing.dots.append(Dot(x, y, radius, SERVED, hollow=not each.bought))
    return drawing


def _draw_axes(drawing: Drawing, across: Scale, up: Scale) -> None:
    for tick in across.ticks(5):
        x = across(tick)
        drawing.lines.append(Line(x, up.start, x, up.stop, RULE, 0.6))
        drawing.labels.append(Label(x, up.start + 12, _percent(tick), "middle", MUTED))
    for tick in up.ticks(5):
        y = up(tick)
        drawing.lines.append(Line(across.start, y, across.stop, y, RULE, 0.6))
        drawing.labels.append(Label(across.start - 6, y, _percent(tick), "end", MUTED))
    middle = (across.start + across.stop) / 2
    drawing.labels.append(Label(middle, up.start + 32, "predicted", "middle", MUTED))
    drawing.labels.append(Label(2, 8, "bought", "start", MUTED))


def bars(alt: str, rows: Sequence[Row], panels: Sequence[Panel]) -> Drawing:
    """Draw rows from top to bottom, panels from left to right."""
    drawing = Drawing(alt, ROW * (len(rows) + 1) + 2)
    left = _label_width([row.label for row in rows])
    one_is_served = [row.colour for row in rows].count(SERVED) == 1
    for number, row in enumerate(rows):
        bold = one_is_served and row.colour == SERVED
        drawing.labels.append(_row_label(row.label, left, ROW * (number + 1.5), bold=bold))
    width = (0.99 * WIDTH - left - GAP * (len(panels) - 1)) / len(panels)
    room = 1.45 if len(panels) > 1 else 1.2  # for the figure behind the longest bar
    for number, panel in enumerate(panels):
        start = left + number * (width + GAP)
        _draw_panel(drawing, panel, rows, start, start + width, room)
    return drawing


def _draw_panel(
    drawing: Drawing, panel: Panel, rows: Sequence[Row], start: float, stop: float, room: float
) -> None:
    means = panel.means
    measured = any(mean.low < mean.high for mean in means)
    longest = max((mean.high for mean in means if not math.isnan(mean.high)), default=0) or 1
    scale = Scale(0, longest * room, start, stop)
    drawing.labels.append(Label(start, ROW / 2, panel.title, colour=MUTED))
    drawing.lines.append(Line(start, ROW, start, ROW * (len(rows) + 1), RULE))
    for mean, row, y in zip(means, rows, count(1.5 * ROW, ROW), strict=False):
        if math.isnan(mean.value):
            continue
        opacity = 0.3 if measured else 1.0
        bar = Rectangle(start, y - BAR / 2, scale(mean.value) - start, BAR, row.colour, opacity)
        drawing.rectangles.append(bar)
        if measured:
            drawing.lines.append(Line(scale(mean.low), y, scale(mean.high), y, row.colour, 2))
            drawing.dots.append(Dot(scale(mean.value), y, 3, row.colour))
        drawing.labels.append(Label(scale(mean.high) + 6, y, format(mean.value, panel.form)))


def _row_label(label: str, right: float, y: float, *, bold: bool = False) -> Label:
    return Label(right - 6, y, _shortened(label), "end", bold=bold)


def _label_width(labels: Sequence[str]) -> float:
    return max(len(_shortened(label)) for label in labels) * LETTER + 8


def _shortened(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def _round_step(least: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is no smaller."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-9))
