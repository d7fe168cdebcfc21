"""Prices and quantities as shops write them."""

import pytest

from models.data.numbers import decimals, read_number


@pytest.mark.parametrize(
    ("text", "point", "comma"),
    [
        ("5", 5, 5),
        ("-5", -5, -5),
        ("\u22125", -5, -5),
        ("1e5", 100_000, 100_000),
        ("12.99", 12.99, None),
        ("12,99", None, 12.99),
        ("1.234", 1.234, 1234),
        ("1,234", 1234, 1.234),
        ("1.234,56", None, 1234.56),
        ("1,234.56", 1234.56, None),
        ("1\u00a0234,56", None, 1234.56),
        ("1 234 567", 1_234_567, 1_234_567),
        ("1'234.50", 1234.5, None),
        ("$1,234.50", 1234.5, None),
        ("-$5", -5, -5),
        ("£-5", -5, -5),
        ("12,99 €", None, 12.99),
        ("EUR 12.99", 12.99, None),
        ("99 kr", 99, 99),
        ("", None, None),
        ("free", None, None),
        ("x12", None, None),
        ("12abc", None, None),
        ("5 5", None, None),
        ("1,00,0", None, None),
        ("nan", None, None),
        ("--5", None, None),
    ],
)
def test_a_price_is_read_by_its_decimal_sign(
    text: str, point: float | None, comma: float | None
) -> None:
    for decimal, expected in (("point", point), ("comma", comma)):
        if expected is None:
            with pytest.raises(ValueError, match="is no number"):
                read_number(text, decimal)  # type: ignore[arg-type]
        else:
            assert read_number(text, decimal) == expected  # type: ignore[arg-type]


def test_only_a_price_that_has_two_meanings_tells_both() -> None:
    assert decimals("1.234") == ("point", "comma")
    assert decimals("12,99") == ("comma",)
    assert decimals("5") == decimals("free") == ()


def test_thousands_or_a_decimal_comma_is_not_guessed_from_one_price() -> None:
    assert read_number("1.234", None) == 1.234
    with pytest.raises(ValueError, match="thousands or a decimal comma"):
        read_number("1,234", None)
