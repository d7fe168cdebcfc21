"""What a customer says keeps out what it names, and never lets in what nobody knows."""

import pytest

from models.data.catalogue import Catalogue
from models.data.product_columns import fold_value
from models.rules.eligibility import ExclusionRule
from models.rules.preferences import (
    MAX_VALUES,
    NO_PREFERENCES,
    Preference,
    Preferences,
    build_preference_effects,
    check_preferences,
)
from models.rules.rule_effects import build_rule_effects
from models.rules.shop_rules import ExcludeRule, ProductSelector
from models.rules.unknown_names import MAX_NAMED, find_unknown_in_preferences
from tests.support.shop import Product, catalogue_of

CATALOGUE = catalogue_of(
    [
        Product("apron", category="kitchen"),
        Product(
            "bar",
            category="sweets",
            brand="Ashby",
            attributes='{"contains": ["Nuts", "milk"], "diet": "vegetarian"}',
        ),
        Product("cap", category="clothes", attributes='{"size": 58}'),
        Product(
            "drops",
            category="sweets",
            brand="Hartley",
            attributes='{"diet": ["vegan", "vegetarian"], "organic": true}',
        ),
        Product("fudge", category="sweets", brand="ashby"),
        Product("gift", attributes='{"diet": "vegan"}'),
        Product("hat", category="clothes"),
        Product("ink"),
        Product("jumper", category="clothes", attributes='{"size": ["S", "M"]}'),
    ]
)


def said(kind: str, attribute: str, *values: str) -> Preferences:
    return Preferences(**{kind: (Preference(attribute, values),)})


def removed(preferences: Preferences, catalogue: Catalogue = CATALOGUE) -> str:
    removed = build_preference_effects(preferences, catalogue).removed
    return " ".join(name for name, rule in zip(catalogue.ids, removed, strict=True) if rule != 0)


@pytest.mark.parametrize(
    ("preferences", "kept_out"),
    [
        (NO_PREFERENCES, ""),
        (said("avoids", "contains", "nuts"), "bar"),
        (said("avoids", "contains", "  NUTS "), "bar"),
        (said("avoids", "contains", "nut"), ""),  # it is another word
        (said("avoids", "brand", "Ashby"), "bar fudge"),
        (said("avoids", "category", "sweets", "clothes"), "bar cap drops fudge hat jumper"),
        (said("avoids", "size", "58"), "cap"),
        (said("avoids", "organic", "true"), "drops"),
        (said("avoids", "colour", "red"), ""),  # no product has it
        (said("likes", "brand", "Ashby"), ""),
    ],
)
def test_what_bears_an_avoided_value_is_kept_out(preferences: Preferences, kept_out: str) -> None:
    assert removed(preferences) == kept_out


@pytest.mark.parametrize(
    ("preferences", "kept_out"),
    [
        # Fudge may be anything; an apron has no diet, and neither has the hat. Of what is of no
        # category the gift tells that it is used there
        (said("needs", "diet", "vegan"), "bar fudge ink"),
        (said("needs", "diet", "vegan", "vegetarian"), "fudge ink"),
        (said("needs", "size", "M"), "cap hat"),
        (said("needs", "size", "XXL"), "cap hat jumper"),
        (said("needs", "colour", "red"), ""),
        (said("needs", "category", "sweets"), "apron cap gift hat ink jumper"),
        (said("needs", "brand", "Hartley"), "bar fudge"),
    ],
)
def test_what_is_not_known_to_suit_is_kept_out_where_the_shop_tells_it_of_others(
    preferences: Preferences, kept_out: str
) -> None:
    assert removed(preferences) == kept_out


def test_of_what_is_avoided_and_needed_the_refusal_is_named() -> None:
    both = Preferences(
        avoids=(Preference("contains", ("milk",)),), needs=(Preference("diet", ("vegan",)),)
    )
    effects = build_preference_effects(both, CATALOGUE)
    bar, fudge = CATALOGUE.ids.find_all(["bar", "fudge"]).tolist()
    assert effects.removed[bar] == ExclusionRule.AVOIDED
    assert effects.removed[fudge] == ExclusionRule.UNSUITABLE


def test_what_is_liked_is_named_by_the_first_value_it_bears_and_its_odds_rise() -> None:
    liked = Preferences(
        likes=(Preference("brand", ("Ashby",)), Preference("diet", ("vegan", "vegetarian")))
    )
    effects = build_preference_effects(liked, CATALOGUE)
    named = {CATALOGUE.ids[item]: effects.liked.name_of(item) for item in effects.liked.items}
    assert named == {"bar": "Ashby", "drops": "vegan", "fudge": "Ashby", "gift": "vegan"}
    raised = effects.added_to(build_rule_effects((), CATALOGUE)).log_odds
    assert [name for name, odds in zip(CATALOGUE.ids, raised, strict=True) if odds > 0] == [*named]
    rest = effects.liked.without(CATALOGUE.ids.find_all(["bar", "gift"]))
    assert [rest.name_of(item) for item in rest.items] == ["vegan", "Ashby"]


def test_a_rule_of_the_shop_is_named_before_what_a_customer_says() -> None:
    rules = build_rule_effects((ExcludeRule("no-bars", ProductSelector(("bar",))),), CATALOGUE)
    effects = build_preference_effects(said("avoids", "brand", "Ashby"), CATALOGUE)
    bar, fudge = CATALOGUE.ids.find_all(["bar", "fudge"]).tolist()
    both = effects.added_to(rules).removed
    assert (both[bar], both[fudge]) == (ExclusionRule.SHOP_EXCLUDED, ExclusionRule.AVOIDED)


def test_what_is_said_is_the_same_after_it_was_written_down() -> None:
    preferences = Preferences(
        (Preference("brand", ("Ashby & Söhne",)),), (), (Preference("size", ("M", "L")),)
    )
    assert Preferences.read(preferences.pack()) == preferences
    assert NO_PREFERENCES.pack() == "{}"
    assert Preferences.read("{}") == Preferences.read("") == NO_PREFERENCES
    assert preferences.without_likes() == Preferences(needs=preferences.needs)


def test_what_two_say_is_said_once() -> None:
    nuts = said("avoids", "contains", "nuts")
    both = nuts.joined(said("likes", "brand", "Ashby")).joined(nuts)
    assert both == Preferences(likes=(Preference("brand", ("Ashby",)),), avoids=nuts.avoids)


@pytest.mark.parametrize(
    "text",
    [
        '{"likes": 5}',
        '{"avoids": true}',
        '{"needs": null}',
        '{"likes": [{"attribute": "brand", "values": "Ashby"}]}',
        '{"dislikes": []}',
        "[]",
        '{"likes": [{"attribute": "brand", "values": [' + "1," * MAX_VALUES + "1]}]}",
    ],
)
def test_what_is_no_preference_is_an_error_and_not_guessed(text: str) -> None:
    with pytest.raises(ValueError, match="should"):
        check_preferences(text)


def test_a_long_list_of_unknown_values_is_told_and_some_of_them_with_a_similar_one() -> None:
    values = [f"Hartle{number}" for number in range(MAX_VALUES)]
    problems = list(find_unknown_in_preferences(said("likes", "brand", *values), CATALOGUE))
    assert len(problems) == MAX_VALUES
    assert sum("did you mean 'Hartley'" in problem.sentence for problem in problems) == MAX_NAMED


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("  Bio  Obst ", "bio obst"),
        (58.0, "58"),
        (0.5, "0.5"),
        (True, "true"),
        ("STRASSE", "strasse"),
        ("Cafe\u0301", "caf\u00e9"),
    ],
)
def test_values_are_alike_as_people_write_them(value: str | float | bool, text: str) -> None:
    assert fold_value(value) == text
