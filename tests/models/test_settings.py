"""A model runs with the settings that its manifest recorded."""

import dataclasses
import json
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from models.data.events import KINDS
from models.data.history import weigh_kinds
from models.errors import ArtifactError
from models.ranking.features import BLENDED
from models.settings import (
    BlendSettings,
    DiversitySettings,
    FactorSettings,
    HistorySettings,
    KindWeights,
    ModelSettings,
    PlacementSettings,
    RankerSettings,
    TreeSettings,
    Weights,
    read_settings,
)

ARTIFACT = Path("registry/versions/v1")


def test_settings_survive_the_manifest() -> None:
    settings = ModelSettings(
        seed=3,
        factors=FactorSettings(factors=64),
        history=HistorySettings(kind_weights=KindWeights(view=0.1, wishlist=0.5)),
        blend=BlendSettings(new=Weights(affinity=2.5)),
        ranker=RankerSettings(objective="revenue", lags_days=(0, 3), trees=TreeSettings(leaves=7)),
        diversity=DiversitySettings(
            brand=5,
            placements=(PlacementSettings("home", category=3), PlacementSettings("email", 2, 4)),
        ),
    )
    kept = read_settings(json.loads(json.dumps(asdict(settings))), ARTIFACT)
    assert kept == settings
    assert hash(kept) == hash(settings)  # tuples all the way down
    assert read_settings({}, ARTIFACT) == ModelSettings()


@pytest.mark.parametrize(
    "config",
    [
        {"colour": "blue"},
        {"factors": {"colour": "blue"}},
        {"factors": {1: 2}},
        {"factors": 128},
        {"seed": [1, 2]},
        {"diversity": {"placements": ["home"]}},
        {"diversity": {"placements": [{"name": "home", "colour": 2}]}},
        {"diversity": {"placements": [{"category": 2}]}},
    ],
)
def test_a_setting_of_another_version_is_refused_with_the_artifact_and_its_name(
    config: dict[str, object],
) -> None:
    with pytest.raises(
        ArtifactError, match=r"registry/versions/v1: has settings that this version does not know"
    ):
        read_settings(config, ARTIFACT)


def test_every_feature_of_the_blend_has_its_weight_in_the_same_place() -> None:
    assert tuple(field.name for field in fields(Weights)) == BLENDED


def test_every_weight_is_that_of_a_kind_of_event() -> None:
    weights = KindWeights(1.0, 0.1, 0.3, 0.4, 0.05, 0.6)
    of_kind = dict(zip(KINDS, weigh_kinds(weights).tolist(), strict=True))
    assert of_kind == pytest.approx(
        {
            "purchase": 1.0,
            "return": 1.0,
            "view": 0.1,
            "cart": 0.3,
            "wishlist": 0.4,
            "remove_from_cart": 0.3,
            "dismiss": 0.0,
            "exposure": 0.0,
            "click": 0.05,
            "rating": 0.6,
        }
    )
    assert {field.name for field in fields(KindWeights)} <= {*KINDS}


def test_the_weights_of_an_older_version_are_those_that_it_was_trained_with() -> None:
    recorded = [1.0, 1.0, 0.1, 0.3, 0.4, 0.3, 0.0, 0.0, 0.05, 0.6]
    settings = read_settings({"history": {"kind_weights": recorded}}, ARTIFACT)
    assert settings.history.kind_weights == KindWeights(1.0, 0.1, 0.3, 0.4, 0.05, 0.6)
    recorded[1] = 0.5  # a return takes away half of what was bought
    with pytest.raises(ArtifactError, match="kind_weights of returns"):
        read_settings({"history": {"kind_weights": recorded}}, ARTIFACT)


def test_a_placement_has_limits_of_its_own_and_every_other_those_of_the_shop() -> None:
    diversity = DiversitySettings(
        category=6, brand=7, placements=(PlacementSettings("home", category=2),)
    )
    assert (diversity.at("home").category, diversity.at("home").brand) == (2, 7)
    assert diversity.at("email") == diversity.at(None) == diversity


def test_settings_cannot_be_changed_while_a_model_serves() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ModelSettings().seed = 1  # type: ignore[misc]
