"""What a caller may ask for, and what is refused with the name of the field."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from service.schemas.parameters import BasketOptions, Fields, Options, SessionOptions, parse_moment


def problem(**values: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        Options.model_validate(values)
    (error,) = refused.value.errors()
    return f"{error['loc'][0]}: {error['msg']}"


def test_without_options_ten_products_with_cards_are_meant() -> None:
    options = Options()
    assert (options.n, options.fields, options.exclude, options.strict) == (
        10,
        Fields.CARD,
        (),
        False,
    )


def test_an_empty_parameter_of_a_template_is_not_given() -> None:
    assert (
        Options.model_validate({"category": "", "market": "", "as_of": "", "exclude": [""]})
        == Options()
    )


def test_the_order_of_products_does_not_make_another_question() -> None:
    assert Options(exclude=("b", "a", "b")).exclude == ("a", "b")
    visit = SessionOptions(recent=("b", "a", "b"), basket=("d", "c", "d"))
    assert (visit.recent, visit.basket) == (("a", "b"), ("c", "d"))
    assert BasketOptions(basket=("d", "c", "d")).basket == ("c", "d")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02", 86_400),
        ("1970-01-01T01:00:00Z", 3600),
        ("1970-01-01T01:00:00", 3600),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T01:00:00 01:00", 0),  # a plus that was not escaped in the query
        ("1970-01-01T01:00:00.500+0100", 0),
        ("1969-12-31T23:59:59Z", -1),
        ("9999-12-31", 253_402_214_400),
    ],
)
def test_a_moment_is_read_as_utc_unless_it_has_a_zone(text: str, seconds: int) -> None:
    assert parse_moment(text) == seconds


@pytest.mark.parametrize(
    "value", ["yesterday", "2017-13-01", "99999-01-01", 1_500_000_000, None, ["2017"]]
)
def test_what_is_no_moment_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="should be an ISO 8601 date or time"):
        parse_moment(value)


@given(st.text())
def test_no_text_breaks_the_reading_of_a_moment(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(parse_moment(text), int)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"n": 0}, "n: Input should be greater than or equal to 1"),
        ({"n": 101}, "n: Input should be less than or equal to 100"),
        ({"placement": "Home page"}, "placement: String should match pattern"),
        ({"min_price": "nan"}, "min_price: Input should be a finite number"),
        ({"min_price": -1}, "min_price: Input should be greater than or equal to 0"),
        ({"locale": "klingon"}, "locale: Value error, is not a locale"),
        ({"locale": "de DE"}, "locale: Value error, is not a locale"),
        ({"exclude": ["x" * 501]}, "exclude: String should have at most 500 characters"),
        ({"exclude": ["x"] * 101}, "exclude: "),
        ({"deadline_ms": 0}, "deadline_ms: Input should be greater than or equal to 1"),
        ({"fields": "all"}, "fields: Input should be 'ids' or 'card'"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_field(values: dict[str, Any], sentence: str) -> None:
    assert sentence in problem(**values)


def test_a_locale_may_be_written_either_way() -> None:
    assert Options.model_validate({"locale": "de-DE"}) == Options.model_validate(
        {"locale": "de_DE"}
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [("zh-Hant-TW", "zh_Hant_TW"), ("de_XX", "de"), ("de_Egyp_002_moon1", "de"), ("xx_XX", None)],
)
def test_where_a_locale_is_unknown_its_language_counts_else_the_default(
    given: str, expected: str | None
) -> None:
    assert Options.model_validate({"locale": given}).locale == expected


@pytest.mark.parametrize("field", ["recent", "basket"])
def test_a_visit_has_a_hundred_products_at_most(field: str) -> None:
    SessionOptions.model_validate({field: ["x"] * 100})
    with pytest.raises(ValidationError, match="at most 100 items"):
        SessionOptions.model_validate({field: ["x"] * 101})
    with pytest.raises(ValidationError, match="at most 100 items"):
        BasketOptions.model_validate({"basket": ["x"] * 101})


def test_a_body_may_exclude_a_thousand_products_and_a_query_what_fits() -> None:
    many = [str(number) for number in range(1000)]
    assert len(SessionOptions.model_validate({"exclude": many}).exclude) == 1000
    with pytest.raises(ValidationError, match="at most 1000 items"):
        SessionOptions.model_validate({"exclude": [*many, "x"]})
    with pytest.raises(ValidationError, match="at most 100 items"):
        Options.model_validate({"exclude": many})


@pytest.mark.parametrize(
    "body",
    [{"n": "5"}, {"n": True}, {"n": 5.5}, {"strict": 0}, {"strict": "yes"}, {"min_price": "3"}],
)
def test_a_body_has_types_where_a_query_has_texts(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="should be a valid"):
        SessionOptions.model_validate(body)


def test_json_has_one_kind_of_number() -> None:
    assert SessionOptions.model_validate({"n": 5.0, "min_price": 3}) == SessionOptions(
        n=5, min_price=3.0
    )


def test_ids_are_texts_and_nothing_else() -> None:
    with pytest.raises(ValidationError, match=r"recent\.0"):
        SessionOptions.model_validate({"recent": [17]})
