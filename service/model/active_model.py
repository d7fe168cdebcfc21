"""The model in service: the registry's active one, unless that is damaged."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import os
import sys
from collections.abc import Callable, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, get_native_id
from typing import Final

from models.artifact.files import find_damaged
from models.artifact.registry import ACTIVE, Registry
from models.errors import ArtifactError, UnreadableError
from models.recommender import Recommender
from service.model.loaded_model import LoadedModel
from service.model.verification import Signature, is_overwritten, signature_of, verify_once
from service.runtime.metrics import Metrics

LOADER_NICENESS: Final = 10  # a tenth of the processor where the others want all of it
log: Final = logging.getLogger("regulars.model")


@dataclass(frozen=True)
class UnservedVersion:
    """Hold why a version is not served."""

    version: str
    reason: str
    signature: Signature = ()  # of damaged files, which are not tried again; () where they may be


class ActiveModel:
    """A follower of the registry that never gives up a good model for a bad one.

    It holds the model in service and those of open campaigns. `current` is replaced by one
    assignment, so an answer is made by one model from beginning to end.
    """

    def __init__(
        self,
        registry: Registry,
        runtime: Path,
        metrics: Metrics,
        warm_up: Callable[[LoadedModel], None],
    ) -> None:
        self.registry = registry
        self.current: LoadedModel | None = None
        self._kept: dict[
            str, LoadedModel | UnservedVersion
        ] = {}  # by version: those of open campaigns
        self._needed: Set[str] = frozenset()
        self._keeping = Lock()
        self._refusals: tuple[
            UnservedVersion, ...
        ] = ()  # of the last look, the active version's first
        self._runtime = runtime
        self._warm_up = warm_up
        self._metrics = metrics

    @property
    def refusal(self) -> UnservedVersion | None:
        """Why the active version is not served, if so."""
        return self._refusals[0] if self._refusals else None

    async def watch(self, poll_seconds: float) -> None:
        """Refresh now and then, until cancelled."""
        loop = asyncio.get_running_loop()
        loader = ThreadPoolExecutor(1, "models", _lower_priority)
        try:
            while True:
                await asyncio.sleep(poll_seconds)
                # With what the task knows, such as whose model it is
                await loop.run_in_executor(loader, contextvars.copy_context().run, self.refresh)
        finally:
            loader.shutdown(wait=False)

    def refresh(self) -> None:
        """Take the active version into service if it is another one and whole. Never raises.

        If the files of the version in service were changed, it is loaded anew, or given up for one
        that was active before.
        """
        try:
            self._note_refusals(self._serve_first_whole(self._find_versions()))
        except ArtifactError as error:
            self._note_refusals([UnservedVersion(ACTIVE, self._reason_of(error))])

    def pinned(self, version: str) -> LoadedModel | None:
        """Return the model that a campaign was pinned to, loaded where it is not.

        None where it cannot be served any more.
        """
        current = self.current
        if current is not None and current.version == version:
            return current
        if version not in self._kept:
            with self._keeping:
                self._load_kept(version)
        kept = self._kept.get(version)
        return kept if isinstance(kept, LoadedModel) else None

    def pin(self, version: str, until: int, now: int) -> None:
        """Have a version kept in the registry until a moment, unless the registry is read-only."""
        try:
            self.registry.pin(version, until, now=now)
        except OSError as error:
            log.warning(
                "model %s of a campaign cannot be marked as needed: %s", version, error.strerror
            )

    def keep(self, versions: Set[str]) -> None:
        """Have the models of open campaigns loaded, and no others besides the one in service."""
        self._needed = versions
        with self._keeping:
            for version in self._kept.keys() - versions:
                del self._kept[version]
            for version in versions:
                if self.current is None or version != self.current.version:
                    self._load_kept(version)

    def _load_kept(self, version: str) -> None:
        """Load a version of a campaign; without it the model in service makes the mails."""
        before = self._kept.get(version)
        if isinstance(before, LoadedModel):
            if not self.is_overwritten(before):
                return
            before = None
        loaded = self._try_to_load(version, before)
        if isinstance(loaded, UnservedVersion) and loaded != before:
            log.error("a campaign needs model %s: %s", version, loaded.reason)
        self._kept[version] = loaded

    def is_overwritten(self, model: LoadedModel) -> bool:
        """Tell whether the files of a model were changed in their place: its answers are wrong."""
        return is_overwritten(model.signature, signature_of(self.registry.path(model.version)))

    def _find_versions(self) -> list[str]:
        """Return the active version, and the existing ones before it where no whole one is served.

        Raises ArtifactError.
        """
        versions = self.registry.pointers()
        current = self.current
        is_whole = current is not None and current.is_whole and not self.is_overwritten(current)
        earlier = [] if is_whole else versions[1:]
        existing = [version for version in earlier if signature_of(self.registry.path(version))]
        return versions[:1] + existing

    def _serve_first_whole(self, versions: list[str]) -> list[UnservedVersion]:
        """Serve the first version that is whole; return why those in front of it are refused.

        Without one, the popular slates of the first that has them are served.
        """
        refusals: list[UnservedVersion] = []
        for version in versions:
            refusal = self._try_to_serve(version)
            if refusal is None:
                return refusals
            refusals.append(refusal)
        current = self.current
        if current is None or self.is_overwritten(current):
            self._serve_popular(versions)
        return refusals

    def _try_to_serve(self, version: str) -> UnservedVersion | None:
        """Serve a version, anew where its files were touched; return why not."""
        current, signature = self.current, signature_of(self.registry.path(version))
        served = current and current.is_whole and version == current.version
        if current and served and signature == current.signature:
            return None
        before = next((refusal for refusal in self._refusals if refusal.version == version), None)
        loaded = self._try_to_load(version, before)
        if isinstance(loaded, UnservedVersion):
            return loaded
        self._swap(loaded)
        return None

    def _serve_popular(self, versions: list[str]) -> None:
        """Serve the popular slates of a damaged version, or nothing."""
        for version in versions:
            directory = self.registry.path(version)
            signature = signature_of(directory)
            # It is refused already, with its reason; an error that may pass is met again.
            with contextlib.suppress(Exception):
                recommender = Recommender.load_popular(directory, find_damaged(directory))
                self._swap(LoadedModel.of(recommender, signature, is_whole=False))
                return
        self.current = None

    def _try_to_load(
        self, version: str, before: UnservedVersion | None
    ) -> LoadedModel | UnservedVersion:
        """Return the model, or why there is none. `before`: why there was none at the last look.

        Damaged files stay refused until they are others; what may pass is tried at every look.
        """
        directory = self.registry.path(version)
        signature = signature_of(directory)
        if before and before.signature and before.signature == signature:
            return before
        try:
            return self._load(directory)
        except UnreadableError as error:
            return UnservedVersion(version, self._reason_of(error))
        except ArtifactError as error:
            return UnservedVersion(version, self._reason_of(error), signature)
        except Exception as error:  # it must not take the good model away, and it may pass
            return UnservedVersion(version, self._reason_of(error))

    def _load(self, directory: Path) -> LoadedModel:
        signature = signature_of(directory)  # of what is checked, not of what it may become
        verify_once(directory, self._runtime)
        model = LoadedModel.of(Recommender.load(directory), signature)
        self._warm_up(model)
        return model

    def _swap(self, model: LoadedModel) -> None:
        previous = self.current
        if previous and previous.version in self._needed:
            self._kept[previous.version] = previous
        self.current = model
        previous_version = previous.version if previous else None
        self._metrics.set_model(model.version, model.created, previous_version)
        what = "model" if model.is_whole else "only popular slates of damaged model"
        log.info("serving %s %s, data as of %s", what, model.version, model.data_as_of)

    def _note_refusals(self, refusals: list[UnservedVersion]) -> None:
        served = f"{self.current.version} is served" if self.current else "there is no other"
        for refusal in refusals:
            if refusal not in self._refusals:
                self._metrics.refusals.inc()
                log.error("refused model %s: %s; %s", refusal.version, refusal.reason, served)
        self._refusals = tuple(refusals)
        self._metrics.refused.set(bool(refusals))

    def _reason_of(self, error: Exception) -> str:
        """Return the reason without the host's directories: /readyz shows it to anyone."""
        text = str(error)
        if not isinstance(error, ArtifactError):
            text = f"{type(error).__name__}: {error}"
        return text.replace(f"{self.registry.root}/", "")


def _lower_priority() -> None:
    """Let this thread compute when the others do not: loading a model keeps no caller waiting."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, get_native_id(), LOADER_NICENESS)
