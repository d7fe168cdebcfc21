"""Exposures: slates that were delivered are recorded behind the answers, and never in their way."""

from __future__ import annotations

import hashlib
import logging
import random
import time
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from threading import Event, Thread
from typing import Final, NamedTuple

import numpy as np
import orjson
from cachetools import TTLCache

from models.data.customers import MEASURE, NEVER_ASKED, YES
from models.updates.customer import NO_UPDATE
from service.answering.answer_computer import AnswerComputer
from service.answering.query import RecommendationQuery
from service.answering.render import RenderedAnswer, shown_products
from service.model.active_model import ActiveModel
from service.model.loaded_model import LoadedModel
from service.runtime.metrics import Metrics, child_of
from service.store import exposures
from service.store.database import StoreDownError
from service.store.exposures import NOBODY, REPEAT_SECONDS, SLATE_SECONDS, Exposure, Viewer

MAX_WAITING: Final = 5_000  # slates; more are dropped, and counted
WRITE_SECONDS: Final = 0.25  # between two writes
MAX_WRITTEN: Final = 200  # slates in a write: an event that waits for it waits for no more
WAIT_SECONDS: Final = 10.0  # for the store
REMEMBERED: Final = 50_000  # slates, and who saw them
MAX_PRODUCTS: Final = 100  # of a slate that are kept, the first
log: Final = logging.getLogger("regulars.store")


class ShownAnswer(NamedTuple):
    """A query and what was answered: a slate, or the part of a page."""

    query: RecommendationQuery
    answer: RenderedAnswer


@dataclass(frozen=True)
class Delivery:
    """A slate on its way to its record."""

    recommendation_id: str
    viewer: Viewer
    time: int  # seconds since 1970
    campaign: str | None
    body: bytes  # of the answer


class ExposureRecorder:
    """Records what one process delivers: one thread, which writes what has come together.

    A killed process loses what was delivered since the last write.
    """

    def __init__(
        self,
        computer: AnswerComputer,
        active: ActiveModel,
        metrics: Metrics,
        share: float,
        *,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        """Begin to record. `share`: of customers and visits, whose slates are recorded."""
        self._max_waiting = max_waiting
        self._computer, self._active, self._metrics = computer, active, metrics
        self._share, self._secret = share, computer.presentation.links.secret
        self._waiting: deque[Delivery] = deque()
        self._writing = False
        self._forget_delivered()
        self._checked = ""  # version of the model whose refusals hold in what is recorded
        self._closing = Event()
        self._thread = Thread(target=self._run, name="exposures", daemon=True)
        self._thread.start()

    def note(self, shown: Iterable[ShownAnswer]) -> None:
        """Have slates recorded that are delivered now, but for repeats. Called by one thread."""
        for query, answer in shown:
            if query.recorded:  # the record of its campaign is the exposure
                continue
            viewer = viewer_of(query)
            if not self._is_sampled(viewer):
                continue
            key = (answer.recommendation_id, viewer)
            if viewer != NOBODY:
                if key in self._delivered:
                    child_of(self._metrics.exposures, "repeated").inc()
                    continue
                self._delivered[key] = True
            if len(self._waiting) < self._max_waiting:
                delivery = Delivery(*key, int(time.time()), query.campaign, answer.body)
                self._waiting.append(delivery)
            else:
                self._delivered.pop(key, None)
                child_of(self._metrics.exposures, "dropped").inc()

    @property
    def is_idle(self) -> bool:
        """Tell whether all that was delivered has been recorded, or was lost."""
        return not self._waiting and not self._writing

    def close(self) -> None:
        """Write what waits, and end the thread."""
        self._closing.set()
        self._thread.join()

    def remove_refusing(self) -> None:
        """Take ids away of customers who refuse to be measured, as a new model has learned.

        Raises StoreDownError.
        """
        model = self._active.current
        if model is None or model.version == self._checked:
            return
        for customer_id in self._find_refusing(model):
            work = partial(exposures.take_ids_away, customer_id=customer_id)
            self._computer.store.write(work, awaited=False).result()
        self._checked = model.version

    def _is_sampled(self, viewer: Viewer) -> bool:
        """Tell whether what a viewer sees is recorded: always, or never."""
        if self._share >= 1.0:
            return True
        if viewer == NOBODY:
            return random.random() < self._share  # noqa: S311
        name = orjson.dumps(tuple(viewer))
        digest = hashlib.blake2b(name, digest_size=8, key=self._secret[:64]).digest()
        return int.from_bytes(digest, "little") < self._share * 2**64

    def _run(self) -> None:
        while not self._closing.wait(WRITE_SECONDS):
            self._write_waiting()
        self._write_waiting()

    def _write_waiting(self) -> None:
        self._writing = True  # before anything is taken
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        for start in range(0, len(waiting), MAX_WRITTEN):
            together = waiting[start : start + MAX_WRITTEN]
            try:
                self._write(together)
            except Exception as error:  # of any kind: the thread must go on
                log.warning("what was delivered was not recorded: %s", error)
                child_of(self._metrics.exposures, "lost").inc(len(together))
                self._forget_delivered()
        self._writing = False

    def _write(self, together: Sequence[Delivery]) -> None:
        model, store = self._active.current, self._computer.store
        if model is None:
            raise StoreDownError("there is no model")
        slates = self._describe(together)
        shown = [one for one in together if self._slates[one.recommendation_id]]
        live = self._computer.catalogues.as_known(model)
        measured = self._measure(model, {one.viewer for one in shown})
        delivered = [
            Exposure(exposures.name_slate(one.recommendation_id), measured[one.viewer], one.time)
            for one in shown
        ]
        work = partial(
            exposures.record, delivered=delivered, slates=slates, erased=live.erased_number
        )
        recorded = store.write(work, awaited=False).result(WAIT_SECONDS) if shown else 0
        child_of(self._metrics.exposures, "recorded").inc(recorded)
        child_of(self._metrics.exposures, "repeated").inc(len(shown) - recorded)

    def _describe(self, together: Iterable[Delivery]) -> list[exposures.ShownSlate]:
        """Return the slates that this process has not described yet; an empty one is none."""
        slates = []
        for one in together:
            if one.recommendation_id not in self._slates:
                slate = _describe(one)
                self._slates[one.recommendation_id] = slate is not None
                if slate is not None:
                    slates.append(slate)
        return slates

    def _measure(self, model: LoadedModel, viewers: Collection[Viewer]) -> dict[Viewer, Viewer]:
        """Return whom to record for each viewer: nobody for those who are not to be measured.

        Of a visit it is the customer who logged into it. Raises StoreDownError.
        """
        session_ids = {viewer.session_id for viewer in viewers if viewer.session_id is not None}
        owners = {}
        if session_ids:
            read = partial(exposures.read_owners, session_ids=session_ids)
            owners = self._computer.store.read(read)
        visits = self._computer.catalogues.unasked_of(None) == YES
        measured = {}
        for viewer in viewers:
            customer_id = viewer.customer_id or owners.get(viewer.session_id or "")
            if customer_id is not None:
                allowed = self._may_measure(model, customer_id)
                measured[viewer] = Viewer(customer_id) if allowed else NOBODY
            else:
                measured[viewer] = viewer if visits else NOBODY
        return measured

    def _may_measure(self, model: LoadedModel, customer_id: str) -> bool:
        """Tell whether a customer allows to be measured. Not while it cannot be told."""
        computer = self._computer
        live = computer.catalogues.as_known(model)
        if not model.is_whole or live.is_forgotten(customer_id):
            return False
        update = replace(NO_UPDATE, unasked=computer.catalogues.unasked_of(customer_id))
        if computer.store.may_have_answered(customer_id, model.recommender.manifest):
            words = computer.read_words(model, live, customer_id)
            if words is None or words.update.forgotten:
                return False
            update = words.update
        return model.recommender.allows(customer_id, MEASURE, update)

    def _find_refusing(self, model: LoadedModel) -> list[str]:
        """Return who has exposures, and refuses to be measured by what a model has learned."""
        viewers = self._computer.store.read(exposures.read_viewers)
        customers = model.recommender.model.customers
        users = customers.ids.find_all(viewers)
        learned = np.full(len(users), NEVER_ASKED, np.uint8)
        learned[users >= 0] = customers.consent[users[users >= 0], MEASURE]
        unasked = self._computer.catalogues.unasked_of("")
        is_allowed = np.where(learned == NEVER_ASKED, unasked, learned) == YES
        doubtful = [viewers[index] for index in np.flatnonzero(~is_allowed)]
        return [one for one in doubtful if not self._may_measure(model, one)]

    def _forget_delivered(self) -> None:
        """Remember nothing of what was delivered: none of it counts as a repeat."""
        self._delivered: TTLCache[tuple[str, Viewer], bool] = TTLCache(REMEMBERED, REPEAT_SECONDS)
        # Whether each shows anything, of those whose content was written lately
        self._slates: TTLCache[str, bool] = TTLCache(REMEMBERED, SLATE_SECONDS / 2)


def viewer_of(query: RecommendationQuery) -> Viewer:
    """Return who is to see the answer to a query."""
    if query.named_customer is not None:
        return Viewer(query.named_customer)
    return Viewer(session_id=query.session_id) if query.session_id is not None else NOBODY


def _describe(delivery: Delivery) -> exposures.ShownSlate | None:
    """Return the content of a slate, None where it shows nothing."""
    content = orjson.loads(delivery.body)
    products = []
    for product in shown_products(content["recommendations"]):
        reason = product.get("reason")
        products.append((product["id"], product.get("source"), reason and reason["kind"]))
    if not products:
        return None
    return exposures.ShownSlate(
        slate=exposures.name_slate(delivery.recommendation_id),
        recommendation_id=delivery.recommendation_id,
        placement=content["placement"],
        campaign=delivery.campaign,
        strategy=content["strategy"],
        products=orjson.dumps(products[:MAX_PRODUCTS]).decode(),
        time=delivery.time,
    )
