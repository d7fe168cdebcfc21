"""A file of rules is read whole, or refused with the place of what is wrong."""

from pathlib import Path

import pytest

from models.rules.shop_rules import ExcludeRule, ProductSelector
from service.schemas import rules
from training.errors import InputError
from training.reading.rules_file import SHOP_RULE, read_rules

SALE = '{"id": "sale", "kind": "exclude", "which": {"brand": "Ashby"}, "market": "north"'


def test_service_and_training_read_the_same_rules() -> None:
    assert SHOP_RULE.json_schema() == rules.SHOP_RULE.json_schema()


def test_rules_are_read_as_if_they_held_everywhere_and_always(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text(f'[{SALE}, "placements": ["home"], "starts": "2026-11-27T00:00:00Z"}}]')
    assert read_rules(path) == (
        ExcludeRule("sale", ProductSelector(brand="Ashby"), market="north"),
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[", "is not JSON"),
        ("{}", "expected a list of rules, each a JSON object"),
        ("[1]", "expected a list of rules, each a JSON object"),
        (f'[{SALE}}}, {{"id": "x"}}]', "rule 2: `kind` is missing; it should be one of"),
        (f"[{SALE}}}, {SALE}}}]", "2 rules have the id 'sale'; give each its own"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_name(
    tmp_path: Path, content: str, sentence: str
) -> None:
    path = tmp_path / "rules.json"
    path.write_text(content)
    with pytest.raises(InputError) as error:
        read_rules(path)
    assert str(error.value).startswith(f"{path}: {sentence}")
