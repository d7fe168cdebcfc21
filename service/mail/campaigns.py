"""Open campaigns and what they are pinned to, at hand for every mail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from models.mail.mailings import MAILINGS, MailKind
from service.errors import NotFound
from service.model.active_model import ActiveModel
from service.model.loaded_model import LoadedModel
from service.settings import Settings
from service.store import campaigns
from service.store.campaigns import Campaign
from service.store.change_counters import counter_of
from service.store.database import WAIT_SECONDS, StoreDownError
from service.store.store import Store
from service.store.writer import Change

MAX_CACHED_CAMPAIGNS: Final = 1000
NO_CHANGES: Final[Mapping[str, Any]] = MappingProxyType({})


class OpenCampaigns:
    """A cache of the open campaigns, read again when the store tells of a change.

    Another host's change shows as soon as it is followed.
    """

    def __init__(self, store: Store, active: ActiveModel, settings: Settings) -> None:
        self._store = store
        self._active = active
        self._settings = settings
        # By id, with the number of the change it was read after.
        self._cached: dict[str, tuple[int, Campaign]] = {}

    def find_or_open(
        self, campaign_id: str, model: LoadedModel, shop_time: int, clock: int
    ) -> Campaign:
        """Return a campaign, opened and pinned to `model` where it is not open; in a thread.

        Raises StoreDownError.
        """
        number = self._store.counters[counter_of("campaign", campaign_id)]
        cached = self._cached.get(campaign_id)
        if cached is not None and cached[0] == number and cached[1].is_open(clock):
            return cached[1]
        campaign = self._store.read(partial(campaigns.find, campaign_id=campaign_id))
        if campaign is None or not campaign.is_open(clock):
            return self._open(campaign_id, model, shop_time, clock)
        if len(self._cached) >= MAX_CACHED_CAMPAIGNS:
            self._cached.clear()
        self._cached[campaign_id] = (number, campaign)
        return campaign

    def find_or_plan(
        self, campaign_id: str, model: LoadedModel, shop_time: int, clock: int
    ) -> Campaign:
        """Return a campaign as it is, or as its first call would open it now; in a thread.

        Raises StoreDownError.
        """
        campaign = self._store.read(partial(campaigns.find, campaign_id=campaign_id))
        if campaign is None or clock >= campaign.closes:
            return open_campaign(campaign, campaign_id, model, self._settings, shop_time, clock)
        return replace(campaign, opened=min(campaign.opened, clock))

    def _open(self, campaign_id: str, model: LoadedModel, shop_time: int, clock: int) -> Campaign:
        """Open a campaign durably, before anyone gets a slate of it."""
        work = partial(
            put_campaign,
            campaign_id=campaign_id,
            model=model,
            settings=self._settings,
            shop_time=shop_time,
            clock=clock,
        )
        try:
            campaign = self._store.write(work).result(WAIT_SECONDS)
        except TimeoutError:
            raise StoreDownError("slow") from None
        self._active.pin(campaign.model_version, campaign.closes, clock)
        return campaign


def put_campaign(
    change: Change,
    campaign_id: str,
    model: LoadedModel,
    settings: Settings,
    shop_time: int,
    clock: int,
    changes: Mapping[str, Any] = NO_CHANGES,
    *,
    closed: bool = False,
) -> Campaign:
    """Store a campaign with its changes.

    Where it is not open, pin it to a model and to shop time, with what customers did by now.
    `closed`: it is closed instead. Raises NotFound where there is none to close.
    """
    before = campaigns.find(change.connection, campaign_id)
    if before is None and closed:
        raise NotFound("There is no campaign of that name to close.")
    if before is not None and clock < before.opened:
        campaign = campaigns.bring_back(change, before, clock)
    elif before is not None and (closed or clock < before.closes):
        campaign = before
    else:
        campaign = open_campaign(before, campaign_id, model, settings, shop_time, clock)
    changed = replace(campaign, **changes)
    if "as_of" in changes:
        changed = replace(changed, events_until=changed.as_of)
    if closed:
        changed = changed.close(clock)
    return changed if changed == before else campaigns.put(change, changed)


def open_campaign(
    before: Campaign | None,
    campaign_id: str,
    model: LoadedModel,
    settings: Settings,
    shop_time: int,
    clock: int,
) -> Campaign:
    """Return a campaign that opens now, with what was said of it `before`."""
    if before is None:
        return Campaign(
            campaign_id,
            kind=kind_of(campaign_id),
            model_version=model.version,
            as_of=shop_time,
            opened=clock,
            events_until=clock,
            window_hours=settings.campaign_hours,
            not_twice=settings.campaign_not_twice,
        )
    return replace(
        before, model_version=model.version, as_of=shop_time, opened=clock, events_until=clock
    )


def kind_of(campaign_id: str) -> MailKind:
    """Return the kind that a campaign is named after, else a newsletter."""
    mailing = MAILINGS.get(campaign_id.replace("-", "_"))
    return MailKind.NEWSLETTER if mailing is None else mailing.kind
