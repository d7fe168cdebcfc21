"""Screens of the console, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from service.console import (
    audit,
    bundles,
    campaigns,
    customers,
    events,
    experiments,
    holdout,
    insights,
    keys,
    mails,
    models,
    offers,
    overview,
    products,
    rules,
    settings,
    shops,
)
from service.console.visit import Download, Move, ScreenContent, ScreenVisit
from service.http.authorization import Scope

Shown: TypeAlias = "ScreenContent | Move | Download"


@dataclass(frozen=True)
class Screen:
    """A screen, and the question that it answers."""

    name: str  # in the address
    title: str
    question: str
    show: Callable[[ScreenVisit], Awaitable[Shown]]
    act: Callable[[ScreenVisit], Awaitable[Shown]] | None = None  # on a form that the screen sends
    scope: Scope = Scope.ADMIN  # that sees it; admin where it shows customers or the service
    hidden: bool = False  # reached from other screens alone

    def opens_to(self, visit: ScreenVisit) -> bool:
        return visit.session.caller.has(self.scope)


def _(text: str) -> str:
    """Mark a text that templates translate."""
    return text


SCREENS: Final = (
    Screen(
        "overview",
        _("Overview"),
        _("Is all well, and what is being recommended?"),
        overview.show,
        scope=Scope.READ,
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
        scope=Scope.READ,
    ),
    Screen(
        "rules",
        _("Rules"),
        _("What have we told the shop to show or to hide, and what does it change?"),
        rules.show,
        rules.act,
        scope=Scope.READ,
    ),
    Screen(
        "bundles",
        _("Bundles"),
        _("What do we sell together at a price of its own, and is it shown?"),
        bundles.show,
        bundles.act,
        scope=Scope.READ,
    ),
    Screen(
        "models",
        _("Models"),
        _("Which version is served, and is it the best one?"),
        models.show,
        models.act,
        scope=Scope.READ,
    ),
    Screen(
        "campaigns",
        _("Campaigns"),
        _("Which mailings are open, and whose mail is due?"),
        campaigns.show,
        campaigns.act,
        scope=Scope.READ,
    ),
    Screen(
        "mails",
        _("Mails"),
        _("How do our mails look, and what would these customers find in theirs?"),
        mails.show,
        mails.act,
    ),
    Screen(
        "offers",
        _("Offers"),
        _("What do we thank our customers with, and how many codes are left?"),
        offers.show,
        offers.act,
    ),
    Screen(
        "experiments",
        _("Experiments"),
        _("Which variant is better, and can it be trusted yet?"),
        experiments.show,
        experiments.act,
    ),
    Screen(
        "holdout",
        _("Holdout"),
        _("What does all of Regulars earn, beside customers who are never personalised?"),
        holdout.show,
        holdout.act,
        hidden=True,
    ),
    Screen(
        "insights",
        _("Insights"),
        _("What followed from what we recommended, and do our customers stay?"),
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
    Screen(
        "shops",
        _("Shops"),
        _("Which other shops are served from here, and with which version?"),
        shops.show,
        scope=Scope.SHOPS,
    ),
    Screen("report", _("Report"), "", models.show_report, hidden=True),
)
