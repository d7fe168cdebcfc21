"""Phrases: sentences for customers, in English, that can be said in other languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeAlias

Value: TypeAlias = "str | int | float | Phrase"  # a float is told with one decimal


class Phrase(str):
    """A sentence in English that remembers how it was made.

    As text it is English. `message` holds {names} in braces where `values` go; `plural` is the
    message for a count other than one, and is empty where nothing is counted.
    """

    __slots__ = ("message", "plural", "values")
    message: str
    plural: str
    values: Mapping[str, Value]

    def __new__(cls, message: str, plural: str = "", **values: Value) -> Self:
        form = plural if plural and values["count"] != 1 else message
        told = {
            name: f"{value:.1f}" if isinstance(value, float) else value
            for name, value in values.items()
        }
        phrase = super().__new__(cls, form.format_map(told) if told else form)
        phrase.message, phrase.plural, phrase.values = message, plural, values
        return phrase

    def __getnewargs_ex__(self) -> tuple[tuple[str, str], dict[str, Value]]:
        return (self.message, self.plural), dict(self.values)

    def naming(self, product: str) -> Phrase:
        """Return the same phrase with a name for its {product}, also in what it is made of."""
        values: dict[str, Value] = {}
        for name, value in self.values.items():
            named = value.naming(product) if isinstance(value, Phrase) else value
            values[name] = product if name == "product" else named
        return Phrase(self.message, self.plural, **values)


def counted(message: str, plural: str, count: int, **values: Value) -> Phrase:
    """Return a phrase with a `count`: `message` for one, `plural` for others."""
    return Phrase(message, plural, count=count, **values)


def pack_text(text: str) -> Any:
    """Return a text for JSON, so that it can be said in another language later."""
    if not isinstance(text, Phrase):
        return text
    values = {
        name: pack_text(value) if isinstance(value, str) else value
        for name, value in text.values.items()
    }
    return [text.message, text.plural, values]


def unpack_text(packed: Any) -> str:
    """Return what `pack_text` has packed; a text that was no phrase stays as it is."""
    if isinstance(packed, str):
        return packed
    message, plural, values = packed
    unpacked = {
        name: value if isinstance(value, int | float) else unpack_text(value)
        for name, value in values.items()
    }
    return Phrase(message, plural, **unpacked)
