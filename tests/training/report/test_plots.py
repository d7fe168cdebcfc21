"""Plots as they stand in the page: readable as text, in the page's colours, the same every time."""

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from training.evaluation.gate import GateComparison
from training.evaluation.metrics import Mean
from training.evaluation.results import Bin, CandidateFigures, CustomerGroup, Role, SourceHits
from training.report import plots
from training.report.data import (
    BundleMethodFigures,
    Importance,
    MethodRow,
    TaskFigures,
)
from training.report.render import template_environment

GOOD, BAD = Mean(0.4, 0.38, 0.42), Mean(0.1, 0.09, 0.11)
TASK = TaskFigures(
    name="all",
    customers=2,
    methods=(
        MethodRow("popularity", Role.BASELINE, BAD, BAD, 0.5),
        MethodRow("ranker", Role.SERVED, GOOD, GOOD, 3.0),
    ),
    coverage=0.5,
    novelty=8.0,
    filled=0.0,
    calibration=(Bin(0.001, 0.002, 5000), Bin(0.1, 0.09, 800), Bin(0.6, 0.5, 20)),
)
FOUND = CandidateFigures(
    (SourceHits("factors", 100, 0.5, 0.125), SourceHits("new", 5, 0.0, 0.0)), 103, 0.75
)
LOST = GateComparison("all", "popularity", Mean(-0.02, -0.03, -0.01))
WON = GateComparison("all", "own purchases", Mean(0.02, 0.01, 0.03))

DRAWN = {
    "ladder": lambda: plots.ladder(TASK, 10),
    "groups": lambda: plots.groups("history", [CustomerGroup("1 to 4 lines", 1234, GOOD)], 10),
    "sources": lambda: plots.sources(FOUND),
    "importance": lambda: plots.importance(
        [Importance(f"f{number}", 1 / 32) for number in range(32)]
    ),
    "bundles": lambda: plots.bundles(
        [BundleMethodFigures("lift", Role.SERVED, 0.2, 0.1, 0.2, 0.1)]
    ),
    "calibration": lambda: plots.calibration(TASK),
    "differences": lambda: plots.differences([LOST, WON]),
}


def svg(drawing: plots.Drawing) -> str:
    """The chart as it stands in the page."""
    return str(template_environment().get_template("drawing.html.j2").module.draw(drawing)).strip()


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    return {name: svg(draw()) for name, draw in DRAWN.items()}


def texts(page: str) -> list[str]:
    return [
        text
        for element in ElementTree.fromstring(page).iter("text")
        if (text := (element.text or "").strip())
    ]


def test_equal_figures_are_equal_plots(drawn: dict[str, str]) -> None:
    assert {name: svg(draw()) for name, draw in DRAWN.items()} == drawn


def test_every_colour_is_one_of_the_page(drawn: dict[str, str]) -> None:
    style = (Path(plots.__file__).parent / "templates/report.css").read_text()
    for page in drawn.values():
        assert re.findall(r"#[0-9a-f]{6}\b", page) == []
        for variable in re.findall(r"var\((--\w+)\)", page):
            # once by day, once by night
            assert len(re.findall(rf"{variable}: #", style)) == 2


def test_a_plot_brings_neither_a_prolog_nor_a_style_for_the_page(drawn: dict[str, str]) -> None:
    for page in drawn.values():
        assert page.startswith('<svg role="img" aria-label=')
        assert "<style" not in page
        assert "font-family" not in page
        assert "http" not in page
        assert not re.search(r"\bid=", page)


def test_methods_stand_best_first_with_their_figures(drawn: dict[str, str]) -> None:
    told = texts(drawn["ladder"])
    assert told.index("ranker") < told.index("popularity")
    assert {"Recall@10", "NDCG@10", "0.400", "0.100"} <= set(told)


def test_what_is_served_is_in_bold(drawn: dict[str, str]) -> None:
    bold = [
        element.text
        for element in ElementTree.fromstring(drawn["ladder"]).iter("text")
        if element.get("font-weight") == "700"
    ]
    assert bold == ["ranker"]


def test_a_bar_is_as_long_as_its_figure() -> None:
    whole, half, nothing = (bar.width for bar in plots.sources(FOUND).rectangles[:3])
    assert half / whole == pytest.approx(0.5 / 0.75)
    assert nothing == 0


def test_groups_say_how_many_customers_they_are(drawn: dict[str, str]) -> None:
    assert "1 to 4 lines (n = 1,234)" in texts(drawn["groups"])


def test_features_beyond_the_first_twenty_are_summed(drawn: dict[str, str]) -> None:
    told = texts(drawn["importance"])
    assert "f19" in told
    assert "f20" not in told
    assert told[told.index("12 others")] == "12 others"
    assert "37.5%" in told


def test_probabilities_far_apart_stand_on_logarithmic_axes(drawn: dict[str, str]) -> None:
    assert {"0.1%", "1%", "10%"} <= set(texts(drawn["calibration"]))
    close = replace(TASK, calibration=(Bin(0.2, 0.2, 9), Bin(0.4, 0.5, 4), Bin(0.6, 0.0, 1)))
    marks = [
        float(text[:-1]) for text in texts(svg(plots.calibration(close))) if text.endswith("%")
    ]
    steps = [round(later - earlier, 6) for earlier, later in pairwise(marks[: len(marks) // 2])]
    assert len(set(steps)) == 1


def test_the_largest_dot_stands_for_the_most_candidates() -> None:
    radii = [dot.radius for dot in plots.calibration(TASK).dots]
    assert radii == sorted(radii, reverse=True)  # as many candidates as TASK has in each
    assert max(radii) == 6


def test_a_score_that_never_came_true_is_a_hollow_dot() -> None:
    never = replace(TASK, calibration=(*TASK.calibration, Bin(0.0005, 0.0, 100)))
    assert [dot.hollow for dot in plots.calibration(never).dots] == [False, False, False, True]
    assert svg(plots.calibration(never)).count("fill: none") == 1
    nothing = replace(TASK, calibration=(Bin(0.0, 0.0, 100),))
    assert "predicted" in texts(svg(plots.calibration(nothing)))


@pytest.mark.parametrize("lost", [LOST, WON])
def test_every_interval_and_zero_stand_within_the_plot(lost: GateComparison) -> None:
    low, high = lost.difference.low, lost.difference.high
    far = replace(lost, difference=replace(lost.difference, low=2 * low, high=2 * high))
    for line in plots.differences([lost, far]).lines:
        assert 0 < line.x1 <= line.x2 < plots.WIDTH


def test_a_lost_comparison_has_the_colour_of_a_refusal(drawn: dict[str, str]) -> None:
    assert "var(--refused)" in drawn["differences"]
    assert "var(--refused)" not in svg(plots.differences([WON]))
    assert {"−0.020", "+0.020"} <= set(texts(drawn["differences"]))


def test_a_label_is_text_even_where_it_looks_like_markup_or_mathematics() -> None:
    named = replace(TASK, methods=(MethodRow("<b>$x^2$ & 'y'", Role.SERVED, GOOD, GOOD, 1.0),))
    page = svg(plots.ladder(named, 10))
    assert "<b>$x^2$ & 'y'" in texts(page)
    assert "<b>" not in page


def test_a_label_too_long_for_the_plot_ends_in_dots() -> None:
    long = Importance("days since the last purchase of the same brand", 1.0)
    assert "days since the last purchase …" in texts(svg(plots.importance([long])))


def test_a_method_that_finds_nothing_is_drawn_too() -> None:
    nothing = Mean(0.0, 0.0, 0.0)
    empty = replace(TASK, methods=(MethodRow("ranker", Role.SERVED, nothing, nothing, 0.0),))
    assert "0.000" in texts(svg(plots.ladder(empty, 10)))


def test_bars_are_pale_behind_intervals_alone() -> None:
    exact = replace(GOOD, low=GOOD.value, high=GOOD.value)
    drawings = [
        plots.groups("history", [CustomerGroup("1 to 4 lines", 9, mean)], 10)
        for mean in (GOOD, exact)
    ]
    assert [drawing.rectangles[0].opacity for drawing in drawings] == [0.3, 1.0]
