"""Names in the shop's rules and bundles that nothing in the shop bears: likely misspelled."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from models.data.catalogue import Catalogue
from models.data.customers import Customers
from models.data.ids import IdIndex
from models.data.product_columns import fold_value, tell_value
from models.rules.filter_language import parse_filter
from models.rules.filter_mask import find_unknown_attributes
from models.rules.preferences import KINDS as PREFERENCE_KINDS
from models.rules.preferences import Preference, Preferences
from models.rules.rule_problems import RuleProblem
from models.rules.shop_rules import ProductSelector, ShopRule

NameTables = Mapping[str, tuple[IdIndex, ...]]
MAX_COMPARED: Final = 2_000  # names among which the most similar one is looked for
MAX_NAMED: Final = 5  # unknown products of one field that are named
BEARS: Final = {
    "category": "no product is of the category",
    "brand": "no product is of the brand",
    "market": "no customer and no product is of the market",
}


def known_names(catalogue: Catalogue, market_names: IdIndex) -> NameTables:
    """Return where the names that something in the shop bears are found, by option.

    `market_names`: those of customers.
    """
    return {
        "category": (catalogue.category_names,),
        "brand": (catalogue.brand_names,),
        "market": (market_names, catalogue.market_names),
    }


def is_unknown(name: str | None, tables: Sequence[IdIndex]) -> bool:
    return name is not None and all(names.find(name) < 0 for names in tables)


def find_unknown_in_rule(
    rule: ShopRule, catalogue: Catalogue, customers: Customers
) -> Iterator[RuleProblem]:
    """Yield a problem for each field of a rule with a name that nothing in the shop bears."""
    known = known_names(catalogue, customers.market_names)
    which = rule.which or ProductSelector()
    names = {
        "which.category": which.category,
        "which.brand": which.brand,
        "market": rule.market,
    }
    yield from find_unknown_products(which.product_ids or (), "which.product_ids", catalogue)
    for field, name in names.items():
        option = field.removeprefix("which.")
        if name is not None and is_unknown(name, known[option]):
            similar = _suggest(name, known[option])
            yield RuleProblem(field, f"{BEARS[option]} '{name}'{similar}")
    yield from find_unknown_values(rule.customers or {}, customers)
    if which.filter is not None:
        for attribute in find_unknown_attributes(parse_filter(which.filter), catalogue):
            yield RuleProblem("which.filter", f"no product has the attribute '{attribute}'")


def find_unknown_values(
    wanted: Mapping[str, Collection[str]], customers: Customers
) -> Iterator[RuleProblem]:
    """Yield a problem for each value that no customer has in a column of the customers file."""
    for column, values in wanted.items():
        known = customers.columns.values_of(column)
        for value in values:
            if value not in known:
                similar = _suggest_name(value, known)
                problem = f"no customer has '{value}' in the column '{column}'{similar}"
                yield RuleProblem(f"customers.{column}", problem)


def find_unknown_in_preferences(
    preferences: Preferences, catalogue: Catalogue
) -> Iterator[RuleProblem]:
    """Yield a problem for each attribute, and each value, that no product bears."""
    helped = MAX_NAMED  # to look for similar names takes long, and anyone may ask
    for kind in PREFERENCE_KINDS:
        for index, preference in enumerate(getattr(preferences, kind)):
            for problem in _find_unknown(preference, f"{kind}[{index}]", catalogue, helped):
                helped -= 1
                yield problem


def _find_unknown(
    preference: Preference, field: str, catalogue: Catalogue, helped: int
) -> Iterator[RuleProblem]:
    """Yield the problems of one preference, the first `helped` of them with a similar name."""
    name, known = preference.attribute, catalogue.columns.attribute_names
    if not preference.is_field and name not in known:
        similar = _suggest_name(name, known) if helped > 0 else ""
        yield RuleProblem(f"{field}.attribute", f"no product has the attribute '{name}'{similar}")
        return
    values = preference.column(catalogue).values
    for index, value in enumerate(preference.values):
        if fold_value(value) not in values.folded:
            similar = _suggest_name(value, _tell_all(values.values)) if helped > 0 else ""
            helped -= 1
            problem = f"no product bears '{value}' as its '{name}'{similar}"
            yield RuleProblem(f"{field}.values[{index}]", problem)


def _tell_all(values: Sequence[Any]) -> list[str]:
    """Return values as people write them; none where they are too many to be compared."""
    if len(values) > MAX_COMPARED:
        return []
    return [tell_value(value) for value in values if value is not None]


def find_unknown_products(
    product_ids: Sequence[str], field: str, catalogue: Catalogue
) -> Iterator[RuleProblem]:
    """Yield one problem where the catalogue does not know some of the products."""
    unknown = np.flatnonzero(catalogue.ids.find_all(product_ids) < 0).tolist()
    if not unknown:
        return
    named = ", ".join(f"'{product_ids[index]}'" for index in unknown[:MAX_NAMED])
    more = f" and {len(unknown) - MAX_NAMED} more" if len(unknown) > MAX_NAMED else ""
    yield RuleProblem(field, f"the catalogue does not know {named}{more}")


def _suggest(name: str, tables: Sequence[IdIndex]) -> str:
    return _suggest_name(name, [known for names in tables for known in names])


def _suggest_name(name: str, names: Iterable[str]) -> str:
    """Return a question with the most similar name, whatever the case of its letters."""
    folded = {known.casefold(): known for known in names}
    if len(folded) > MAX_COMPARED:
        return ""
    similar = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f"; did you mean '{folded[similar[0]]}'?" if similar else ""
