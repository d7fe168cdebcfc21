"""Products that meet a filter: a mask over the catalogue, a few operations of numpy a condition."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.data.product_columns import Column, DistinctValues
from models.rules.filter_language import (
    Condition,
    Constant,
    FilterExpression,
    find_attributes,
)

Mask = NDArray[np.bool_]
ORDERS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
TEXT_TESTS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": operator.contains,
    **ORDERS,
}
FEW_VALUES: Final = 8  # so many comparisons of all products take less time than a look-up


def find_matching(expression: FilterExpression, catalogue: Catalogue) -> Mask:
    """Return which products meet a filter: (items,)."""
    if isinstance(expression, Constant):
        return np.full(len(catalogue), expression.value)
    if isinstance(expression, Condition):
        return _match(expression, catalogue)
    masks = (find_matching(part, catalogue) for part in expression.parts)
    combine = np.logical_and if expression.operator == "&&" else np.logical_or
    return reduce(lambda one, other: combine(one, other, out=one), masks)


def find_unknown_attributes(expression: FilterExpression, catalogue: Catalogue) -> tuple[str, ...]:
    """Return the attributes of a filter that no product of the catalogue has."""
    named = find_attributes(expression)
    known = catalogue.columns.attribute_names if named else ()
    return tuple(name for name in named if name not in known)


def _match(condition: Condition, catalogue: Catalogue) -> Mask:
    name = condition.field.name
    if condition.field.is_attribute:
        return _match_column(condition, catalogue.columns.attribute(name))
    if name == "price":
        return _match_numbers(condition, catalogue.price)
    if name == "in_stock":
        return _match_flags(condition, catalogue.in_stock)
    return _match_column(condition, catalogue.columns.field(name))


def _match_numbers(condition: Condition, numbers: NDArray[np.float64]) -> Mask:
    """Return which numbers meet a condition. NaN is not known and meets none."""
    if condition.test == "has":
        return np.isnan(numbers) if condition.negated else ~np.isnan(numbers)
    if condition.test in ORDERS:
        matched: Mask = ORDERS[condition.test](numbers, condition.values[0])
        return matched
    matched = _match_any(numbers, condition.values)
    return ~matched & ~np.isnan(numbers) if condition.negated else matched


def _match_flags(condition: Condition, flags: Mask) -> Mask:
    if condition.test == "has" or len(condition.values) > 1:
        return np.full(len(flags), not condition.negated)
    return flags.copy() if condition.values[0] else ~flags


def _match_any(array: NDArray[Any], values: tuple[Any, ...]) -> Mask:
    if len(values) > FEW_VALUES:
        return np.isin(array, values)
    return reduce(np.logical_or, (array == value for value in values))


def _match_column(condition: Condition, column: Column) -> Mask:
    if condition.test == "has":
        return ~column.known if condition.negated else column.known
    if condition.test == "holds":
        return _match_lists(condition, column)
    kind = type(condition.values[0])
    if kind is float:
        return _match_numbers(condition, column.numbers)
    matched = column.spread(_match_values(condition, column.values))
    return column.of_kind(kind) & ~matched if condition.negated else matched


def _match_lists(condition: Condition, column: Column) -> Mask:
    """Return which products have a list that holds a value, or one of its type that does not."""
    matched = _match_values(condition, column.values)
    holds = np.zeros(len(column.codes), np.bool_)
    holds[column.list_item[matched[column.list_code]]] = True
    if not condition.negated:
        return holds
    usable = column.values.of_kind(type(condition.values[0]))
    is_list = np.zeros(len(column.codes), np.bool_)
    is_list[column.list_item[usable[column.list_code]]] = True
    return is_list & ~holds


def _match_values(condition: Condition, values: DistinctValues) -> Mask:
    """Return which of the distinct values meet a condition, whether it is negated or not: (v,)."""
    wanted: tuple[Any, ...] = condition.values
    if isinstance(wanted[0], float):
        return _match_any(values.numbers, wanted)
    if isinstance(wanted[0], bool):
        return _match_any(values.flags, wanted)
    if condition.test in TEXT_TESTS:
        return values.match_texts(TEXT_TESTS[condition.test], wanted[0])
    matched = np.zeros(len(values), np.bool_)
    codes = (values.texts.get(text) for text in wanted)
    matched[[code for code in codes if code is not None]] = True
    return matched
