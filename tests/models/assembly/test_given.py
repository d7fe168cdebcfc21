"""Where given products stand: the order of their scores, around pins, the sold-out ones last."""

from itertools import permutations

import numpy as np

from models.assembly.given import JudgedProducts

TEA, MILK, BREAD, SALT = range(4)


def place(order: list[int], pins: dict[int, int], last: list[int], most: int | None) -> list[int]:
    items = np.array(order, np.int64)
    judged = JudgedProducts(
        items, (), np.array(sorted(last), np.int64), pins, explained=10, most=most
    )
    return items[judged.place(items)].tolist()


def place_by_hand(
    order: list[int], pins: dict[int, int], last: list[int], most: int | None
) -> list[int]:
    placed = [item for item in order if item not in last and item not in pins.values()]
    for position in sorted(pins):
        placed.insert(position, pins[position])
    return [*placed, *(item for item in order if item in last)][:most]


def test_what_is_pinned_stands_where_the_shop_wants_it_and_what_is_sold_out_stands_last() -> None:
    assert place([TEA, MILK, BREAD, SALT], {1: SALT}, [TEA], None) == [MILK, SALT, BREAD, TEA]
    assert place([TEA, MILK], {}, [], None) == [TEA, MILK]
    assert place([], {}, [], None) == []


def test_every_order_is_placed_as_by_hand() -> None:
    for order in map(list, permutations(range(4))):
        for pins in ({}, {0: BREAD}, {2: TEA, 0: SALT}, {3: MILK}, {0: TEA, 1: MILK}):
            last = [item for item in (BREAD, SALT) if item not in pins.values()]
            for most in (None, 2):
                for behind in ([], last):
                    wanted = place_by_hand(order, pins, behind, most)
                    assert place(order, pins, behind, most) == wanted
