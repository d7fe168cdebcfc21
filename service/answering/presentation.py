"""How answers present products: the links of mails, and the languages of sentences."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from models.languages.languages import Languages
from service.settings import Settings
from service.signing.click_links import ClickLinks


@dataclass(frozen=True)
class Presentation:
    """Hold what all answers of a shop are written with."""

    links: ClickLinks
    languages: Languages = field(default_factory=Languages)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return what the settings of a service ask for. Raises WordingError."""
        return cls(ClickLinks.from_settings(settings), Languages(settings.wording_dir))
