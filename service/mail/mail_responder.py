"""Answers that are recorded in a campaign: what a mail showed a customer once, it shows again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Final

from models.mail.mailings import MAILINGS
from models.updates.customer import MIDDLE_RATING
from service.answering.answer import assign_variant
from service.answering.answer_computer import AnswerComputer, ComputedAnswer
from service.answering.query import AnswerMoment, RecommendationQuery, StoreKnowledge
from service.mail.campaigns import OpenCampaigns
from service.mail.mail_record import CampaignMail, find_mail, window_start
from service.mail.mail_slate import (
    HANDLED_KINDS,
    ComposedMail,
    MailInputs,
    compose_mail,
    find_handled_since,
)
from service.model.active_model import ActiveModel
from service.model.live_catalogue import CatalogueFollower, LiveCatalogue
from service.model.loaded_model import LoadedModel
from service.runtime.metrics import Metrics
from service.store import campaigns, events
from service.store.campaigns import MailRecord
from service.store.change_counters import counter_of
from service.store.store import CustomerRecords
from service.store.writer import Change

LIKED: Final = MIDDLE_RATING  # stars; a customer who gives fewer does not want to see the product
log: Final = logging.getLogger("regulars.store")


@dataclass(frozen=True)
class MailResponder:
    """A computer of the answers to queries with a customer and a campaign, called in threads."""

    computer: AnswerComputer
    active: ActiveModel
    open_campaigns: OpenCampaigns
    pinned_catalogues: CatalogueFollower  # of the models that campaigns are pinned to
    metrics: Metrics
    keep_days: int  # how long what mails showed is kept

    def compute(self, model: LoadedModel, query: RecommendationQuery) -> ComputedAnswer:
        """Return the slate of a campaign, and have what it shows for the first time recorded.

        Of a mail that is rehearsed nothing is recorded, and no campaign is opened for it.
        """
        computer, clock = self.computer, int(time.time())
        shop_time = computer.catalogues.shop_time_of(model)
        opened = self.open_campaigns
        find = opened.find_or_plan if query.rehearsed else opened.find_or_open
        campaign = computer.ask_store(partial(find, query.campaign or "", model, shop_time, clock))
        if campaign is None:
            return computer.compute_without_store(model, query)
        triggered = MAILINGS[campaign.kind].triggered
        pinned = model if triggered else self.active.pinned(campaign.model_version) or model
        catalogues = computer.catalogues if triggered else self.pinned_catalogues
        found = self._look_up(catalogues, pinned, query)
        if found is None:
            return computer.compute_without_store(model, query)
        live, records = found
        mail = find_mail(campaign, query.ref(computer.store.identity), records.mails, clock)
        knowledge = computer.knowledge_of(live, query.customer_id, records)
        query = assign_mail(live, query, mail, knowledge)
        if query.switched_off:
            return computer.compute(model, query)
        answering = computer.find_other_model(pinned, query)
        if mail.record is None and query.model_version not in (None, answering.version):
            query = query.assign(None)  # its model cannot be served any more
        if answering is not pinned:
            found = self._look_up(computer.other_catalogues, answering, query)
        handled = self._handled(model, answering, mail, query.customer_id or "")
        if found is None or handled is None:
            return computer.compute_without_store(model, query)
        live, records = found
        knowledge = computer.knowledge_of(live, query.customer_id, records)
        if triggered:
            moment = AnswerMoment(shop_time)
        else:
            moment = AnswerMoment(campaign.as_of, campaign.events_until or campaign.as_of)
        inputs = MailInputs(
            live=live,
            query=query,
            presentation=computer.presentation,
            knowledge=knowledge,
            mail=mail,
            handled=handled,
            moment=moment,
            shop_time=shop_time,
            newest_event=records.position.newest or 0,
            keep_days=self.keep_days,
        )
        with computer.computing:
            composed = compose_mail(inputs)
        if not query.rehearsed:
            self._record(composed, mail, query.customer_id or "", live, clock)
        computed = ComputedAnswer(composed.answer, records.stamp)
        return computer.add_offer(computed, live, query, knowledge, composed.occasion)

    def _look_up(
        self, catalogues: CatalogueFollower, model: LoadedModel, query: RecommendationQuery
    ) -> tuple[LiveCatalogue, CustomerRecords] | None:
        """Return the catalogue of a model and the records of a customer; None without the store."""
        records = self.computer.read_customer(model, query)
        if records is None:
            return None
        live = self.computer.read_catalogue(catalogues, model, query, records.position)
        return None if live is None else (live, records)

    def _handled(
        self, model: LoadedModel, pinned: LoadedModel, mail: CampaignMail, customer_id: str
    ) -> list[str] | None:
        """Return the products that the customer bought or refused since a mail was made.

        From what was reported, and from what a newer model learned. None while the store is away.
        """
        reported = self._reported_since(mail, customer_id)
        if reported is None:
            return None
        handled = [
            row.product_id
            for row in reported
            if row.kind in HANDLED_KINDS or (row.rating or LIKED) < LIKED
        ]
        version, as_of = pinned.version, mail.campaign.as_of
        if mail.record:
            version, as_of = mail.record["model_version"], mail.record["as_of"]
        if version == model.version:
            return handled
        return handled + find_handled_since(model.recommender, customer_id, as_of)

    def _reported_since(self, mail: CampaignMail, customer_id: str) -> list[events.EventRow] | None:
        """Return the customer's events since a mail was recorded; None while the store is away."""
        store = self.computer.store
        if not mail.record:
            return []
        recorded = mail.record["number"]
        if store.counters[counter_of("customer", customer_id)] <= recorded:
            return []
        read = partial(events.read_customer, customer_id=customer_id, above=recorded)
        return self.computer.ask_store(partial(store.read, read))

    def _record(
        self,
        composed: ComposedMail,
        mail: CampaignMail,
        customer_id: str,
        live: LiveCatalogue,
        clock: int,
    ) -> None:
        campaign = mail.campaign
        if composed.document is not None:
            # No host's clock puts it before the mailing that it is of.
            when = max(clock, campaign.opened)
            record = MailRecord(
                mail.ref, campaign.campaign_id, customer_id, when, composed.document
            )
            after = window_start(campaign, clock)
            self._write(
                partial(
                    campaigns.record_mail,
                    record=record,
                    valid_after=after,
                    erased=live.erased_number,
                )
            )
        elif composed.also:
            self._write(
                partial(campaigns.record_replacements, ref=mail.ref, products=composed.also)
            )

    def _write(self, work: Callable[[Change], bool]) -> None:
        written = self.computer.store.write(work, awaited=False)
        written.add_done_callback(self._count_write)

    def _count_write(self, written: Future[bool]) -> None:
        error = written.exception()
        if error is not None:
            log.warning("what a mail showed was not recorded: %s", error)
            outcome = "lost"
        else:
            outcome = "recorded" if written.result() else "known"
        self.metrics.mails.labels(outcome).inc()


def assign_mail(
    live: LiveCatalogue,
    query: RecommendationQuery,
    mail: CampaignMail,
    knowledge: StoreKnowledge,
) -> RecommendationQuery:
    """Return the query as its experiment has it answered.

    The first mail of a campaign to a customer decides: later ones stay in its part, also after the
    experiment has ended, and in none where it was in none. A part that was stopped as it did harm
    shows again what it has shown, and nothing new.
    """
    if not mail.is_begun:
        return assign_variant(live, query, knowledge)
    return query.assign(live.recall_variant(mail.variant, is_shown=mail.record is not None))
