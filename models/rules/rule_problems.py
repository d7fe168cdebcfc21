"""Sentences about what is wrong with a rule: by field, with its value and what it should be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from models.rules.shop_rules import AnyShopRule, RuleError

KINDS: Final = tuple(rule.kind for rule in get_args(AnyShopRule))
MOST_CHARACTERS: Final = 100  # of a value that is shown again


@dataclass(frozen=True)
class RuleProblem:
    field: str  # such as `which.category`; empty: the rule itself
    sentence: str


def rule_problems(errors: Iterable[Mapping[str, Any]]) -> list[RuleProblem]:
    """Return a problem for each error of pydantic about one rule, of a union told apart by kind."""
    return [_problem(error) for error in errors]


def _problem(error: Mapping[str, Any]) -> RuleProblem:
    path: list[str | int] = list(error["loc"][1:])  # the kind stands first
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, RuleError):
        path.append(cause.field)
    if error["type"].startswith("union_tag"):
        path.append("kind")
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return RuleProblem(field.removeprefix("."), _sentence(error, cause))


def _sentence(error: Mapping[str, Any], cause: Any) -> str:
    kind = error["type"]
    if kind == "missing":
        return "is missing; a rule of this kind needs it"
    if kind == "union_tag_not_found":
        return f"is missing; it should be one of {', '.join(KINDS)}"
    if kind == "json_invalid":
        return f"is not JSON ({cause})"
    if kind == "unexpected_keyword_argument":
        return "is no field of this kind of rule; leave it out"
    if kind == "union_tag_invalid":
        return (
            f"is {error['ctx']['tag']!r:.{MOST_CHARACTERS}}; it should be one of {', '.join(KINDS)}"
        )
    value = error["input"]
    if isinstance(cause, RuleError):
        value = value.get(cause.field, value) if isinstance(value, Mapping) else value
    expected = str(cause) if isinstance(cause, ValueError) else error["msg"]
    subject, should, rest = expected.partition("should")  # pydantic's subject is "Input", "String"
    return f"is {value!r:.{MOST_CHARACTERS}}; it {should + rest if should else subject}"
