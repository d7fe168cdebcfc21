"""Screens of the console, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from service.console import (
    audit,
    campaigns,
    customers,
    events,
    insights,
    keys,
    models,
    overview,
    products,
    rules,
    settings,
)
from service.console.visit import Download, Move, Page, Visit

Shown: TypeAlias = "Page | Move | Download"


@dataclass(frozen=True)
class Screen:
    """A screen, and the question that it answers."""

    name: str  # in the address
    title: str
    question: str
    show: Callable[[Visit], Awaitable[Shown]]
    act: Callable[[Visit], Awaitable[Shown]] | None = None  # on a form that the screen sends
    admin: bool = True  # whether the scope admin alone sees it: it shows customers or the service
    hidden: bool = False  # reached from other screens alone

    def opens_to(self, visit: Visit) -> bool:
        return visit.is_admin or not self.admin


def _(text: str) -> str:
    """Mark a text that templates translate."""
    return text


SCREENS: Final = (
    Screen(
        "overview",
        _("Overview"),
        _("Is all well, and what is being recommended?"),
        overview.show,
        admin=False,
    ),
    Screen(
        "customers",
        _("Customers"),
        _("Why does this customer see that, and not something else?"),
        customers.show,
        customers.act,
    ),
    Screen(
        "products",
        _("Products"),
        _("What is shown beside this product, and can it be shown at all?"),
        products.show,
        admin=False,
    ),
    Screen(
        "rules",
        _("Rules"),
        _("What have we told the shop to show or to hide, and what does it change?"),
        rules.show,
        rules.act,
        admin=False,
    ),
    Screen(
        "models",
        _("Models"),
        _("Which version is served, and is it the best one?"),
        models.show,
        models.act,
        admin=False,
    ),
    Screen(
        "campaigns",
        _("Campaigns"),
        _("Which mailings are open, and until when does each stay the same?"),
        campaigns.show,
        campaigns.act,
        admin=False,
    ),
    # Experiments stand here once the API has them.
    Screen(
        "insights",
        _("Insights"),
        _("What followed from what we recommended?"),
        insights.show,
    ),
    Screen("events", _("Events"), _("What is the shop telling us right now?"), events.show),
    Screen(
        "keys", _("Keys"), _("Who may call the service, and with which scope?"), keys.show, keys.act
    ),
    Screen("audit", _("Audit"), _("Who changed what, and who looked at whom?"), audit.show),
    Screen(
        "settings",
        _("Settings"),
        _("How is the service set up?"),
        settings.show,
    ),
    Screen("report", _("Report"), "", models.show_report, hidden=True),
)
