"""Words tell what a product is, sizes do not; titles that differ in sizes alone are a family."""

import pytest

from models.data.title_words import code_family, find_title_words


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Milk, 1 gal", ("milk",)),
        ("MILK half gal", ("milk",)),
        ("Milk 6x0.5 l Pack", ("milk",)),
        ("Lait entier, 6 bouteilles", ("lait", "entier")),
        ("Vollmilch groß 3 Stück", ("vollmilch",)),
        ("Чёрный кофе 250 г, 2 упаковка", ("чёрный", "кофе")),
        ("500ml", ()),
        ("", ()),
    ],
)
def test_numbers_sizes_and_units_are_no_words(title: str, words: tuple[str, ...]) -> None:
    assert find_title_words(title) == words


def test_a_container_is_a_size_behind_a_number_alone() -> None:
    assert find_title_words("Lunch bag") != find_title_words("Lunch box")
    assert find_title_words("Lemonade, 6 bottles") == find_title_words("Lemonade, 12 cans")
    assert find_title_words("Lemonade 330 ml can") == ("lemonade",)


def test_a_family_is_a_category_and_the_words_of_a_title_in_their_order() -> None:
    milk = code_family("dairy", ("oat", "milk"))
    assert milk == code_family("dairy", ("oat", "milk")) >= 0
    assert milk != code_family("sweets", ("oat", "milk"))
    assert milk != code_family("dairy", ("milk", "oat"))
    assert milk != code_family("dairy", ("oatmilk",))
    assert code_family("dairy", ()) == -1
