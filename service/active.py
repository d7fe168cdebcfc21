"""The model in service: follows the registry's pointer, and never gives up a good model for a bad one."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.cards import card
from models.errors import ArtifactError
from models.recommender import Recommender
from models.registry import ACTIVE, Registry
from models.slate import SlateRequest
from service.body import Model
from service.metrics import Metrics
from service.verification import Signature, signature_of, verify_once

log: Final = logging.getLogger("regulars.model")


@dataclass(frozen=True)
class Refusal:
    version: str
    reason: str
    signature: Signature  # of the files that were refused: others are tried again


class ActiveModel:
    """`current` is replaced by one assignment, so an answer is made by one model from beginning to end."""

    def __init__(self, registry: Registry, runtime: Path, metrics: Metrics, locale: str = "en_US") -> None:
        self.registry = registry
        self.current: Model | None = None
        self.refusal: Refusal | None = None
        self._runtime = runtime
        self._locale = locale
        self._metrics = metrics

    async def watch(self, poll_seconds: float) -> None:
        """Until cancelled: look, load beside, swap."""
        while True:
            await asyncio.sleep(poll_seconds)
            await asyncio.to_thread(self.refresh)

    def refresh(self) -> None:
        """Take the active version into service if it is another one and whole. Never raises."""
        try:
            version = self.registry.active()
        except ArtifactError as error:
            self._refuse(Refusal(ACTIVE, self._shown(error), ()))
            return
        if version is None or (self.current and version == self.current.version):
            self._accept()
            return
        directory = self.registry.path(version)
        signature = signature_of(directory)
        if self.refusal and (self.refusal.version, self.refusal.signature) == (version, signature):
            return
        try:
            self._swap(self._load(directory))
        except Exception as error:  # whatever it is, it must not take the good model away
            self._refuse(Refusal(version, self._shown(error), signature))

    def _load(self, directory: Path) -> Model:
        verify_once(directory, self._runtime)
        recommender = Recommender.load(directory)
        self._warm(recommender)
        return Model.of(recommender)

    def _warm(self, recommender: Recommender) -> None:
        """One slate of each kind, so that the first caller does not wait for pages, windows and words of a locale."""
        for slot in recommender.popular(SlateRequest()).slots:
            card(recommender.catalogue, slot.item, self._locale)
            recommender.recommend(None, SlateRequest(recent=(slot.item,)))

    def _swap(self, model: Model) -> None:
        previous = self.current.version if self.current else None
        self.current = model
        self._accept()
        self._metrics.model(model.version, model.created, previous)
        log.info("serving model %s, data as of %s", model.version, model.data_as_of)

    def _accept(self) -> None:
        self.refusal = None
        self._metrics.refused.set(0)

    def _refuse(self, refusal: Refusal) -> None:
        if refusal == self.refusal:
            return
        self.refusal = refusal
        self._metrics.refused.set(1)
        self._metrics.refusals.inc()
        kept = f"{self.current.version} stays" if self.current else "there is no other"
        log.error("refused model %s: %s; %s", refusal.version, refusal.reason, kept)

    def _shown(self, error: Exception) -> str:
        """The reason without the host's directories: /readyz shows it to anyone."""
        text = str(error) if isinstance(error, ArtifactError) else f"{type(error).__name__}: {error}"
        return text.replace(f"{self.registry.root}/", "")
