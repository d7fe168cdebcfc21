"""The model in service: follows the registry's pointer, and never gives up a good model for a bad one."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, get_native_id
from typing import Final

from models.artifact.registry import ACTIVE, Registry
from models.errors import ArtifactError
from models.recommender import Recommender
from service.model.loaded_model import LoadedModel
from service.model.verification import Signature, signature_of, verify_once
from service.runtime.metrics import Metrics

LATER: Final = 10  # nice: a tenth of the processor where the others want all of it
log: Final = logging.getLogger("regulars.model")


@dataclass(frozen=True)
class Refusal:
    version: str
    reason: str
    signature: Signature = ()  # of damaged files: others are tried again, and without it the same ones too


class ActiveModel:
    """`current` is replaced by one assignment, so an answer is made by one model from beginning to end."""

    def __init__(
        self,
        registry: Registry,
        runtime: Path,
        metrics: Metrics,
        warm_up: Callable[[LoadedModel], None],
    ) -> None:
        self.registry = registry
        self.current: LoadedModel | None = None
        self._kept: dict[str, LoadedModel | Refusal] = {}  # by version: those of open campaigns
        self._needed: Set[str] = frozenset()
        self._keeping = Lock()
        self._refusals: tuple[Refusal, ...] = ()  # of the last look, the active version's first
        self._runtime = runtime
        self._warm_up = warm_up
        self._metrics = metrics

    @property
    def refusal(self) -> Refusal | None:
        """Why the active version is not served, if so."""
        return self._refusals[0] if self._refusals else None

    async def watch(self, poll_seconds: float) -> None:
        """Until cancelled: look, load beside, swap."""
        loop, behind = asyncio.get_running_loop(), ThreadPoolExecutor(1, "models", _stand_back)
        try:
            while True:
                await asyncio.sleep(poll_seconds)
                await loop.run_in_executor(behind, self.refresh)
        finally:
            behind.shutdown(wait=False)

    def refresh(self) -> None:
        """Take the active version into service if it is another one and whole. Never raises."""
        try:
            self._note(self._follow(self._wanted()))
        except ArtifactError as error:
            self._note([Refusal(ACTIVE, self._shown(error))])

    def pinned(self, version: str) -> LoadedModel | None:
        """A version that a campaign was pinned to, loaded where it is not; None where it cannot be served any more."""
        current = self.current
        if current is not None and current.version == version:
            return current
        if version not in self._kept:
            with self._keeping:
                self._try_again(version)
        kept = self._kept.get(version)
        return kept if isinstance(kept, LoadedModel) else None

    def pin(self, version: str, until: int) -> None:
        """Have it kept in the registry until a moment; where that is only read, whoever prunes it does not know."""
        try:
            self.registry.pin(version, until)
        except OSError as error:
            log.warning(
                "model %s of a campaign cannot be marked as needed: %s", version, error.strerror
            )

    def keep(self, versions: Set[str]) -> None:
        """Have what open campaigns are pinned to at hand, and nothing else besides the model in service."""
        self._needed = versions
        with self._keeping:
            for version in self._kept.keys() - versions:
                del self._kept[version]
            for version in versions:
                if self.current is None or version != self.current.version:
                    self._try_again(version)

    def _try_again(self, version: str) -> None:
        """Have a version at hand that is not. Without it the model in service makes the mails of its campaign."""
        known = self._kept.get(version)
        if isinstance(known, LoadedModel):
            return
        tried = self._tried(version, known)
        if isinstance(tried, Refusal) and tried != known:
            log.error("a campaign needs model %s: %s", version, tried.reason)
        self._kept[version] = tried

    def _wanted(self) -> list[str]:
        """The active version; where no model is served also those before it that exist. Raises ArtifactError."""
        versions = self.registry.pointers()
        earlier = [] if self.current else versions[1:]
        return [
            *versions[:1],
            *(version for version in earlier if signature_of(self.registry.path(version))),
        ]

    def _follow(self, versions: list[str]) -> list[Refusal]:
        """Serve the first whole one; why those in front of it are refused."""
        refusals = []
        for version in versions:
            refusal = self._take(version)
            if refusal is None:
                break
            refusals.append(refusal)
        return refusals

    def _take(self, version: str) -> Refusal | None:
        """Serve a version, or say why not. What is damaged stays refused until its files are others."""
        if self.current and version == self.current.version:
            return None
        known = next((refusal for refusal in self._refusals if refusal.version == version), None)
        tried = self._tried(version, known)
        if isinstance(tried, Refusal):
            return tried
        self._swap(tried)
        return None

    def _tried(self, version: str, known: Refusal | None) -> LoadedModel | Refusal:
        """The model, or why there is none. `known`: why there was none at the last look."""
        directory = self.registry.path(version)
        signature = signature_of(directory)
        if known and known.signature and known.signature == signature:
            return known
        try:
            return self._load(directory)
        except ArtifactError as error:
            return Refusal(version, self._shown(error), signature)
        except (
            Exception
        ) as error:  # whatever it is, it must not take the good model away, and it may pass
            return Refusal(version, self._shown(error))

    def _load(self, directory: Path) -> LoadedModel:
        verify_once(directory, self._runtime)
        model = LoadedModel.of(Recommender.load(directory))
        self._warm_up(model)
        return model

    def _swap(self, model: LoadedModel) -> None:
        previous = self.current
        if previous and previous.version in self._needed:
            self._kept[previous.version] = previous
        self.current = model
        self._metrics.set_model(
            model.version, model.created, previous.version if previous else None
        )
        log.info("serving model %s, data as of %s", model.version, model.data_as_of)

    def _note(self, refusals: list[Refusal]) -> None:
        serves = f"{self.current.version} is served" if self.current else "there is no other"
        for refusal in refusals:
            if refusal not in self._refusals:
                self._metrics.refusals.inc()
                log.error("refused model %s: %s; %s", refusal.version, refusal.reason, serves)
        self._refusals = tuple(refusals)
        self._metrics.refused.set(bool(refusals))

    def _shown(self, error: Exception) -> str:
        """The reason without the host's directories: /readyz shows it to anyone."""
        text = (
            str(error) if isinstance(error, ArtifactError) else f"{type(error).__name__}: {error}"
        )
        return text.replace(f"{self.registry.root}/", "")


def _stand_back() -> None:
    """A model that is read and loaded keeps no caller waiting: this thread computes when the others do not."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, get_native_id(), LATER)
