"""What may happen to a customer that a shop mails them about, and which products each of it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from models.assembly import reasons
from models.data.events import CART, DAY, EXPOSURE, KINDS, PURCHASE
from models.data.history import NEVER, build_interactions, find_pair_starts
from models.data.ragged import RowGroups
from models.mail.recipient import MailRecipient
from models.ranking.customer_profile import customer_profile
from models.ranking.features import features
from models.ranking.ranker import probability
from models.ranking.replenishment import LAPSED, due
from models.rules.eligibility import ExclusionRule
from models.rules.filters import Repeat
from models.slate import Reason, ReasonKind, Slot, Source

WELCOME_DAYS: Final = 14  # after two weeks nobody is new any more
FOLLOW_UP_DAYS: Final = 14  # what goes with an order is bought while the order is new
AHEAD_DAYS: Final = 3  # a mail is read, and its order delivered, a few days later
SILENT: Final = 2.0  # usual times between orders; one order that is late is no farewell
SILENT_DAYS: Final = 30  # at least: who comes every other day may be on holiday
SILENT_AFTER_ONE_DAYS: Final = 90  # where one order tells no usual time
GONE_DAYS: Final = 365  # after a year without an order the customer belongs to somebody else
BACK_DAYS: Final = 14  # what came back is news for two weeks
INTEREST_DAYS: Final = 365  # what was looked at longer ago is forgotten
BASKET_DAYS: Final = 7  # after a week the basket was left on purpose
LEFT_SECONDS: Final = 3_600  # before that the customer may be at the checkout still
# What tells that a customer wants a product, the strongest first, in words
INTEREST: Final = {
    "wishlist": "You wished for this",
    "cart": "You had this in your basket",
    "view": "You looked at this",
    "click": "You looked at this",
}


@dataclass(frozen=True)
class MailOccasion:
    """Why this customer gets this mail now."""

    slots: tuple[Slot, ...]  # the products that it is about, best first; there may be none
    text: str  # for the marketer and the recipient
    until: int  # the last second at which the mail makes sense, seconds since 1970


def welcome(one: MailRecipient) -> MailOccasion | None:
    """For who ordered first, or came first and ordered nothing, in the last two weeks: what goes with that order."""
    ordered = len(one.bought_at) > 0
    began = one.bought_at if ordered else one.events.time[one.events.kind != EXPOSURE]
    if len(began) == 0:
        return None
    first = int(began.min())
    until = first + WELCOME_DAYS * DAY
    if one.as_of > until:
        return None
    slots = _goes_with(one, one.ordered_on(first // DAY)) if ordered else ()
    did = "Your first order with us was" if ordered else "You first looked around here"
    return MailOccasion(slots, f"Welcome! {did} {one.ago(first)}", until)


def post_purchase(one: MailRecipient) -> MailOccasion | None:
    """For who ordered in the last two weeks, and kept some of it: what goes with it.

    An order that the history does not hold yet was made this moment.
    """
    if one.facts.order:
        lines = (one.events.kind == PURCHASE) & np.isin(one.events.item, one.facts.order)
        when = int(one.events.time[lines].max(initial=NEVER)) if lines.any() else one.as_of
    elif len(one.bought_at):
        when = int(one.bought_at.max())
    else:
        return None
    until = when + FOLLOW_UP_DAYS * DAY
    if one.as_of > until:
        return None
    order = (
        np.setdiff1d(one.facts.order, one.sent_back).tolist()
        if one.facts.order
        else one.ordered_on(when // DAY)
    )
    if not order:
        return None
    slots = _goes_with(one, order)
    return MailOccasion(slots, f"You ordered {one.titles(order)} {one.ago(when)}", until)


def _goes_with(one: MailRecipient, items: Sequence[int]) -> tuple[Slot, ...]:
    """What completes these products, without them and what the customer is not to see."""
    if not items:
        return ()
    request = one.request
    removed = one.removed(request.repeat)
    own = one.pairs.item[removed[one.pairs.item] != ExclusionRule.NONE].tolist()
    kept_out = (*request.filters.exclude, *own, *request.recent, *request.basket, *one.before)
    filters = replace(request.filters, exclude=kept_out)
    return one.leading(one.recommender.follow_up(items, replace(request, filters=filters)).slots)


def replenishment(one: MailRecipient) -> MailOccasion | None:
    """For who is due to buy something again: that. Until the first of it counts as given up.

    First what they did buy again, then what others do.
    """
    if len(one.bought_at) == 0:
        return None
    again = due(
        one,
        one.removed(Repeat.INCLUDE, again=True),
        one.recommender.model,
        len(one.pairs),
        AHEAD_DAYS,
    )
    found = {
        product.item: product for product in sorted(again, key=lambda product: product.lines < 2)
    }
    slots = one.leading(
        _own(one, item, _near(one.as_of, product.due)) for item, product in found.items()
    )
    if not slots:
        return None
    given_up = (
        found[slot.item].last + LAPSED * found[slot.item].interval_days * DAY for slot in slots
    )
    return MailOccasion(slots, one.told(slots[0]), int(min(given_up)))


def win_back(one: MailRecipient) -> MailOccasion | None:
    """For who bought nothing for twice their usual time: their own favourites, then what is new and suits them."""
    if len(one.bought_at) == 0:
        return None
    last, days = int(one.bought_at.max()), np.unique(one.bought_at // DAY)
    usual = (days[-1] - days[0]) / (len(days) - 1) if len(days) > 1 else None
    silent = SILENT_AFTER_ONE_DAYS if usual is None else max(SILENT * usual, SILENT_DAYS)
    until = last + GONE_DAYS * DAY
    if not last + silent * DAY < one.as_of <= until:
        return None
    pairs, removed = one.pairs, one.removed(Repeat.AUTO)
    again = (
        (pairs.last != NEVER)
        & (one.clocks.passed >= 1)
        & (removed[pairs.item] == ExclusionRule.NONE)
    )
    favourites = np.flatnonzero(again)[np.argsort(-pairs.long[again], kind="stable")]
    # At most half of the mail: the rest tells what else there is.
    own = [
        _own(one, int(pairs.item[at]), float(pairs.long[at]))
        for at in favourites[: (one.request.n + 1) // 2]
    ]
    slots = one.leading([*own, *_arrivals(one)])
    return MailOccasion(
        slots, f"It has been {(one.as_of - last) // DAY} days since your last order", until
    )


def back_in_stock(one: MailRecipient) -> MailOccasion | None:
    """For who wanted what was sold out and is there again, and did not buy it since: that."""
    came = {
        item: when
        for item in (np.unique(one.events.item).tolist() if one.facts.restocked else ())
        if (when := one.facts.restocked.get(item)) is not None
        and one.as_of - when <= BACK_DAYS * DAY
    }
    why = {
        item: reason
        for item, when in came.items()
        if (reason := _wanted(one, item, when)) is not None
    }
    if not why:
        return None
    removed, pairs = one.removed(Repeat.AUTO, again=True), one.pairs
    order = np.argsort(-pairs.taste, kind="stable")
    slots = one.leading(
        Slot(item, taste, _source(why[item]), why[item])
        for item, taste in zip(pairs.item[order].tolist(), pairs.taste[order].tolist(), strict=True)
        if item in why and removed[item] == ExclusionRule.NONE
    )
    if not slots:
        return None
    return MailOccasion(
        slots, one.told(slots[0]), min(came[slot.item] for slot in slots) + BACK_DAYS * DAY
    )


def _wanted(one: MailRecipient, item: int, came: int) -> Reason | None:
    """What the customer did with a product before it came back; None: nothing, or they have bought it since."""
    mine = one.events.item == item
    kinds, times = one.events.kind[mine], one.events.time[mine]
    if ((kinds == PURCHASE) & (times >= came)).any():
        return None
    before = kinds[(times < came) & (times > came - INTEREST_DAYS * DAY)]
    if (before == PURCHASE).any():
        again = reasons.buy_again(one.pairs, item, one.as_of)
        return replace(again, text=f"{again.text}, and it is back")
    did = next(
        (text for kind, text in INTEREST.items() if (before == KINDS.index(kind)).any()), None
    )
    return (
        None
        if did is None
        else Reason(ReasonKind.BECAUSE_YOU_VIEWED, (item,), f"{did}, and it is back")
    )


def _source(reason: Reason) -> Source:
    return Source.OWN_PURCHASES if reason.kind is ReasonKind.BUY_AGAIN else Source.NEIGHBOURS


def basket(one: MailRecipient) -> MailOccasion | None:
    """For who left something in the cart: that, then what completes it."""
    if not ((one.events.kind == CART) & (one.events.time > one.as_of - BASKET_DAYS * DAY)).any():
        return None
    # Of an ordinary slate it is kept out while the visit lasts.
    settings = replace(one.recommender.settings.history, cart_days=float(BASKET_DAYS))
    pairs = build_interactions(one.events, find_pair_starts(one.events), one.as_of, settings)
    put = np.where(one.events.kind == CART, one.events.time, NEVER)
    left = {
        item: int(put[one.events.item == item].max()) for item in pairs.item[pairs.in_cart].tolist()
    }
    removed = one.removed(Repeat.INCLUDE, again=True)
    shown = [item for item in left if removed[item] in (ExclusionRule.NONE, ExclusionRule.IN_CART)]
    if not shown or max(left.values()) > one.as_of - LEFT_SECONDS:
        return None
    shown.sort(key=lambda item: (-left[item], item))
    why = {
        item: Reason(ReasonKind.BECAUSE_OF_BASKET, (item,), "This is in your basket")
        for item in shown
    }
    theirs = [
        Slot(item, _near(one.as_of, left[item]), Source.NEIGHBOURS, why[item]) for item in shown
    ]
    slots = one.leading([*theirs, *_goes_with(one, shown)])
    until = max(left[item] for item in shown) + BASKET_DAYS * DAY - 1
    return MailOccasion(slots, f"You left {one.titles(shown)} in your basket", until)


def new_for_you(one: MailRecipient) -> MailOccasion | None:
    """For whom something of what they buy has just come on sale: that. Until the first of it is new no more."""
    slots = one.leading(_arrivals(one))
    if not slots:
        return None
    recommender = one.recommender
    came = int(recommender.catalogue.available_from[[slot.item for slot in slots]].min())
    return MailOccasion(
        slots, slots[0].reason.text, came + recommender.settings.arrivals.days * DAY
    )


def _arrivals(one: MailRecipient) -> list[Slot]:
    """What has just come on sale in the categories and brands of a customer, as the recommender ranks it."""
    recommender, model, settings = one.recommender, one.recommender.model, one.recommender.settings
    new = recommender.find_arrivals(one.as_of)
    if len(new) == 0 or len(one.bought_at) == 0:
        return []
    catalogue, brands = recommender.catalogue, len(recommender.catalogue.brand_names)
    # A model that is some weeks old takes for new what was so when it learned.
    young = catalogue.available_from[new] >= one.as_of - settings.arrivals.days * DAY
    new = new[young & (one.removed(Repeat.EXCLUDE)[new] == ExclusionRule.NONE)]
    profile = customer_profile(
        one.events, one.pairs, model.traits, catalogue.brand, brands, one.as_of
    )
    least = settings.arrivals.category_share
    suits = np.append(profile.category_share, np.float32(0))[model.traits.category[new]] >= least
    suits |= np.append(profile.brand_share, np.float32(0))[catalogue.brand[new]] >= least
    items = new[suits]
    if len(items) == 0:
        return []
    rows, bought = features(items, one.case, model, settings)
    scores = recommender.ranker.cascade(
        rows, bought, RowGroups.of([len(items)]), settings.candidates.ranked
    )
    order = np.argsort(
        -(scores + recommender.rule_effects(one.request).log_odds[items]), kind="stable"
    )
    told = probability(scores) if model.lesson.learned else scores
    return [
        Slot(
            int(items[at]), float(told[at]), Source.NEW, reasons.arrival(catalogue, int(items[at]))
        )
        for at in order
    ]


def _own(one: MailRecipient, item: int, score: float) -> Slot:
    return Slot(item, score, Source.OWN_PURCHASES, reasons.buy_again(one.pairs, item, one.as_of))


def _near(as_of: int, when: int) -> float:
    """1 at a moment, 1/2 a day before and after it."""
    return 1 / (1 + abs(as_of - when) / DAY)
