"""A former price is told where it is known and true."""

import pytest

from models.shop_lists import PriceChange, PriceDrop, find_drop
from tests.support.shop import moment


def drop(now: float, *before: tuple[float, float | None]) -> tuple[float, float] | None:
    """Days and the prices that were replaced then -> day and former price."""
    found = find_drop([PriceChange(moment(day), price, "EUR") for day, price in before], now)
    if found is None:
        return None
    assert isinstance(found, PriceDrop)
    days = [day for day, _ in before if moment(day) == found.time]
    return days[0], found.former


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (8, [(1, 10)], (1, 10)),
        (10, [(1, 8)], None),  # dearer
        (8, [(1, 10), (5, 9)], (5, 9)),
        (6, [(1, 8), (5, 10)], (5, 8)),  # raised to 10 for four days
        (8, [(1, 8), (5, 10)], None),  # and back
        (8, [(1, 8), (40, 10)], (40, 10)),  # 10 for more than 30 days
        (9, [(1, 10), (5, 7)], (1, 10)),  # lowered to 7, then raised a little
        (8, [(1, None)], None),
        (8, [(1, None), (5, 10)], None),  # what held 30 days before is not known
        (8, [(1, None), (40, 10)], (40, 10)),
        (8, [(1, 10), (5, None)], None),
        (0, [(1, 10)], (1, 10)),
    ],
)
def test_the_former_price_is_the_lowest_of_thirty_days_before(
    now: float, before: list[tuple[float, float | None]], expected: tuple[float, float] | None
) -> None:
    assert drop(now, *before) == expected
