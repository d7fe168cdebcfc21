"""Rules: what the shop has told the service to show or to hide, tried before they hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from service.console.api import ApiAnswer, address
from service.console.customers import PLACEMENTS, RECENT, find_recent
from service.console.visit import Move, Page, Visit

KINDS: Final = ("exclude", "filter", "boost", "bury", "pin", "cap", "minimum")
NUMBERS: Final[Mapping[str, Callable[[str], float]]] = {
    "strength": float,
    "position": int,
    "most": int,
    "minimum": float,
    "min_price": float,
    "max_price": float,
}
LISTS: Final = ("product_ids", "placements")
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
RULE_CHANGES: Final = ("rule made", "rule changed", "rule deleted")


async def show(visit: Visit) -> Page:
    form: Mapping[str, str] = {}
    if visit.asked("id"):
        read = await visit.get(address("rules", visit.asked("id")))
        if not read.ok:
            return Page("failed.html", {"answer": read, "back": "rules"})
        form = write_form(read.json["rule"])
    return await _page(visit, form, [])


async def _page(
    visit: Visit, form: Mapping[str, str], tried: Sequence[Mapping[str, Any]], problem: str = ""
) -> Page:
    rules = await visit.get("/v1/rules", limit=200)
    changes, customers = [], form.get("customers", "")
    if visit.is_admin:
        audit = await visit.get("/v1/audit", limit=200)
        changes = [one for one in audit.json.get("changes", []) if one["action"] in RULE_CHANGES]
        if not form:
            recent = find_recent(await visit.get("/v1/events", limit=RECENT)) or []
            customers = ", ".join(one["id"] for one in recent[:TRIED_ON])
    values = {
        "rules": rules,
        "kinds": KINDS,
        "placements": PLACEMENTS,
        "form": {"customers": customers, **form},
        "tried": tried,
        "problem": problem,
        "changes": changes[:CHANGES],
    }
    return Page("rules.html", values)


async def act(visit: Visit) -> Page | Move:
    action = visit.sent("act")
    if action == "delete":
        deleted = await visit.send("DELETE", address("rules", visit.sent("id")))
        return _after(deleted, "deleted")
    if action == "undo":
        return await _undo(visit, int(visit.sent("number") or 0))
    try:
        rule = read_form(visit.form)
    except ValueError as error:
        return await _page(visit, visit.form, [], str(error))
    if action == "save":
        saved = await visit.send("PUT", address("rules", rule["id"]), rule)
        if saved.ok:
            return Move("rules?done=saved")
        return await _page(visit, visit.form, [], saved.problem)
    return await _try(visit, rule)


def _after(answer: ApiAnswer, done: str) -> Page | Move:
    if not answer.ok:
        return Page("failed.html", {"answer": answer, "back": "rules"})
    return Move(f"rules?done={done}")


async def _undo(visit: Visit, number: int) -> Page | Move:
    """Put a rule back as it was before a change of the audit log."""
    audit = await visit.get("/v1/audit", limit=1000)
    changes = audit.json.get("changes", [])
    change = next((one for one in changes if one["number"] == number), None)
    if change is None or change["action"] not in RULE_CHANGES:
        return Page("failed.html", {"answer": audit, "back": "rules"})
    path = address("rules", change["subject"])
    if change["before"] is None:
        undone = await visit.send("DELETE", path)
    else:
        undone = await visit.send("PUT", path, change["before"])
    return _after(undone, "undone")


async def _try(visit: Visit, rule: Mapping[str, Any]) -> Page:
    """Show slates of customers as they are, and as they would be with a rule."""
    listed = await visit.get("/v1/rules", limit=200)
    others = [one for one in listed.json.get("rules", []) if one["id"] != rule["id"]]
    placement = next(iter(rule.get("placements", ())), PLACEMENTS[0])
    customers = list(dict.fromkeys(_split(visit.sent("customers"))))[:TRIED_ON]
    tried = []
    for customer_id in (*customers, None):
        body = {"customer_id": customer_id, "n": SHOWN, "placement": placement}
        old, new = await asyncio.gather(
            visit.send("POST", "/v1/rules/preview", body),
            visit.send("POST", "/v1/rules/preview", {**body, "rules": [*others, rule]}),
        )
        if not new.ok or not old.ok:
            failed = old if new.ok else new
            return await _page(visit, visit.form, [], failed.problem)
        compared = _compare(customer_id, rule["id"], old.json, new.json)
        place = f"rules[{len(others)}]"  # of this rule among those that were tried
        warnings = [
            one["problem"] for one in new.json["warnings"] if one["field"].startswith(place)
        ]
        tried.append({**compared, "warnings": warnings})
    return await _page(visit, visit.form, tried)


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
    rule |= _read_fields(sent, (*FIELDS.get(kind, ()), "placements", "market"))
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
    for name in TIMES:
        fields[name] = fields.get(name, "")[:16]
    return fields
