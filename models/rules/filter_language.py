"""Filters as callers write them: a subset of CEL, https://github.com/google/cel-spec.

    product.price < 20 && (product.brand in ["Hartley", "Ashby"] || has(product.organic))

A parsed filter has no negation but that of single conditions, and equal filters are equal: operands
are sorted, each once. A condition about something that is not known of a product is neither true
nor false, as an error is in CEL; in this form it is enough to take it for false.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal, NoReturn, TypeAlias, cast

MAX_CHARACTERS: Final = 2_000
MAX_DEPTH: Final = 32  # of parentheses and negations within one another
MAX_CONDITIONS: Final = 50
MAX_VALUES: Final = 200  # of one list

Value: TypeAlias = str | float | bool
Test: TypeAlias = Literal[
    "in", "<", "<=", ">", ">=", "startsWith", "endsWith", "contains", "holds", "has"
]

FIELD_KINDS: Final[dict[str, type]] = {
    "id": str,
    "title": str,
    "category": str,
    "brand": str,
    "currency": str,
    "url": str,
    "image_url": str,
    "price": float,
    "in_stock": bool,
}
KIND_NAMES: Final = {str: "a text", float: "a number", bool: "true or false"}
TEXT_TESTS: Final = ("startsWith", "endsWith", "contains")
MIRRORED: Final[dict[str, Test]] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
OPPOSITE: Final[dict[str, Test]] = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
EITHER_OR_BOTH: Final = {"and": "&&", "or": "||", "not": "!", "=": "==", "&": "&&", "|": "||"}
ESCAPES: Final = {
    **{mark: mark for mark in "\\?\"'`"},
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}
ESCAPE: Final = re.compile(
    r"\\(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.DOTALL
)
TOKEN: Final = re.compile(
    r"""(?P<space>[\t\n\f\r ]+)
    |(?P<number>-?[ ]*(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![A-Za-z_]))
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<text>"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*')
    |(?P<sign>&&|\|\||==|!=|<=|>=|[<>!()\[\],.])""",
    re.VERBOSE,
)


class FilterError(ValueError):
    """A text that is no filter: where it stops being one, and what is expected there."""

    def __init__(self, position: int, problem: str) -> None:
        super().__init__(f"at character {position}: {problem}")
        self.position = position  # from 1


@dataclass(frozen=True)
class ProductField:
    """A field of a product, or one of its attributes."""

    name: str
    is_attribute: bool

    def __str__(self) -> str:
        if self.is_attribute:
            return f"product.attributes[{_write_value(self.name)}]"
        return f"product.{self.name}"


@dataclass(frozen=True)
class Condition:
    """A test of one field. Of a product whose field is not known it is false, negated too."""

    field: ProductField
    test: Test
    values: tuple[Value, ...] = ()  # of one type: sorted for `in`, one for the others, of `has` no
    negated: bool = False

    def __str__(self) -> str:
        if self.test == "in" and len(self.values) == 1:
            return f"{self.field} {'!=' if self.negated else '=='} {_write_value(self.values[0])}"
        if not self.negated:
            return self._plain()
        return f"!({self._plain()})" if self.test in ("in", "holds") else f"!{self._plain()}"

    def _plain(self) -> str:
        if self.test == "has":
            return f"has({self.field})"
        values = ", ".join(map(_write_value, self.values))
        if self.test in TEXT_TESTS:
            return f"{self.field}.{self.test}({values})"
        if self.test == "holds":
            return f"{values} in {self.field}"
        return f"{self.field} {self.test} {f'[{values}]' if self.test == 'in' else values}"

    def negate(self) -> Condition:
        if self.test in OPPOSITE:
            return replace(self, test=OPPOSITE[self.test])
        return _only_true_or_false(replace(self, negated=not self.negated))


@dataclass(frozen=True)
class Constant:
    """A filter that every product meets, or none."""

    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"

    def negate(self) -> Constant:
        return Constant(not self.value)


@dataclass(frozen=True)
class Group:
    """Two filters or more, in the order of their text: all must hold, or one at least."""

    operator: Literal["&&", "||"]
    parts: tuple[FilterExpression, ...]

    def __str__(self) -> str:
        # && binds closer than ||
        bare = self.operator == "||"
        shown = (
            str(part) if bare or not isinstance(part, Group) else f"({part})" for part in self.parts
        )
        return f" {self.operator} ".join(shown)

    def negate(self) -> FilterExpression:
        # not (a and b) = (not a) or (not b), De Morgan; it holds with a third value too (Kleene)
        return _group("||" if self.operator == "&&" else "&&", [p.negate() for p in self.parts])


FilterExpression: TypeAlias = Condition | Constant | Group


def find_attributes(expression: FilterExpression) -> tuple[str, ...]:
    """Return the names of the attributes that a filter is about, sorted."""
    names = {
        condition.field.name
        for condition in _conditions(expression)
        if condition.field.is_attribute
    }
    return tuple(sorted(names))


def _conditions(expression: FilterExpression) -> Iterator[Condition]:
    if isinstance(expression, Condition):
        yield expression
    elif isinstance(expression, Group):
        for part in expression.parts:
            yield from _conditions(part)


def check_filter(text: str) -> str:
    """Return the text as it is. Raises FilterError where it is no filter, or too long."""
    if len(text) > MAX_CHARACTERS:
        raise FilterError(MAX_CHARACTERS + 1, f"a filter has at most {MAX_CHARACTERS:,} characters")
    parse_filter(text)
    return text


def canonical_filter(text: str) -> str:
    """Return the one text of all filters that mean the same. Raises FilterError."""
    return str(parse_filter(check_filter(text)))


@lru_cache(maxsize=256)
def parse_filter(text: str) -> FilterExpression:
    """Return a filter. Raises FilterError with the character where the text is wrong."""
    return _Parser(text).parse()


def _group(operator: Literal["&&", "||"], parts: list[FilterExpression]) -> FilterExpression:
    """Return the filters as one, without groups of the same kind, repetitions and constants."""
    decides = operator == "||"  # true decides an or, false an and
    flat: dict[str, FilterExpression] = {}
    for part in parts:
        members = part.parts if isinstance(part, Group) and part.operator == operator else (part,)
        flat |= {str(member): member for member in members}
    if str(Constant(decides)) in flat:
        return Constant(decides)
    flat.pop(str(Constant(not decides)), None)
    if len(flat) < 2:
        return next(iter(flat.values()), Constant(not decides))
    return Group(operator, tuple(flat[text] for text in sorted(flat)))


def _only_true_or_false(condition: Condition) -> Condition:
    """Return `== false` for `!= true`."""
    values = condition.values
    if condition.test != "in" or not condition.negated or not isinstance(values[0], bool):
        return condition
    others = tuple(value for value in (False, True) if value not in values)
    return replace(condition, values=others, negated=False) if others else condition


def _write_value(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


@dataclass(frozen=True)
class _Token:
    kind: str  # number, name, text, sign or end
    text: str
    position: int  # from 1


@dataclass(frozen=True)
class _Values:
    values: tuple[Value, ...]


# What stands on one side of a relation: all but a filter need the other side
_Operand: TypeAlias = ProductField | str | float | bool | _Values | FilterExpression
_ALL_ATTRIBUTES: Final = ProductField("attributes", is_attribute=False)


class _Parser:
    """A reader of one text by recursive descent: a method for each line of the grammar."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_split(text))
        self._index = 0
        self._depth = 0
        self._count = 0  # of conditions

    def parse(self) -> FilterExpression:
        start = self._next
        expression = self._as_filter(self._either(), start)
        if self._next.kind != "end":
            self._refuse_rest()
        return expression

    @property
    def _next(self) -> _Token:
        return self._tokens[self._index]

    def _take(self) -> _Token:
        token = self._next
        self._index += 1
        return token

    def _takes(self, *signs: str) -> bool:
        """Go on behind one of these signs, and tell whether it stood here."""
        stood = self._next.kind in ("sign", "name") and self._next.text in signs
        self._index += stood
        return stood

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            self._fail(f"expected {sign}")

    def _fail(self, problem: str, token: _Token | None = None) -> NoReturn:
        token = token or self._next
        found = "the end" if token.kind == "end" else token.text
        raise FilterError(token.position, f"{problem}, found {found[:50]}")

    def _refuse_rest(self) -> NoReturn:
        text = self._next.text
        hint = f"; write {EITHER_OR_BOTH[text]}" if text in EITHER_OR_BOTH else ""
        self._fail(f"expected && or || or the end{hint}")

    def _deeper(self, read: Callable[[], _Operand]) -> _Operand:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise FilterError(self._next.position, f"more than {MAX_DEPTH} levels are too deep")
        operand = read()
        self._depth -= 1
        return operand

    def _either(self) -> _Operand:
        return self._joined("||", self._both)

    def _both(self) -> _Operand:
        return self._joined("&&", self._relation)

    def _joined(self, operator: Literal["&&", "||"], read: Callable[[], _Operand]) -> _Operand:
        start = self._next
        first = read()
        if not (self._next.kind == "sign" and self._next.text == operator):
            return first
        parts = [self._as_filter(first, start)]
        while self._takes(operator):
            start = self._next
            parts.append(self._as_filter(read(), start))
        return _group(operator, parts)

    def _relation(self) -> _Operand:
        start = self._next
        left = self._unary()
        operator = self._next
        if operator.kind not in ("sign", "name") or not self._takes(
            "==", "!=", "<", "<=", ">", ">=", "in"
        ):
            return left
        if start.text == "!":
            self._fail("! holds for what stands next to it alone; write !( … )", start)
        right_start = self._next
        right = self._unary()
        condition = self._compare(operator, (left, start), (right, right_start))
        if self._next.text in ("==", "!=", "<", "<=", ">", ">=", "in"):
            self._fail("expected && or ||, as a comparison is not compared again")
        return condition

    def _compare(
        self, operator: _Token, left: tuple[_Operand, _Token], right: tuple[_Operand, _Token]
    ) -> Condition:
        test = operator.text
        if test == "in":
            return self._inclusion(operator, left, right)
        if not isinstance(left[0], ProductField):
            left, right = right, left
            test = MIRRORED.get(test, test)
        field, value = left[0], right[0]
        if not isinstance(field, ProductField):
            self._fail("expected product.… on one side", left[1])
        if not isinstance(value, str | float | bool):
            self._fail("expected a text, a number, true or false", right[1])
        if test in ("==", "!="):
            condition = self._condition(left[1], field, "in", (value,))
            return condition.negate() if test == "!=" else condition
        if isinstance(value, bool):
            problem = f"true and false have no order; write == in place of {operator.text}"
            raise FilterError(operator.position, problem)
        return self._condition(left[1], field, cast(Test, test), (value,))

    def _inclusion(
        self, operator: _Token, left: tuple[_Operand, _Token], right: tuple[_Operand, _Token]
    ) -> Condition:
        needle, place = left[0], right[0]
        if isinstance(needle, ProductField) and isinstance(place, _Values):
            return self._condition(left[1], needle, "in", place.values)
        if isinstance(needle, str) and place == _ALL_ATTRIBUTES:
            return self._condition(right[1], ProductField(needle, is_attribute=True), "has", ())
        if isinstance(needle, str | float | bool) and isinstance(place, ProductField):
            if not place.is_attribute:
                self._fail("expected an attribute, which may be a list", right[1])
            return self._condition(right[1], place, "holds", (needle,))
        return self._fail("expected a field in a list, or a value in an attribute", operator)

    def _condition(
        self, start: _Token, field: ProductField, test: Test, values: tuple[Value, ...]
    ) -> Condition:
        if field == _ALL_ATTRIBUTES:
            self._fail('expected one attribute, such as product.attributes["color"]', start)
        kind = None if field.is_attribute else FIELD_KINDS[field.name]
        if kind is not None and values and not isinstance(values[0], kind):
            problem = f"{field} is {KIND_NAMES[kind]}, and is compared to something else"
            raise FilterError(start.position, problem)
        self._count += 1
        if self._count > MAX_CONDITIONS:
            raise FilterError(start.position, f"more than {MAX_CONDITIONS} conditions are too many")
        return Condition(field, test, values)

    def _as_filter(self, operand: _Operand, start: _Token) -> FilterExpression:
        """Return an operand that stands for itself: a filter, or something true or false."""
        if isinstance(operand, Condition | Constant | Group):
            return operand
        if isinstance(operand, bool):
            return Constant(operand)
        if isinstance(operand, ProductField):
            return self._condition(start, operand, "in", (True,))
        return self._fail("expected a condition such as product.price < 20", start)

    def _unary(self) -> _Operand:
        start = self._next
        if not (start.kind == "sign" and start.text == "!"):
            return self._primary()
        self._take()
        operand_start = self._next
        return self._as_filter(self._deeper(self._unary), operand_start).negate()

    def _primary(self) -> _Operand:
        token = self._take()
        if token.kind == "number":
            return self._number(token)
        if token.kind == "text":
            return _read_text(token)
        if token.text in ("true", "false"):
            return token.text == "true"
        if token.text == "(":
            operand = self._deeper(self._either)
            self._expect(")")
            return operand
        if token.text == "[":
            return self._list()
        if token.text == "has":
            return self._has()
        if token.text == "product":
            return self._member(self._field())
        if token.kind == "name":
            self._fail(f"expected product.{token.text} or a text in quotes", token)
        return self._fail("expected a condition or a value", token)

    def _number(self, token: _Token) -> float:
        number = float(token.text.replace(" ", ""))
        if not math.isfinite(number):
            self._fail("expected a smaller number", token)
        return number

    def _list(self) -> _Values:
        start = self._next
        values: list[Value] = []
        while not self._takes("]"):
            if values:
                self._expect(",")
            token = self._next
            value = self._primary()
            if not isinstance(value, str | float | bool):
                self._fail("expected a text, a number, true or false", token)
            if values and type(value) is not type(values[0]):
                self._fail("expected values of one type", token)
            values.append(value)
        if not values:
            self._fail("expected a value in the list", start)
        if len(values) > MAX_VALUES:
            raise FilterError(start.position, f"more than {MAX_VALUES} values are too many")
        return _Values(tuple(sorted(set(values))))

    def _has(self) -> Condition:
        self._expect("(")
        start = self._take()
        if start.text != "product":
            self._fail("expected product.…", start)
        condition = self._condition(start, self._field(), "has", ())
        self._expect(")")
        return condition

    def _field(self) -> ProductField:
        if not self._takes("."):
            self._fail('expected a field, such as product.price or product.attributes["color"]')
        name = self._name()
        if name == "attributes":
            if self._takes("["):
                token = self._take()
                if token.kind != "text":
                    self._fail("expected the name of an attribute in quotes", token)
                self._expect("]")
                return ProductField(_read_text(token), is_attribute=True)
            if not self._takes("."):
                return _ALL_ATTRIBUTES
            return ProductField(self._name(), is_attribute=True)
        return ProductField(name, is_attribute=name not in FIELD_KINDS)

    def _name(self) -> str:
        token = self._take()
        if token.kind != "name":
            self._fail("expected a name; other names stand in quotes, in [ ]", token)
        return token.text

    def _member(self, field: ProductField) -> _Operand:
        """Return the field, or the call of a function of its text behind it."""
        start = self._next
        if not self._takes("."):
            return field
        function = self._take()
        if function.text not in TEXT_TESTS:
            self._fail(f"expected {', '.join(TEXT_TESTS)}", function)
        self._expect("(")
        token = self._take()
        if token.kind != "text":
            self._fail("expected a text in quotes", token)
        self._expect(")")
        return self._condition(start, field, cast(Test, function.text), (_read_text(token),))


def _split(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise FilterError(position + 1, _explain_sign(text[position:]))
        kind = str(match.lastgroup)
        if kind != "space":
            yield _Token(kind, match.group(), position + 1)
        position = match.end()
    yield _Token("end", "", len(text) + 1)


def _explain_sign(rest: str) -> str:
    if rest[0] in "\"'":
        return "the text that begins here does not end"
    if rest[0] in EITHER_OR_BOTH:
        return f"{rest[0]} is no operator; write {EITHER_OR_BOTH[rest[0]]}"
    return f"{rest[0]!r} has no meaning here"


def _read_text(token: _Token) -> str:
    def unescape(match: re.Match[str]) -> str:
        *codes, octal, plain = match.groups()
        code = next(filter(None, codes), None)
        if code or octal:
            number = int(code, 16) if code else int(octal, 8)
            return chr(number) if number < 0x110000 else "\ud800"  # refused below
        if plain not in ESCAPES:
            problem = f"\\{plain} is no escape; a backslash is written twice"
            raise FilterError(token.position + 1 + match.start(), problem)
        return ESCAPES[plain]

    text = ESCAPE.sub(unescape, token.text[1:-1])
    try:
        # Two escapes may be the halves of one character
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise FilterError(token.position, "the text holds what is no character") from None
