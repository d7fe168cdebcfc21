"""Warnings of values that no customer has in a column of the customers file: likely misspelled."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from fastapi import Request

from models.rules.unknown_names import find_unknown_values
from service.routes.request_context import get_responder


async def find_value_warnings(
    request: Request, wanted: Mapping[str, Collection[str]]
) -> list[dict[str, str]]:
    """Return a warning for each value that nobody has, as far as a model tells.

    `wanted`: values by column.
    """
    responder = get_responder(request)
    live = await asyncio.to_thread(responder.computer.find_live, responder.active.current)
    if live is None:
        return []
    customers = live.model.recommender.model.customers
    problems = find_unknown_values(wanted, customers)
    return [{"field": problem.field, "problem": problem.sentence} for problem in problems]
