"""Rules: what the shop has told the service to show or to hide, tried before they hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from models.data.segments import SEGMENTS
from service.console.api import ApiAnswer, address
from service.console.customer_columns import read_columns, write_columns
from service.console.customers import PLACEMENTS, RECENT, find_recent
from service.console.visit import Move, ScreenContent, ScreenVisit

KINDS: Final = ("exclude", "filter", "boost", "bury", "pin", "cap", "minimum", "early_access")
NUMBERS: Final[Mapping[str, Callable[[str], float]]] = {
    "strength": float,
    "position": int,
    "order": int,
    "most": int,
    "minimum": float,
    "min_price": float,
    "max_price": float,
}
LISTS: Final = ("product_ids", "placements", "segments")
WORDS: Final = ("category", "brand", "filter")
# Fields of a form that each kind reads, besides which products it is about
FIELDS: Final = {
    "boost": ("strength",),
    "bury": ("strength",),
    "pin": ("position",),
    "cap": ("by", "most"),
    "minimum": ("of", "minimum"),
}
TIMES: Final = ("starts", "ends")
SHOWN: Final = 10
TRIED_ON: Final = 3  # recent customers
CHANGES: Final = 5
STEPS: Final = {"up": -1, "down": 1}
MOST_ORDERED: Final = 1000  # rules
RULE_CHANGES: Final = ("rule made", "rule changed", "rule deleted")


async def show(visit: ScreenVisit) -> ScreenContent:
    form: Mapping[str, str] = {}
    if visit.asked("id"):
        read = await visit.get(address("rules", visit.asked("id")))
        if not read.ok:
            return ScreenContent("failed.html", {"answer": read, "back": "rules"})
        form = write_form(read.json["rule"])
    return await _page(visit, form)


async def _page(
    visit: ScreenVisit,
    form: Mapping[str, str],
    tried: Sequence[Mapping[str, Any]] = (),
    cost: ApiAnswer | None = None,
    problem: str = "",
) -> ScreenContent:
    rules = await visit.get("/v1/rules", limit=200)
    changes, customers = [], form.get("customers", "")
    if visit.is_admin:
        audit = await visit.get("/v1/audit", limit=200)
        changes = [one for one in audit.json.get("changes", []) if one["action"] in RULE_CHANGES]
        if not form:
            recent = find_recent(await visit.get("/v1/events", limit=RECENT)) or []
            customers = ", ".join(one["id"] for one in recent[:TRIED_ON])
    values = {
        "segments": SEGMENTS,
        "rules": rules,
        "kinds": KINDS,
        "placements": PLACEMENTS,
        "form": {"customers": customers, **form},
        "tried": tried,
        "cost": cost,
        "is_dated": any(form.get(name) for name in TIMES),
        "problem": problem,
        "suggested": _suggest_id(visit.asked("product"), visit.asked("placement")),
        "changes": changes[:CHANGES],
    }
    return ScreenContent("rules.html", values)


def _suggest_id(product_id: str, placement: str) -> str:
    """Return a name for a rule about a product and a placement; empty without both."""
    return f"{product_id[:400]} not in {placement}" if product_id and placement else ""


async def act(visit: ScreenVisit) -> ScreenContent | Move:
    action = visit.sent("act")
    if action == "delete":
        deleted = await visit.send("DELETE", address("rules", visit.sent("id")))
        return _after(deleted, "deleted")
    if action in STEPS:
        return await _move(visit, visit.sent("id"), STEPS[action])
    if action == "undo":
        return await _undo(visit, int(visit.sent("number") or 0))
    try:
        rule = read_form(visit.form)
    except ValueError as error:
        return await _page(visit, visit.form, problem=str(error))
    if action == "save":
        saved = await visit.send("PUT", address("rules", rule["id"]), rule)
        if saved.ok:
            return Move("rules?done=saved")
        return await _page(visit, visit.form, problem=saved.problem)
    return await _try(visit, rule)


def _after(answer: ApiAnswer, done: str) -> ScreenContent | Move:
    if not answer.ok:
        return ScreenContent("failed.html", {"answer": answer, "back": "rules"})
    return Move(f"rules?done={done}")


async def _move(visit: ScreenVisit, rule_id: str, step: int) -> ScreenContent | Move:
    """Have a rule change places with the one above or below it.

    Rules that were never ordered stand by their ids; from then on each has a place of its own.
    """
    listed = await visit.get("/v1/rules", limit=MOST_ORDERED)
    rules = listed.json.get("rules", [])
    ids = [rule["id"] for rule in rules]
    if not listed.ok or rule_id not in ids:
        return ScreenContent("failed.html", {"answer": listed, "back": "rules"})
    here = ids.index(rule_id)
    there = max(0, min(here + step, len(ids) - 1))
    rules.insert(there, rules.pop(here))
    for place, rule in enumerate(rules):
        if rule.get("order") != place:
            moved = await visit.send("PUT", address("rules", rule["id"]), {**rule, "order": place})
            if not moved.ok:
                return ScreenContent("failed.html", {"answer": moved, "back": "rules"})
    return Move("rules?done=moved")


async def _undo(visit: ScreenVisit, number: int) -> ScreenContent | Move:
    """Put a rule back as it was before a change of the audit log."""
    audit = await visit.get("/v1/audit", limit=1000)
    changes = audit.json.get("changes", [])
    change = next((one for one in changes if one["number"] == number), None)
    if change is None or change["action"] not in RULE_CHANGES:
        return ScreenContent("failed.html", {"answer": audit, "back": "rules"})
    path = address("rules", change["subject"])
    if change["before"] is None:
        undone = await visit.send("DELETE", path)
    else:
        undone = await visit.send("PUT", path, change["before"])
    return _after(undone, "undone")


async def _try(visit: ScreenVisit, rule: Mapping[str, Any]) -> ScreenContent:
    """Show slates as they are, as they would be with a rule that held now, and what it costs."""
    undated = {name: value for name, value in rule.items() if name not in TIMES}
    placement = next(iter(rule.get("placements", ())), PLACEMENTS[0])
    customers = list(dict.fromkeys(_split(visit.sent("customers"))))[:TRIED_ON]
    tried = []
    for customer_id in (*customers, None):
        body = {"customer_id": customer_id, "n": SHOWN, "placement": placement}
        old, new = await asyncio.gather(
            visit.send("POST", "/v1/rules/preview", body),
            visit.send(
                "POST", "/v1/rules/preview", {**body, "rules": [undated], "keep_others": True}
            ),
        )
        if not new.ok or not old.ok:
            failed = old if new.ok else new
            return await _page(visit, visit.form, problem=failed.problem)
        compared = _compare(customer_id, rule["id"], old.json, new.json)
        warnings = [one["problem"] for one in new.json["warnings"]]
        tried.append({**compared, "warnings": warnings})
    body = {"rules": [undated], "placement": placement, "n": SHOWN}
    cost = await visit.send("POST", "/v1/rules/cost", body)
    return await _page(visit, visit.form, tried, cost)


def _compare(
    customer_id: str | None, rule_id: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> dict[str, Any]:
    """Return two slates with what left the first, and what is new in the second."""
    before, after = old["with_rules"], new["with_rules"]
    old_ids, new_ids = [one["id"] for one in before], [one["id"] for one in after]
    effect = next((one for one in new["effects"] if one["rule_id"] == rule_id), None)
    return {
        "customer_id": customer_id,
        "before": before,
        "after": after,
        "gone": set(old_ids) - set(new_ids),
        "come": set(new_ids) - set(old_ids),
        "is_same": old_ids == new_ids,
        "kept_out": effect["kept_out"] if effect else None,
    }


def read_form(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the rule that a form describes. Raises ValueError with the field that is wrong."""
    sent = {name: text.strip() for name, text in form.items() if text.strip()}
    kind = sent.get("kind", KINDS[0])
    if "id" not in sent:
        raise ValueError("id: is empty; give the rule a name")
    which = _read_fields(sent, (*WORDS, "min_price", "max_price", "product_ids"))
    rule: dict[str, Any] = {"id": sent["id"], "kind": kind}
    if which:
        rule["which"] = which
    rule |= _read_fields(sent, (*FIELDS.get(kind, ()), "placements", "segments", "market", "order"))
    if "columns" in sent:
        rule["customers"] = read_columns(sent["columns"])
    for name in TIMES:
        if name in sent:
            rule[name] = f"{sent[name][:16]}:00Z"
    return rule


def _read_fields(sent: Mapping[str, str], names: Iterable[str]) -> dict[str, Any]:
    """Return the values of those fields that are not empty. Raises ValueError."""
    values: dict[str, Any] = {}
    for name in names:
        if name in sent:
            text = sent[name]
            values[name] = text
            if name in LISTS:
                values[name] = _split(text)
            elif name in NUMBERS:
                values[name] = _read_number(name, text)
    return values


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _read_number(name: str, text: str) -> float:
    try:
        return NUMBERS[name](text.replace(",", "."))
    except ValueError:
        raise ValueError(f"{name}: {text[:40]!r} is no number") from None


def write_form(rule: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields of a form that describe a rule."""
    which = rule.get("which") or {}
    told = {**rule, **which}
    fields = {
        name: str(value) for name, value in told.items() if isinstance(value, str | int | float)
    }
    for name in LISTS:
        fields[name] = ", ".join(told.get(name) or ())
    fields["columns"] = write_columns(rule.get("customers") or {})
    for name in TIMES:
        fields[name] = fields.get(name, "")[:16]
    return fields
