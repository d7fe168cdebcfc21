"""Occasions on which a shop mails one customer, and the products that each of them is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from models.data.events import CART, DAY, EXPOSURE, KINDS, PURCHASE
from models.data.history import NEVER, build_interactions, find_pair_starts
from models.data.ragged import RowGroups
from models.languages.phrases import Phrase, counted
from models.mail.recipient import MailRecipient
from models.ranking import reasons
from models.ranking.customer_profile import build_profile
from models.ranking.features import build_rows
from models.ranking.reasons import THIS
from models.ranking.replenishment import find_due
from models.rules.eligibility import ExclusionRule
from models.rules.filters import Repeat
from models.slate import Reason, ReasonKind, Slot, Source
from models.sources.repurchase import LAPSED_INTERVALS
from models.trees import probability

WELCOME_DAYS: Final = 14  # after two weeks nobody is new any more
FOLLOW_UP_DAYS: Final = 14  # what goes with an order is bought while the order is new
AHEAD_DAYS: Final = 3  # a mail is read, and its order delivered, a few days later
SILENT_INTERVALS: Final = 2.0  # usual times between orders; one order that is late is no farewell
MIN_SILENT_DAYS: Final = 30  # a customer who comes every other day may be on holiday
SILENT_AFTER_ONE_ORDER_DAYS: Final = 90  # one order tells no usual time
GONE_DAYS: Final = 365  # after a year without an order the customer belongs to somebody else
RESTOCKED_DAYS: Final = 14  # a product that came back is news for two weeks
INTEREST_DAYS: Final = 365  # an older look at a product is forgotten
BASKET_DAYS: Final = 7  # after a week the basket was left on purpose
CHECKOUT_SECONDS: Final = 3_600  # for so long the customer may be at the checkout still
# Events that tell that a customer wants a product, the strongest first, in words
INTEREST: Final = {
    "wishlist": Phrase("You wished for {product}", product=THIS),
    "cart": Phrase("You had {product} in your basket", product=THIS),
    "view": Phrase("You looked at {product}", product=THIS),
    "click": Phrase("You looked at {product}", product=THIS),
}


@dataclass(frozen=True)
class MailOccasion:
    """An occasion to send one customer a mail now."""

    slots: tuple[Slot, ...]  # the products that it is about, best first; there may be none
    text: str  # for the marketer and the recipient
    until: int  # the last second at which the mail makes sense, seconds since 1970


def welcome(recipient: MailRecipient) -> MailOccasion | None:
    """Find what goes with the first order of a customer of the last two weeks.

    A customer who came first in these weeks and ordered nothing is welcomed without products.
    """
    events, ordered = recipient.events, len(recipient.purchase_times) > 0
    times = recipient.purchase_times if ordered else events.time[events.kind != EXPOSURE]
    if len(times) == 0:
        return None
    first = int(times.min())
    until = first + WELCOME_DAYS * DAY
    if recipient.as_of > until:
        return None
    slots: tuple[Slot, ...] = ()
    if ordered:
        slots = _companions(recipient, recipient.ordered_on(first // DAY))
    ago = recipient.ago(first)
    if ordered:
        text = Phrase("Welcome! Your first order with us was {ago}", ago=ago)
    else:
        text = Phrase("Welcome! You first looked around here {ago}", ago=ago)
    return MailOccasion(slots, text, until)


def post_purchase(recipient: MailRecipient) -> MailOccasion | None:
    """Find what goes with an order of the last two weeks, where some of it was kept.

    An order that the history does not hold yet was made this moment.
    """
    named_order = recipient.facts.order
    if named_order:
        time = _time_of(recipient, named_order)
    elif len(recipient.purchase_times):
        time = int(recipient.purchase_times.max())
    else:
        return None
    until = time + FOLLOW_UP_DAYS * DAY
    if recipient.as_of > until:
        return None
    if named_order:
        order = np.setdiff1d(named_order, recipient.sent_back).tolist()
    else:
        order = recipient.ordered_on(time // DAY)
    if not order:
        return None
    slots = _companions(recipient, order)
    text = Phrase(
        "You ordered {products} {ago}", products=recipient.titles(order), ago=recipient.ago(time)
    )
    return MailOccasion(slots, text, until)


def _time_of(recipient: MailRecipient, order: Sequence[int]) -> int:
    events = recipient.events
    lines = (events.kind == PURCHASE) & np.isin(events.item, order)
    return int(events.time[lines].max()) if lines.any() else recipient.as_of


def _companions(recipient: MailRecipient, items: Sequence[int]) -> tuple[Slot, ...]:
    """Find what completes these products, without them and what the customer is not to see."""
    if not items:
        return ()
    request, pairs = recipient.request, recipient.pairs
    removed = recipient.find_removed(request.repeat)
    own = pairs.item[removed[pairs.item] != ExclusionRule.NONE].tolist()
    request = request.without([*own, *request.recent, *request.basket, *recipient.already_shown])
    return recipient.take_first(recipient.recommender.follow_up(items, request).slots)


def replenishment(recipient: MailRecipient) -> MailOccasion | None:
    """Find what the customer is due to buy again, until the first of it counts as given up."""
    if len(recipient.purchase_times) == 0:
        return None
    removed = recipient.find_removed(Repeat.INCLUDE, again=True)
    most = len(recipient.pairs)
    candidates = find_due(recipient, removed, most, AHEAD_DAYS)
    slots = recipient.take_first(
        _own_slot(recipient, product.item, _nearness(recipient.as_of, product.due))
        for product in candidates
    )
    if not slots:
        return None
    due_products = {product.item: product for product in candidates}
    given_up = []
    for slot in slots:
        product = due_products[slot.item]
        given_up.append(product.last + LAPSED_INTERVALS * product.interval_days * DAY)
    return MailOccasion(slots, recipient.explain(slots[0]), int(min(given_up)))


def win_back(recipient: MailRecipient) -> MailOccasion | None:
    """Find favourites and suitable new products of a customer silent for twice their usual time."""
    if len(recipient.purchase_times) == 0:
        return None
    last = int(recipient.purchase_times.max())
    until = last + GONE_DAYS * DAY
    if not last + _silent_days(recipient) * DAY < recipient.as_of <= until:
        return None
    pairs, removed = recipient.pairs, recipient.find_removed(Repeat.AUTO)
    allowed = removed[pairs.item] == ExclusionRule.NONE
    again = (pairs.last != NEVER) & (recipient.clocks.passed >= 1) & allowed
    favourites = np.flatnonzero(again)[np.argsort(-pairs.long[again], kind="stable")]
    half = (recipient.request.n + 1) // 2  # the rest of the mail tells what else there is
    own = [
        _own_slot(recipient, int(pairs.item[index]), float(pairs.long[index]))
        for index in favourites[:half]
    ]
    slots = recipient.take_first([*own, *_arrivals(recipient)])
    days = (recipient.as_of - last) // DAY
    text = counted(
        "It has been a day since your last order",
        "It has been {count} days since your last order",
        int(days),
    )
    return MailOccasion(slots, text, until)


def _silent_days(recipient: MailRecipient) -> float:
    """Return after how many days without an order a customer is silent."""
    days = np.unique(recipient.purchase_times // DAY)
    if len(days) == 1:
        return SILENT_AFTER_ONE_ORDER_DAYS
    usual: float = (days[-1] - days[0]) / (len(days) - 1)
    return max(SILENT_INTERVALS * usual, MIN_SILENT_DAYS)


def back_in_stock(recipient: MailRecipient) -> MailOccasion | None:
    """Find what the customer wanted, was sold out, is there again, and was not bought since."""
    restocked = _recently_restocked(recipient)
    interest: dict[int, Reason] = {}
    for item, time in restocked.items():
        reason = _interest_before(recipient, item, time)
        if reason is not None:
            interest[item] = reason
    if not interest:
        return None
    removed, pairs = recipient.find_removed(Repeat.AUTO, again=True), recipient.pairs
    order = np.argsort(-pairs.taste, kind="stable")
    tastes = zip(pairs.item[order].tolist(), pairs.taste[order].tolist(), strict=True)
    slots = recipient.take_first(
        Slot(item, taste, _source_of(interest[item]), interest[item])
        for item, taste in tastes
        if item in interest and removed[item] == ExclusionRule.NONE
    )
    if not slots:
        return None
    until = min(restocked[slot.item] for slot in slots) + RESTOCKED_DAYS * DAY
    return MailOccasion(slots, recipient.explain(slots[0]), until)


def _recently_restocked(recipient: MailRecipient) -> dict[int, int]:
    """Map items of the customer's events that came back of late to the moments."""
    facts = recipient.facts
    items = np.unique(recipient.events.item).tolist() if facts.restocked else ()
    restocked = {}
    for item in items:
        time = facts.restocked.get(item)
        if time is not None and recipient.as_of - time <= RESTOCKED_DAYS * DAY:
            restocked[item] = time
    return restocked


def _interest_before(recipient: MailRecipient, item: int, restocked: int) -> Reason | None:
    """Return what a customer did with an item before it came back; None if they bought it since."""
    of_item = recipient.events.item == item
    kinds, times = recipient.events.kind[of_item], recipient.events.time[of_item]
    if ((kinds == PURCHASE) & (times >= restocked)).any():
        return None
    before = kinds[(times < restocked) & (times > restocked - INTEREST_DAYS * DAY)]
    if (before == PURCHASE).any():
        again = reasons.buy_again(recipient.pairs, item, recipient.as_of)
        return replace(again, text=_and_back(again.text))
    for kind, text in INTEREST.items():
        if (before == KINDS.index(kind)).any():
            return Reason(ReasonKind.BACK_IN_STOCK, (item,), _and_back(text))
    return None


def _and_back(interest: str) -> Phrase:
    return Phrase("{interest}, and it is back", interest=interest)


def _source_of(reason: Reason) -> Source:
    return Source.OWN_PURCHASES if reason.kind is ReasonKind.BUY_AGAIN else Source.OWN_INTEREST


def basket(recipient: MailRecipient) -> MailOccasion | None:
    """Find what the customer left in the cart, then what completes it."""
    events, as_of = recipient.events, recipient.as_of
    is_recent = recipient.ages(events.time) < BASKET_DAYS * DAY
    in_cart = (events.kind == CART) & is_recent
    if not in_cart.any():
        return None
    # An ordinary slate keeps it out while the visit lasts
    settings = replace(recipient.recommender.settings.history, cart_days=float(BASKET_DAYS))
    pairs = build_interactions(events, find_pair_starts(events), as_of, settings)
    cart_times = np.where(in_cart, events.time, NEVER)
    left = {
        item: int(cart_times[events.item == item].max())
        for item in pairs.item[pairs.in_cart].tolist()
        if in_cart[events.item == item].any()
    }
    removed = recipient.find_removed(Repeat.INCLUDE, again=True)
    allowed = (ExclusionRule.NONE, ExclusionRule.IN_CART)
    items = [item for item in left if removed[item] in allowed]
    ages = recipient.ages(np.array(list(left.values()), np.int64))
    if not items or ages.min() < CHECKOUT_SECONDS:
        return None
    items.sort(key=lambda item: (-left[item], item))
    own = []
    for item in items:
        reason = Reason(ReasonKind.LEFT_IN_BASKET, (item,), Phrase("This is in your basket"))
        own.append(Slot(item, _nearness(as_of, left[item]), Source.OWN_INTEREST, reason))
    slots = recipient.take_first([*own, *_companions(recipient, items)])
    until = max(left[item] for item in items) + BASKET_DAYS * DAY - 1
    text = Phrase("You left {products} in your basket", products=recipient.titles(items))
    return MailOccasion(slots, text, until)


def new_for_you(recipient: MailRecipient) -> MailOccasion | None:
    """Find what came on sale in what the customer buys, until the first of it is new no more."""
    slots = recipient.take_first(_arrivals(recipient))
    if not slots:
        return None
    recommender = recipient.recommender
    first = int(recommender.catalogue.available_from[[slot.item for slot in slots]].min())
    until = first + recommender.settings.arrivals.days * DAY
    return MailOccasion(slots, slots[0].reason.text, until)


def _arrivals(recipient: MailRecipient) -> list[Slot]:
    """Rank what came on sale lately in the categories and brands of a customer."""
    recommender, as_of = recipient.recommender, recipient.as_of
    model, settings, catalogue = recommender.model, recommender.settings, recommender.catalogue
    new = recommender.find_arrivals(recipient.request)
    if len(new) == 0 or len(recipient.purchase_times) == 0:
        return []
    # A model that is some weeks old takes for new what was so when it learned
    young = catalogue.available_from[new] >= as_of - settings.arrivals.days * DAY
    removed = recipient.find_removed(Repeat.EXCLUDE)
    new = new[young & (removed[new] == ExclusionRule.NONE)]
    profile = build_profile(recipient.events, recipient.pairs, model.traits, catalogue, as_of)
    # What is in no category or of no brand, code -1, reads the share 0 at the end
    category_share = np.append(profile.category_share, np.float32(0))[model.traits.category[new]]
    brand_share = np.append(profile.brand_share, np.float32(0))[catalogue.brand[new]]
    least = settings.arrivals.category_share
    items = new[(category_share >= least) | (brand_share >= least)]
    if len(items) == 0:
        return []
    rows, bought = build_rows(items, recipient.context, recommender.ranker.sources)
    groups = RowGroups.of([len(items)])
    scores = recommender.ranker.score_cascade(rows, bought, groups, settings.candidates.ranked)
    log_odds = recommender.rule_effects(recipient.request).log_odds[items]
    order = np.argsort(-(scores + log_odds), kind="stable")
    shown_scores = probability(scores) if model.lesson.learned else scores
    slots = []
    for index in order.tolist():
        item, score = int(items[index]), float(shown_scores[index])
        slots.append(Slot(item, score, Source.NEW, reasons.new_arrival(catalogue, item)))
    return slots


def _own_slot(recipient: MailRecipient, item: int, score: float) -> Slot:
    reason = reasons.buy_again(recipient.pairs, item, recipient.as_of)
    return Slot(item, score, Source.OWN_PURCHASES, reason)


def _nearness(as_of: int, moment: int) -> float:
    """Return 1 at a moment, 1/2 a day before and after it."""
    return 1 / (1 + abs(as_of - moment) / DAY)
