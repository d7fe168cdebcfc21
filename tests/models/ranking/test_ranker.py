"""A score adds weighted features and what was learned; its largest part names the source."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data.ragged import RowGroups
from models.model import LearnedRanker
from models.ranking.features import BLENDED, FEATURES
from models.ranking.ranker import Ranker
from models.settings import BlendSettings, Weights
from models.slate import Source
from models.trees import Trees, TreeSplit

SETTINGS = BlendSettings(
    new=Weights(affinity=2, neighbours=1, basket=3, recent_sales=1, all_sales=-0.5),
    bought=Weights(constant=3, affinity=1, own_long=2),
)
BLEND = Ranker(SETTINGS, LearnedRanker.none())


# Which features speak for which source of a new product
SPEAKS_FOR = {
    "affinity": Source.FACTORS,
    "affinity_share": Source.FACTORS,
    "neighbours": Source.NEIGHBOURS,
    "neighbours_share": Source.NEIGHBOURS,
    "basket": Source.BOUGHT_TOGETHER,
    "together": Source.BOUGHT_TOGETHER,
    "category_share": Source.CATEGORY,
    "category_recent": Source.CATEGORY,
    "category_lines": Source.CATEGORY,
    "brand_share": Source.CATEGORY,
    "recent_sales": Source.POPULAR,
    "all_sales": Source.POPULAR,
    "category_sales": Source.POPULAR,
    "share_of_category": Source.POPULAR,
}


def stump(tree: int, feature: str, threshold: float) -> TreeSplit:
    """A tree of two leaves: for at most so much, and for more."""
    return TreeSplit(tree, FEATURES.index(feature), threshold, 0, 1)


# Customers buy from the aisles they know, and leave what is too dear or known to their neighbours
LESSON = LearnedRanker(
    slope=np.array([0.5, 2], np.float32),
    level=np.array([-4, -1], np.float32),
    trees=Trees.of(
        [
            stump(0, "category_share", 0.25),
            stump(1, "dearer", 1),
            stump(2, "neighbours_share", 0.5),
        ],
        [[-1, 4], [0.5, -8], [0, -16]],
    ),
)
LEARNED = Ranker(SETTINGS, LESSON)


def row(**values: float) -> np.ndarray:
    """A customer who has been here, unless `visits` is 0."""
    values = {"visits": 1.0, **values}
    return np.array([values.get(name, 0.0) for name in FEATURES], np.float32)


def score(ranker: Ranker, bought: bool, **values: float) -> float:
    return float(ranker.score(row(**values)[None], np.array([bought]))[0])


def source(ranker: Ranker, bought: bool = False, **values: float) -> Source:
    rows = row(**values)[None]
    (name,) = ranker.name_sources(rows, np.array([bought]), ranker.score(rows, np.array([bought])))
    return name


def test_new_products_and_those_bought_before_are_weighed_differently() -> None:
    assert score(BLEND, False, constant=1, affinity=4, own_long=0) == 8
    assert score(BLEND, True, constant=1, affinity=4, own_long=5) == 3 + 4 + 10


@pytest.mark.parametrize("ranker", [BLEND, LEARNED])
def test_any_row_blends_to_the_sum_over_the_names_of_its_features(ranker: Ranker) -> None:
    values = {name: float(index + 1) for index, name in enumerate(FEATURES)}
    rows = np.stack([row(**values)] * 2)
    expected = [
        sum(weight * values[name] for name, weight in asdict(weights).items())
        for weights in (SETTINGS.new, SETTINGS.bought)
    ]
    assert ranker.blend(rows, np.array([False, True])).tolist() == pytest.approx(expected)


def test_where_nothing_was_learned_the_blend_ranks_alone() -> None:
    rows, bought = (
        np.random.default_rng(0).random((9, len(FEATURES)), np.float32),
        np.arange(9) % 2 == 0,
    )
    assert BLEND.score(rows, bought).tolist() == BLEND.blend(rows, bought).tolist()


def test_what_was_learned_starts_from_the_blend_of_its_kind_and_adds_its_trees() -> None:
    dear_and_known = {"affinity": 1.0, "own_long": 3.0, "category_share": 0.5, "dearer": 2.0}
    assert score(LEARNED, False, **dear_and_known) == 0.5 * 2 - 4 + (4 - 8 + 0)
    assert score(LEARNED, True, **dear_and_known) == 2 * (1 + 6) - 1 + (4 - 8 + 0)
    assert score(LEARNED, False) == -4 + (-1 + 0.5 + 0)


def test_a_visitor_without_purchases_is_weighed_for_what_the_visit_has_seen() -> None:
    visit = BlendSettings(visit=Weights(neighbours=3, affinity=0.5))
    seen = {"neighbours": 1.0, "affinity": 2.0}
    assert score(Ranker(visit, LearnedRanker.none()), False, visits=0, **seen) == 3 + 1
    three = np.array([1, 1, 2], np.float32)
    weights = np.zeros((3, len(BLENDED)), np.float32)
    weights[2, BLENDED.index("neighbours")] = 7
    learned = Ranker(visit, LearnedRanker(three, three - 3, Trees.none(), weights=weights))
    assert score(learned, False, visits=0, **seen) == 2 * 7 - 1
    assert score(learned, False, **seen) == 0 - 2


def test_a_version_of_before_ranks_visits_by_the_line_of_new_products() -> None:
    assert score(LEARNED, False, visits=0) == -4 + (-1 + 0.5 + 0)


def test_scores_do_not_depend_on_the_rows_beside_them() -> None:
    rows = np.random.default_rng(0).normal(0, 2, (50, len(FEATURES))).astype(np.float32)
    bought = np.arange(50) % 3 == 0
    alone = [
        float(LEARNED.score(rows[index : index + 1], bought[index : index + 1])[0])
        for index in range(50)
    ]
    assert LEARNED.score(rows, bought).tolist() == pytest.approx(alone, rel=1e-6)


def test_the_trees_look_at_the_best_of_the_blend_and_what_they_do_not_look_at_stays_below() -> None:
    affinity = np.random.default_rng(3).random(20).astype(np.float32)
    rows = np.stack(
        [
            row(affinity=float(value), category_share=0.5 * (index % 2))
            for index, value in enumerate(affinity)
        ]
    )
    bought, alone = np.zeros(20, np.bool_), RowGroups.of([20])
    every, some = LEARNED.score(rows, bought), LEARNED.score_cascade(rows, bought, alone, 6)
    best = np.argsort(-affinity)[:6]
    rest = np.setdiff1d(np.arange(20), best)
    assert some[best].tolist() == every[best].tolist()
    assert (some[rest] <= some[best].min()).all()
    start = LEARNED.start(rows, bought)
    assert np.argsort(-some[rest]).tolist() == np.argsort(-start[rest]).tolist()
    for same in (
        LEARNED.score_cascade(rows, bought, alone, 20),
        LEARNED.score_cascade(rows, bought, alone, 99),
    ):
        assert same.tolist() == every.tolist()
    assert (
        BLEND.score_cascade(rows, bought, alone, 6).tolist() == BLEND.score(rows, bought).tolist()
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"affinity": 1, "neighbours": 1.5}, Source.FACTORS),
        ({"affinity": 1, "neighbours": 2.5}, Source.NEIGHBOURS),
        ({"affinity": 1, "neighbours": 2.5, "basket": 1}, Source.BOUGHT_TOGETHER),
        ({"affinity": 0.1, "recent_sales": 2, "all_sales": 1}, Source.POPULAR),
    ],
)
def test_the_source_is_the_one_without_which_the_score_would_fall_most(
    values: dict[str, float], expected: Source
) -> None:
    assert source(BLEND, **values) is expected


def test_what_was_learned_counts_for_the_source_that_it_was_learned_of() -> None:
    known_aisle = {"affinity": 1.0, "category_share": 0.5, "recent_sales": 1.0}
    assert source(BLEND, **known_aisle) is Source.FACTORS
    assert source(LEARNED, **known_aisle) is Source.CATEGORY


def test_what_was_learned_to_speak_against_a_product_is_not_what_put_it_there() -> None:
    neighbours = {"affinity": 1.0, "neighbours": 9.0, "neighbours_share": 1.0}
    assert source(BLEND, **neighbours) is Source.NEIGHBOURS
    assert source(LEARNED, **neighbours) is Source.FACTORS


def test_what_was_bought_before_is_there_because_it_was() -> None:
    for ranker in (BLEND, LEARNED):
        assert (
            source(ranker, True, affinity=9, category_share=0.5, own_long=0.1)
            is Source.OWN_PURCHASES
        )


def test_a_source_that_says_nothing_is_never_named_even_where_the_only_other_speaks_against() -> (
    None
):
    assert source(BLEND, recent_sales=1, all_sales=9) is Source.POPULAR
    assert source(LEARNED, neighbours_share=0.8) is Source.NEIGHBOURS


ROWS = st.lists(
    st.fixed_dictionaries(
        {name: st.sampled_from([0.0, 0.0, 0.3, 0.6, 2.0]) for name in SPEAKS_FOR}
    ).filter(lambda values: any(values.values())),
    min_size=1,
    max_size=6,
)


@given(ROWS, st.integers(0, 63), st.sampled_from([BLEND, LEARNED]))
def test_every_source_is_told_as_if_each_had_been_silenced_by_hand(
    values: list[dict[str, float]], kinds: int, ranker: Ranker
) -> None:
    rows = np.stack([row(**row_values) for row_values in values])
    bought = np.array([bool(kinds >> index & 1) for index in range(len(rows))])
    names = ranker.name_sources(rows, bought, ranker.score(rows, bought))
    for row_values, was_bought, named in zip(values, bought.tolist(), names, strict=True):
        if was_bought:
            assert named is Source.OWN_PURCHASES
            continue
        scores = {}
        for source in ranker.speaking:
            spoken = [name for name in row_values if SPEAKS_FOR[name] == source]
            if any(row_values[name] for name in spoken):
                silenced = row_values | dict.fromkeys(spoken, 0)
                scores[source] = score(ranker, False, **silenced)
        assert scores[named] == pytest.approx(min(scores.values()), abs=1e-5)


def test_nothing_to_rank_has_no_source() -> None:
    nothing = np.zeros((0, len(FEATURES)), np.float32)
    assert LEARNED.name_sources(nothing, np.zeros(0, np.bool_), np.zeros(0, np.float32)) == []


def test_every_part_of_a_new_products_score_has_a_source() -> None:
    weighed = {name for name, weight in asdict(BlendSettings().new).items() if weight}
    assert weighed <= {*SPEAKS_FOR}
    assert {*SPEAKS_FOR} <= {*FEATURES}
    spoken = {
        FEATURES[column]: BLEND.speaking[source]
        for source, column in np.argwhere(BLEND.speaks).tolist()
    }
    assert spoken == SPEAKS_FOR


def test_the_blend_knows_the_weight_of_every_feature_it_reads() -> None:
    assert tuple(asdict(Weights())) == BLENDED


def test_what_was_bought_before_has_trees_of_its_own_where_they_were_learned() -> None:
    usual = Trees.of([stump(0, "days_since", 7)], [[0, 2]])
    lesson = replace(LESSON, repeat_trees=usual)
    apart = Ranker(SETTINGS, lesson)
    for bought, days, added in ((True, 3.0, 0), (True, 9.0, 2)):
        start = float(apart.start(row(days_since=days)[None], np.array([bought]))[0])
        assert score(apart, bought, days_since=days) == pytest.approx(start + added)
    for values in ({"category_share": 0.5}, {"dearer": 2.0, "days_since": 9.0}):
        assert score(apart, False, **values) == score(LEARNED, False, **values)
    rows = np.stack([row(days_since=9), row(days_since=9, dearer=2), row(days_since=3)])
    bought = np.array([True, False, True])
    together = apart.score(rows, bought).tolist()
    assert together == [float(apart.score(rows[[index]], bought[[index]])[0]) for index in range(3)]


def test_trees_of_repeats_that_ask_for_an_unknown_feature_are_refused() -> None:
    unknown = Trees.of([TreeSplit(0, len(FEATURES), 1.0, 0, 1)], [[0, 1]])
    with pytest.raises(ValueError, match="learned from column"):
        Ranker(SETTINGS, replace(LESSON, repeat_trees=unknown))


def test_products_that_hardly_anyone_is_shown_rank_higher_where_they_are_new() -> None:
    reach = np.array([0, 0.5], np.float32)
    ranker = Ranker(SETTINGS, replace(LESSON, reach=reach))
    rows = np.stack([row(), row(), row(), row(visits=0)])
    items, bought = np.array([0, 1, 1, 1]), np.array([False, False, True, False])
    assert ranker.discount(items, rows, bought).tolist() == [0, -0.5, 0, 0]
    assert ranker.discovers
    assert not LEARNED.discovers
