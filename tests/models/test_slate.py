"""The words of the answer are the words of the documentation."""

import dataclasses

import pytest

from models.data.customers import PERSONALIZE_WEB
from models.rules.filters import Filters, Repeat
from models.slate import ReasonKind, SlateRequest, Source, Strategy


@pytest.mark.parametrize("words", [Source, ReasonKind, Repeat, Strategy])
def test_a_word_is_written_like_its_name(
    words: type[Source | ReasonKind | Repeat | Strategy],
) -> None:
    assert [word.value for word in words] == [word.name.lower() for word in words]


def test_who_asks_for_nothing_gets_ten_products_for_the_web_without_a_limit() -> None:
    request = SlateRequest()
    assert (request.n, request.repeat, request.strict, request.purpose) == (
        10,
        Repeat.AUTO,
        False,
        PERSONALIZE_WEB,
    )
    assert request.filters == Filters()
    assert set(dataclasses.asdict(Filters()).values()) == {(), None}


def test_equal_requests_are_one_key_of_a_cache() -> None:
    one, two = (SlateRequest(filters=Filters(exclude=(1,)), basket=(2,)) for _ in range(2))
    assert {one: "slate"}[two] == "slate"
