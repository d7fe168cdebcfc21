"""A purpose is allowed by the later answer of artifact and store, else as the shop has set."""

from dataclasses import replace

import numpy as np
import pytest

from models.data.customers import (
    NEVER_ASKED,
    NO,
    PERSONALIZE_EMAIL,
    PERSONALIZE_WEB,
    YES,
    Customers,
)
from models.data.ids import Ids
from models.updates.customer import NO_UPDATE
from models.updates.customer import allows as permitted

ANN, BOB, CAT, STRANGER = 0, 1, 2, -1
CUSTOMERS = Customers(
    Ids.of(["ann", "bob", "cat"]),
    np.array([[NEVER_ASKED] * 4, [YES] * 4, [NO] * 4], np.uint8),
    np.array([[0] * 4, [1000] * 4, [0] * 4], np.int64),  # when cat said no is not known
    np.full(3, -1, np.int32),
    Ids.of([]),
)


def allows(
    user: int,
    answer: tuple[int, int] = (NEVER_ASKED, 0),
    unasked: int = YES,
    *,
    forgotten: bool = False,
) -> bool:
    no_answer = (NEVER_ASKED, 0)
    update = replace(
        NO_UPDATE,
        consent=(no_answer, answer, no_answer, no_answer),
        unasked=unasked,
        forgotten=forgotten,
    )
    return permitted(CUSTOMERS, user, PERSONALIZE_WEB, update)


@pytest.mark.parametrize("user", [ANN, STRANGER])
def test_of_who_was_never_asked_holds_what_the_shop_has_set(user: int) -> None:
    assert allows(user, unasked=YES)
    assert not allows(user, unasked=NO)


def test_who_was_asked_at_training_is_taken_at_their_word() -> None:
    assert allows(BOB, unasked=NO)
    assert not allows(CAT, unasked=YES)


@pytest.mark.parametrize("user", [ANN, BOB, CAT, STRANGER])
def test_what_was_said_since_counts(user: int) -> None:
    assert allows(user, (YES, 1000), unasked=NO)
    assert not allows(user, (NO, 1000))


def test_of_the_file_and_the_store_the_later_word_counts_and_the_stores_where_both_are_as_old() -> (
    None
):
    assert allows(BOB, (NO, 999))
    assert not allows(BOB, (NO, 1000))
    assert allows(CAT, (YES, 1))


def test_what_was_said_of_one_purpose_says_nothing_of_another() -> None:
    update = replace(NO_UPDATE, consent=((NO, 5), (NO, 5), (NEVER_ASKED, 0), (NO, 5)))
    assert permitted(CUSTOMERS, BOB, PERSONALIZE_EMAIL, update)


def test_the_answer_of_an_erased_customer_is_erased_too() -> None:
    assert allows(BOB, unasked=NO)
    assert not allows(BOB, unasked=NO, forgotten=True)
    assert allows(CAT, unasked=YES, forgotten=True)


def test_a_market_has_a_name_and_a_code_where_it_is_known() -> None:
    customers = replace(
        CUSTOMERS,
        market=np.array([1, -1, *[0] * (len(CUSTOMERS) - 2)], np.int32),
        market_names=Ids.of(["north", "south"]),
    )
    assert [customers.market_of(user) for user in range(2)] == ["south", None]
    assert [customers.market_code(name) for name in ("north", "moon", None)] == [0, -1, -1]
