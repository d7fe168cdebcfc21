"""Rules of the shop from a file, to measure what they cost."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from models.rules.rule_problems import rule_problems
from models.rules.shop_rules import AnyShopRule
from training.errors import InputError

SHOP_RULE: Final[TypeAdapter[AnyShopRule]] = TypeAdapter(
    Annotated[AnyShopRule, Field(discriminator="kind")]
)


def read_rules(path: Path) -> tuple[AnyShopRule, ...]:
    """Read a JSON list of rules as if they held everywhere and always.

    The days that are measured lie behind the rules. Raises InputError.
    """
    try:
        content = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise InputError(f"{path}: is not JSON ({error})") from None
    if not isinstance(content, list) or not all(isinstance(rule, dict) for rule in content):
        raise InputError(f"{path}: expected a list of rules, each a JSON object")
    rules = []
    for number, document in enumerate(content, 1):
        try:
            rule = SHOP_RULE.validate_json(orjson.dumps(document))
        except ValidationError as error:
            problem = rule_problems(error.errors())[0]
            message = f"{path}: rule {number}: `{problem.field}` {problem.sentence}"
            raise InputError(message) from None
        rules.append(replace(rule, placements=None, starts=None, ends=None))
    for rule_id, count in Counter(rule.id for rule in rules).items():
        if count > 1:
            raise InputError(f"{path}: {count} rules have the id {rule_id!r}; give each its own")
    return tuple(rules)
