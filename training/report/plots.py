"""Plots of a report as SVG to stand inside its page: texts stay texts, colours are the page's own variables."""

from __future__ import annotations

import io
import logging
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final, Literal

from training.evaluation.metrics import Mean
from training.evaluation.results import CandidateFigures, Group, Role
from training.report.data import BundleMethod, ComparisonRow, Importance, Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH: Final = (
    400.0  # units of the drawing, a pixel each where the page is about as wide as a telephone
)
ROW: Final = 23.0
FONT: Final = 12.0
LETTER: Final = 0.55 * FONT  # mean width; the page's font is not known here
LONGEST_LABEL: Final = 30  # letters
TOP_FEATURES: Final = 20

# Colours no plot would use, each standing for a variable of report.css.
INK, MUTED, RULE, SERVED, BASELINE, OTHER, REFUSED = (f"#fe00{code:02x}" for code in range(1, 8))
VARIABLES: Final = {
    INK: "ink",
    MUTED: "muted",
    RULE: "rule",
    SERVED: "served",
    BASELINE: "baseline",
    OTHER: "other",
    REFUSED: "refused",
}
COLOURS: Final = {Role.SERVED: SERVED, Role.BASELINE: BASELINE, Role.OTHER: OTHER}
STYLE: Final = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": FONT,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": RULE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": INK,
}
REWRITES: Final = (
    (r"\A.*?(?=<svg)", ""),  # what makes a file of it
    (r"<defs>\s*<style.*?</style>\s*</defs>", ""),  # would hold for the whole page
    (r' xmlns(:\w+)?="[^"]*"', ""),
    (r"xlink:href", "href"),
    (r"font-family: [^;]*; ", ""),
    (r' transform="rotate\(-0 [^"]*"', ""),
    (r"\s*\n\s*", " "),
)


@dataclass(frozen=True)
class Panel:
    """One column of bars: a value a row, with its interval where there is one."""

    title: str
    values: Sequence[float | Mean]
    form: str = ".3f"


def ladder(task: Task, k: int) -> str:
    methods = task.best_first
    rows = [(method.name, COLOURS[method.role]) for method in methods]
    recall = Panel(f"Recall@{k}", [method.recall for method in methods])
    ndcg = Panel(f"NDCG@{k}", [method.ndcg for method in methods])
    alt = f"Recall and NDCG of {len(methods)} methods, the best first: {methods[0].name}"
    return _bars(f"ladder-{task.name}", alt, rows, [recall, ndcg])


def groups(task: Task, of: str, groups: Sequence[Group], k: int) -> str:
    rows = [(f"{group.name} (n = {group.customers:,})", SERVED) for group in groups]
    panel = Panel(f"Recall@{k}", [group.recall for group in groups])
    return _bars(
        f"{of}-{task.name}", f"Recall of {len(groups)} groups of customers by {of}", rows, [panel]
    )


def sources(task: Task, candidates: CandidateFigures) -> str:
    rows = [("all together", SERVED), *((source.name, OTHER) for source in candidates.sources)]
    found = Panel(
        "found", [candidates.recall, *(source.recall for source in candidates.sources)], ".1%"
    )
    unique = Panel(
        "found by no other", [math.nan, *(source.unique for source in candidates.sources)], ".1%"
    )
    alt = f"Share of later purchases that each of {len(candidates.sources)} sources proposes"
    return _bars(f"sources-{task.name}", alt, rows, [found, unique])


def importance(features: Sequence[Importance]) -> str:
    top, rest = features[:TOP_FEATURES], features[TOP_FEATURES:]
    rows = [(feature.feature, SERVED) for feature in top]
    gains: list[float | Mean] = [feature.gain for feature in top]
    if rest:
        rows.append((f"{len(rest)} others", OTHER))
        gains.append(math.fsum(feature.gain for feature in rest))
    alt = f"Share of the ranker's gain by feature, most first: {features[0].feature}"
    return _bars("importance", alt, rows, [Panel("share of gain", gains, ".1%")])


def bundles(methods: Sequence[BundleMethod]) -> str:
    rows = [(method.name, COLOURS[method.role]) for method in methods]
    panels = [
        Panel("given the basket", [method.basket for method in methods]),
        Panel("given one product", [method.one_product for method in methods]),
    ]
    return _bars("bundles", f"Hit rates of {len(methods)} ways to complete an order", rows, panels)


def differences(name: str, comparisons: Sequence[ComparisonRow]) -> str:
    """Where each interval lies: left of 0 the version is worse than its rival."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        _labels(axes, [comparison.against for comparison in comparisons])
        axes.axvline(0, color=MUTED, linewidth=1)
        for row, comparison in enumerate(comparisons):
            gap, colour = comparison.difference, SERVED if comparison.passed else REFUSED
            axes.hlines(row, gap.low, gap.high, colors=colour, linewidth=3, alpha=0.45)
            axes.plot(gap.value, row, "o", color=colour, markersize=7)
            axes.text(
                1.02,
                row,
                f"{gap.value:+.3f}".replace("-", "−"),
                va="center",
                transform=axes.get_yaxis_transform(),
            )
        axes.locator_params(axis="x", nbins=3)
        axes.spines["left"].set_visible(False)
        _place(
            figure,
            [comparison.against for comparison in comparisons],
            top=6,
            bottom=ROW,
            right=0.87,
        )

    alt = f"Differences to {len(comparisons)} rivals with their intervals; right of 0 is better"
    return _svg(f"gate-{name}", alt, ROW * (len(comparisons) + 1) + 6, draw)


def calibration(task: Task) -> str:
    """Both axes logarithmic where the predictions span more than a factor of 30."""
    bins = task.calibration
    positive = [share for each in bins for share in (each.predicted, each.bought) if share > 0]
    high = max(positive, default=1.0) * 1.25
    wide = bool(positive) and max(positive) > 30 * min(positive)
    low = min(positive) / 1.5 if wide else 0.0
    most = max(each.candidates for each in bins)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        if wide:
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.minorticks_off()
        axes.plot([low, high], [low, high], color=MUTED, linewidth=1, linestyle="--")
        for each in bins:
            x, y = max(each.predicted, low), max(each.bought, low)
            size = 4 + 8 * math.sqrt(each.candidates / most)
            filled: Literal["full", "none"] = "full" if each.bought else "none"
            axes.plot(
                x, y, "o", color=SERVED, markersize=size, fillstyle=filled, alpha=0.8, clip_on=False
            )
        axes.set(xlim=(low, high), ylim=(low, high), xlabel="predicted", ylabel="bought")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda share, _: f"{100 * share:.3g}%")
        axes.tick_params(axis="y", labelcolor=MUTED)
        axes.grid(color=RULE, linewidth=0.6)
        figure.subplots_adjust(left=0.17, right=0.97, top=0.97, bottom=0.15)

    return _svg(
        f"calibration-{task.name}",
        "Predicted probability against the share that was bought",
        300,
        draw,
    )


def _bars(name: str, alt: str, rows: Sequence[tuple[str, str]], panels: Sequence[Panel]) -> str:
    """Rows of (label, colour) from top to bottom, panels from left to right."""
    labels = [label for label, _ in rows]
    colours = [colour for _, colour in rows]

    def draw(figure: Figure) -> None:
        for axes, panel in zip(
            figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels, strict=True
        ):
            means = [
                value if isinstance(value, Mean) else Mean(value, value, value)
                for value in panel.values
            ]
            measured = any(mean.low < mean.high for mean in means)
            widths = [mean.value for mean in means]
            axes.barh(
                range(len(rows)), widths, color=colours, height=0.62, alpha=0.3 if measured else 1
            )
            longest = (
                max((mean.high for mean in means if not math.isnan(mean.high)), default=0) or 1
            )
            for row, (mean, colour) in enumerate(zip(means, colours, strict=True)):
                if math.isnan(mean.value):
                    continue
                if measured:
                    axes.hlines(row, mean.low, mean.high, colors=colour, linewidth=2)
                    axes.plot(mean.value, row, "o", color=colour, markersize=6)
                axes.text(
                    mean.high + 0.04 * longest,
                    row,
                    format(mean.value, panel.form),
                    va="center",
                    fontsize=11,
                )
            axes.set_xlim(0, longest * (1.45 if len(panels) > 1 else 1.2))
            axes.set_title(panel.title, loc="left", fontsize=FONT, color=MUTED)
            axes.xaxis.set_visible(False)
            axes.spines["bottom"].set_visible(False)
            _labels(axes, labels)
        for label, colour in zip(figure.axes[0].get_yticklabels(), colours, strict=True):
            label.set_fontweight(
                "bold" if colour == SERVED and colours.count(SERVED) == 1 else "normal"
            )
        _place(figure, labels, top=ROW, bottom=2)

    return _svg(name, alt, ROW * (len(rows) + 1) + 2, draw)


def _labels(axes: Axes, labels: Sequence[str]) -> None:
    """The first row on top."""
    axes.set_yticks(range(len(labels)), [_short(label) for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"


def _place(
    figure: Figure, labels: Sequence[str], top: float, bottom: float, right: float = 0.99
) -> None:
    height = figure.get_figheight() * 72
    left = (max(len(_short(label)) for label in labels) * LETTER + 8) / WIDTH
    figure.subplots_adjust(
        left=left, right=right, top=1 - top / height, bottom=bottom / height, wspace=0.08
    )


def _svg(name: str, alt: str, height: float, draw: Callable[[Figure], None]) -> str:
    """Equal arguments, equal text; no id that a plot of another name has. A name is letters and hyphens."""
    # Whoever imports matplotlib has it look for fonts and write a folder of its own, and complain where it may not.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib.style
    from matplotlib.figure import Figure

    page = io.StringIO()
    with matplotlib.style.context(["default", {**STYLE, "svg.hashsalt": name}]):
        figure = Figure(figsize=(WIDTH / 72, height / 72))
        draw(figure)
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(page, format="svg", transparent=True, metadata=nothing)
    svg = page.getvalue()
    for pattern, replacement in REWRITES:
        svg = re.sub(pattern, replacement, svg, flags=re.DOTALL)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable})")
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    return re.sub(
        r'width="\S+" height="\S+"', f'role="img" aria-label="{escape(alt)}"', svg, count=1
    )
