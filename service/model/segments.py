"""Segments of customers as they were last computed, at hand for every answer."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from models.data.customer_figures import CustomerFigures, path_of
from models.data.segments import Segment
from models.errors import ArtifactError, reading_failed

log: Final = logging.getLogger("regulars.service")


class SegmentFollower:
    """Follow the figures of customers in a registry, and keep the newest ones mapped."""

    def __init__(self, registry: Path) -> None:
        self._registry = registry
        self._figures: CustomerFigures | None = None
        self._problem = ""  # why they could not be read at the last look
        self.edition: tuple[int, ...] = ()  # tells one computation from another, () before any

    def follow(self) -> None:
        """Read figures that were computed since. Those that cannot be read put nobody in one."""
        problem = ""
        try:
            edition = self._sign()
            if edition == self.edition:
                return
            figures = CustomerFigures.read(self._registry)
        except ArtifactError as error:
            edition, figures, problem = (), None, str(error)
        self._figures, self.edition = figures, edition
        if problem and problem != self._problem:
            log.warning("nobody is in a segment: %s", problem)
        self._problem = problem

    def find(self, customer_id: str) -> Segment | None:
        """Return a customer's segment, None for whoever is in none."""
        figures = self._figures
        figure = None if figures is None else figures.find(customer_id)
        return None if figure is None else figure.segment

    def _sign(self) -> tuple[int, ...]:
        path = path_of(self._registry)
        try:
            found = path.stat()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise reading_failed(path, error) from error
        return found.st_mtime_ns, found.st_ino, found.st_size
