"""Forms that make one thing or replace it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from service.console.visit import Move, ScreenContent, ScreenVisit

Form = Mapping[str, str]
ReadForm = Callable[[Form], dict[str, Any]]
ShowForm = Callable[[ScreenVisit, Form, str], Awaitable[ScreenContent]]


async def put_form(
    visit: ScreenVisit, path: str, read: ReadForm, show: ShowForm, done: str
) -> ScreenContent | Move:
    """PUT what a form describes, and move on to `done`; or show it again with what is wrong.

    `read` raises ValueError with a sentence; `show` is given the form and the sentence.
    """
    try:
        body = read(visit.form)
    except ValueError as error:
        return await show(visit, visit.form, str(error))
    made = await visit.send("PUT", path, body)
    if not made.ok:
        return await show(visit, visit.form, made.problem)
    return Move(done)
