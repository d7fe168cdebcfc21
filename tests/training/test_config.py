"""Settings of a TOML file, and the messages about wrong ones."""

from dataclasses import replace
from pathlib import Path

import pytest

from models.settings import BlendSettings, FactorSettings, ModelSettings, Weights
from tests.support.limits import limits_of
from training.config import Config, check_settings, read_config
from training.errors import InputError


def read(folder: Path, text: str, *columns: str) -> Config:
    path = folder / "shop.toml"
    path.write_text(text, "utf-8")
    return read_config(path, columns)


def test_without_a_file_everything_is_at_its_default() -> None:
    assert read_config(None) == Config()
    assert Config().model == ModelSettings()


def test_no_limit_of_a_setting_changes_unnoticed() -> None:
    assert set(limits_of(Config.model_json_schema())) == {
        "columns minLength 1",
        "columns maxItems 5",
        "k minimum 1",
        "k maximum 100",
        "keep minimum 1",
        "largest_order minimum 3",  # to hide one product and name two
        "max_age_days minimum 1",
        "max_customers minimum 1",
        "max_orders minimum 1",
        "memory_limit pattern ^[0-9]+ ?[KMGT]i?B$",
        "processes minimum 1",
        "seed minimum 0",
        "test_days minimum 1",
        "test_days maximum 365",
    }


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        "[model.factors]\nfactors = 32\n[model.blend.new]\naffinity = -0.5\n[evaluation]\nk = 5\n",
    )
    assert config.model.factors == replace(FactorSettings(), factors=32)
    assert config.model.blend.new == replace(BlendSettings().new, affinity=-0.5)
    assert config.model.history == ModelSettings().history
    assert config.evaluation.k == 5


def test_columns_of_the_command_line_come_before_those_of_the_file(tmp_path: Path) -> None:
    text = '[columns]\ncustomer_id = "household"\nproduct_id = "sku"\n'
    config = read(tmp_path, text, "customer_id=person", "timestamp=sold at=noon")
    assert config.columns == {
        "customer_id": "person",
        "product_id": "sku",
        "timestamp": "sold at=noon",
    }


@pytest.mark.parametrize("text", ["customer_id", "=household", "customer_id="])
def test_a_mapping_with_one_side_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match=f"--column {text}: expected OURS=THEIRS, for example"):
        read_config(None, [text])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("proceses = 2", "proceses: there is no such setting"),
        ("[modell]\nseed = 1", "modell: there is no such setting"),
        ("[model.factors]\nfactor = 8", "model.factors.factor: there is no such setting"),
        (
            "[model.blend.new]\naffinitty = 1.0",
            "model.blend.new.affinitty: there is no such setting",
        ),
        ('[training]\nunasked = "ask"', "training.unasked: Input should be 'allow' or 'refuse'"),
        ("[evaluation]\ntest_day = 7", "evaluation.test_day: there is no such setting"),
        (
            '[model.factors]\nfactors = "many"',
            "model.factors.factors: Input should be a valid integer",
        ),
        ("[model]\nfactors = 8", "model.factors: is a table of names: [model.factors]"),
        (
            "[model.history]\nkind_weights = [1, 1, 0.1, 1, 1, 1, 0, 0, 1, 1]",
            "model.history.kind_weights: is a table of names: [model.history.kind_weights]",
        ),
        (
            "[model.history.kind_weights]\nveiw = 0.1",
            "model.history.kind_weights.veiw: there is no such setting",
        ),
        (
            '[model.ranker]\nobjective = "clicks"',
            "model.ranker.objective: Input should be 'purchases', 'revenue' or 'margin'",
        ),
        (
            "[model.ranker]\nlags_days = [0.5]",
            "model.ranker.lags_days.0: Input should be a valid integer",
        ),
        (
            "[[model.diversity.placements]]\nbrand = 3",
            "model.diversity.placements.0.name: Field required",
        ),
        ("[model.ranker.trees]\ndepth = 6", "model.ranker.trees.depth: there is no such setting"),
        (
            "[evaluation]\ntest_days = 0",
            "evaluation.test_days: Input should be greater than or equal to 1",
        ),
        ("processes = 0", "processes: Input should be greater than or equal to 1"),
        ('memory_limit = "much"', "memory_limit: String should match pattern"),
    ],
)
def test_a_setting_that_is_not_understood_is_named_however_deep_it_stands(
    tmp_path: Path, text: str, sentence: str
) -> None:
    with pytest.raises(InputError) as refused:
        read(tmp_path, text)
    assert f"shop.toml: {sentence}" in str(refused.value)


@pytest.mark.parametrize(
    ("section", "setting", "rule"),
    [
        ("model.factors", "factors = 0", "factors.factors = 0: must be above 0"),
        ("model.factors", "iterations = -1", "factors.iterations = -1: must be above 0"),
        ("model.factors", "regularization = nan", "factors.regularization = nan: must be finite"),
        (
            "model.history",
            "short_half_life_days = 0",
            "history.short_half_life_days = 0.0: must be above 0",
        ),
        ("model.popular", "window_days = -7", "popular.window_days = -7: must be above 0"),
        ("model.repeats", "rate_prior = 0.0", "repeats.rate_prior = 0.0: must be above 0"),
        ("model.blend.new", "basket = inf", "blend.new.basket = inf: must be finite"),
        ("model.scales", "affinity = 0.0", "scales.affinity = 0.0: must be above 0"),
        ("model.candidates", "new = -1", "candidates.new = -1: must be at least 0"),
        (
            "model.history.kind_weights",
            "view = -1",
            "history.kind_weights.view = -1.0: must be at least 0",
        ),
        ("model.ranker", "customers = 0", "ranker.customers = 0: must be above 0"),
        ("model.ranker", "windows = -1", "ranker.windows = -1: must be at least 0"),
        ("model.ranker", "horizon_days = 0", "ranker.horizon_days = 0: must be at least 1"),
        ("model.ranker", "lags_days = [0, -7]", "ranker.lags_days.1 = -7: must be at least 0"),
        (
            "model.ranker",
            "new_share = 0.0",
            "ranker.new_share = 0.0: must be above 0 and at most 1",
        ),
        (
            "model.ranker",
            "bought_share = 1.1",
            "ranker.bought_share = 1.1: must be above 0 and at most 1",
        ),
        ("model.ranker.trees", "trees = 0", "ranker.trees.trees = 0: must be above 0"),
        ("model.ranker.trees", "patience = 0", "ranker.trees.patience = 0: must be above 0"),
        ("model.ranker.trees", "leaves = 65", "ranker.trees.leaves = 65: must be from 2 to 64"),
        ("model.ranker.trees", "leaves = 1", "ranker.trees.leaves = 1: must be from 2 to 64"),
        (
            "model.ranker.trees",
            "learning_rate = 0",
            "ranker.trees.learning_rate = 0.0: must be above 0",
        ),
        (
            "model.ranker.trees",
            "feature_share = 2",
            "ranker.trees.feature_share = 2.0: must be above 0 and at most 1",
        ),
        ("model.ranker.trees", "row_share = nan", "ranker.trees.row_share = nan: must be finite"),
        ("model.ranker.trees", "max_bins = 1", "ranker.trees.max_bins = 1: must be at least 2"),
        ("model.arrivals", "share = 1.5", "arrivals.share = 1.5: must be from 0 to 1"),
        ("model.diversity", "brand = 0", "diversity.brand = 0: must be above 0"),
        (
            "[model.diversity.placements]",
            'name = "email"\ncategory = 0',
            "diversity.placements.0.category = 0: must be above 0",
        ),
        ("model", "seed = 4294967296", "seed = 4294967296: must be from 0 to 4294967295"),
        ("model", "seed = -1", "seed = -1: must be from 0 to 4294967295"),
    ],
)
def test_a_number_that_means_nothing_is_refused_before_the_work(
    tmp_path: Path, section: str, setting: str, rule: str
) -> None:
    with pytest.raises(InputError) as refused:
        read(tmp_path, f"[{section}]\n{setting}\n")
    assert str(refused.value).endswith(f"shop.toml: model: {rule}")


def test_a_half_of_the_blend_may_be_turned_off() -> None:
    off = replace(ModelSettings(), blend=replace(ModelSettings().blend, new=Weights()))
    assert check_settings(off) == off


def test_every_default_makes_sense() -> None:
    assert check_settings(ModelSettings()) == ModelSettings()


def test_a_ranker_may_be_left_out_and_may_learn_from_all_rows_at_once(tmp_path: Path) -> None:
    text = "[model.ranker]\nwindows = 0\nnew_share = 1\nbought_share = 1.0\nlags_days = [3]\n"
    ranker = read(tmp_path, text).model.ranker
    assert (ranker.windows, ranker.new_share, ranker.bought_share, ranker.lags_days) == (
        0,
        1,
        1,
        (3,),
    )


def test_a_ranker_without_a_lag_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"model: ranker\.lags_days is empty: a ranker learns from at least one lag",
    ):
        read(tmp_path, "[model.ranker]\nlags_days = []\n")


def test_a_placement_has_limits_of_its_own(tmp_path: Path) -> None:
    text = (
        "[model.diversity]\ncategory = 5\n"
        '[[model.diversity.placements]]\nname = "email"\ncategory = 2\n'
    )
    diversity = read(
        tmp_path, text + '[[model.diversity.placements]]\nname = "home"\nbrand = 3\n'
    ).model.diversity
    assert [diversity.at(placement).category for placement in (None, "email", "home")] == [5, 2, 5]
    assert diversity.at("home").brand == 3


def test_what_is_wanted_may_be_revenue(tmp_path: Path) -> None:
    assert (
        read(tmp_path, '[model.ranker]\nobjective = "revenue"\n').model.ranker.objective
        == "revenue"
    )


def test_several_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"shop\.toml: a: there is no such setting; b: there is no such setting"
    ):
        read(tmp_path, "a = 1\nb = 2\n")


@pytest.mark.parametrize("text", ["model = [", "seed 3"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"shop\.toml: not TOML"):
        read(tmp_path, text)


def test_a_file_that_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"binary\.toml: not TOML"):
        read_config(tmp_path / "binary.toml")
    with pytest.raises(InputError, match=r"nowhere\.toml: No such file or directory"):
        read_config(tmp_path / "nowhere.toml")
