"""Rules of the shop from a file, to measure what they cost."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import orjson

from models.rules.shop_rule_json import RuleError, rule_of
from models.rules.shop_rules import ShopRule
from training.errors import InputError


def read_rules(path: Path) -> tuple[ShopRule, ...]:
    """The rules of a JSON list as if they held everywhere and always: the days that are measured lie behind them."""
    try:
        content = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise InputError(f"{path}: is not JSON ({error})") from None
    if not isinstance(content, list) or not all(isinstance(rule, dict) for rule in content):
        raise InputError(f"{path}: expected a list of rules, each a JSON object")
    rules = []
    for number, rule in enumerate(content, 1):
        try:
            rules.append(replace(rule_of(rule), placements=(), starts=None, ends=None))
        except RuleError as error:
            raise InputError(f"{path}: rule {number}: {error}") from None
    for name, times in Counter(rule.id for rule in rules).items():
        if times > 1:
            raise InputError(f"{path}: {times} rules have the id {name!r}; give each its own")
    return tuple(rules)
