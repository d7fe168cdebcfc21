"""What open campaigns are pinned to, at hand for every mail: read once, and again when the store tells of a change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from models.mail.mailings import MailKind
from service.model.active_model import ActiveModel
from service.model.loaded_model import LoadedModel
from service.settings import Settings
from service.store import campaigns
from service.store.campaigns import Campaign
from service.store.change_counters import counter_of
from service.store.database import WAIT_SECONDS, StoreDownError
from service.store.store import Store
from service.store.writer import Change

MOST: Final = 1000  # campaigns held here
NO_CHANGE: Final[Mapping[str, Any]] = MappingProxyType({})


class OpenCampaigns:
    """Of one process; another host's change shows as soon as it is followed."""

    def __init__(self, store: Store, active: ActiveModel, settings: Settings) -> None:
        self._store = store
        self._active = active
        self._settings = settings
        self._held: dict[
            str, tuple[int, Campaign]
        ] = {}  # by id, with the number of the change it was read after

    def of(self, campaign_id: str, model: LoadedModel, clock: int) -> Campaign:
        """In a thread: a campaign, opened and pinned to `model` where it is not open. Raises StoreDownError."""
        number = self._store.revisions[counter_of("campaign", campaign_id)]
        held = self._held.get(campaign_id)
        if held is not None and held[0] == number and clock < held[1].closes:
            return held[1]
        found = self._store.read(partial(campaigns.of, campaign_id=campaign_id))
        if found is None or clock >= found.closes:
            return self._opened(campaign_id, model, clock)
        if len(self._held) >= MOST:
            self._held.clear()
        self._held[campaign_id] = (number, found)
        return found

    def _opened(self, campaign_id: str, model: LoadedModel, clock: int) -> Campaign:
        """Durable, before anyone gets a slate of it."""
        work = partial(
            put, campaign_id=campaign_id, model=model, settings=self._settings, clock=clock
        )
        try:
            campaign = self._store.write(work).result(WAIT_SECONDS)
        except TimeoutError:
            raise StoreDownError("slow") from None
        self._active.pin(campaign.model_version, campaign.closes)
        return campaign


def put(
    change: Change,
    campaign_id: str,
    model: LoadedModel,
    settings: Settings,
    clock: int,
    given: Mapping[str, Any] = NO_CHANGE,
) -> Campaign:
    """The campaign with what is `given`. Where it is not open it is pinned: the first to ask decides to what."""
    before = campaigns.of(change.connection, campaign_id)
    campaign = before
    if campaign is None or clock >= campaign.closes:
        newest = max(model.recommender.manifest.data_as_of, change.newest or 0)
        pins: dict[str, Any] = {"model_version": model.version, "as_of": newest, "opened": clock}
        said: dict[str, Any] = {
            "kind": kind_of(campaign_id),
            "window_hours": settings.campaign_hours,
            "not_twice": settings.campaign_not_twice,
        }
        campaign = replace(before, **pins) if before else Campaign(campaign_id, **said, **pins)
    changed = replace(campaign, **given)
    return changed if changed == before else campaigns.put(change, changed)


def kind_of(campaign_id: str) -> MailKind:
    """A campaign that nobody has said more about is of the kind that it is named after, else a newsletter."""
    return next(
        (kind for kind in MailKind if kind == campaign_id.replace("-", "_")), MailKind.NEWSLETTER
    )
