"""Languages that phrases are said in: ours, and the shop's own wording over them."""

from __future__ import annotations

import gettext
from collections.abc import Iterator, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from string import Formatter
from typing import Final

from babel.core import UnknownLocaleError
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from babel.numbers import format_decimal

from models.languages.phrases import Phrase, Value

FOLDER: Final = Path(__file__).parent
ENGLISH: Final = "en"
LANGUAGES: Final = ("de", ENGLISH, "es", "fr", "it", "ja", "nl", "pl", "pt", "sv")


class WordingError(Exception):
    """A file of the shop's own wording cannot be used; the message names the file and the line."""


class Language:
    """One language; `name` is that of its file, such as de or pt_BR."""

    def __init__(self, name: str, translations: gettext.NullTranslations) -> None:
        self.name = name
        self._translations = translations

    def say(self, text: str) -> str:
        """Return a text in this language; one that is no phrase, or not translated, as it is."""
        if not isinstance(text, Phrase):
            return text
        values = {name: self._say_value(value) for name, value in text.values.items()}
        if text.plural:
            count = int(text.values["count"])
            message = self._translations.ngettext(text.message, text.plural, count)
        else:
            message = self._translations.gettext(text.message)
        return message.format_map(values) if values else message

    def _say_value(self, value: Value) -> str | int:
        if isinstance(value, float):
            return format_decimal(value, "0.0", locale=self.name)
        return self.say(value) if isinstance(value, str) else value


class Languages:
    """All languages of a shop. `wording`: a folder with files of its own, such as de.po."""

    def __init__(self, wording: Path | None = None) -> None:
        """Read the shop's own wording. Raises WordingError naming file and message."""
        own = read_wording(wording) if wording else {}
        self._own = {name: _translations(catalog) for name, catalog in own.items()}
        self._of: dict[str, Language] = {}

    def of(self, locale: str) -> Language:
        """Return the language of a known locale, such as de_AT; English where there is none."""
        language = self._of.get(locale)
        if language is None:
            language = self._of[locale] = self._find(locale)
        return language

    def _find(self, locale: str) -> Language:
        name = locale.replace("-", "_")
        for candidate in (name, name.partition("_")[0]):
            own = self._own.get(candidate)
            if own is not None or candidate in LANGUAGES:
                return Language(candidate, self._join(candidate, own))
        return Language(ENGLISH, self._join(ENGLISH, self._own.get(ENGLISH)))

    def _join(self, name: str, own: gettext.NullTranslations | None) -> gettext.NullTranslations:
        language = name.partition("_")[0]
        ours = _read_ours(language) if language in LANGUAGES else gettext.NullTranslations()
        if own is None:
            return ours
        joined = gettext.NullTranslations()
        joined.add_fallback(own)
        own.add_fallback(ours)
        return joined


def read_wording(folder: Path) -> dict[str, Catalog]:
    """Return the shop's own files by language. Raises WordingError."""
    if not folder.is_dir():
        raise WordingError(f"{folder}: no such folder")
    known = {message.id: message for message in read_catalog(FOLDER / "de.po") if message.id}
    catalogs = {}
    for path in sorted(folder.glob("*.po")):
        catalog = read_catalog(path)
        for message in filter(lambda message: message.id, catalog):
            _check(path, message, known.get(message.id))
        catalogs[path.stem] = catalog
    return catalogs


def _check(path: Path, message: Message, known: Message | None) -> None:
    line = f"{path}, line {message.lineno}"
    if known is None:
        raise WordingError(f"{line}: no answer says {message.id!r}")
    allowed = {name for text in texts_of(message.id) for name in placeholders(text)}
    for text in texts_of(message.string):
        unknown = set(_placeholders_of(line, text)) - allowed
        if unknown:
            raise WordingError(f"{line}: {{{min(unknown)}}} is not in {message.id!r}")


def texts_of(message: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the forms of a message: one, or one for each kind of number."""
    return (message,) if isinstance(message, str) else tuple(message or ())


def placeholders(text: str) -> Iterator[str]:
    """Yield the names in braces. Raises ValueError where the braces do not close."""
    for _, name, specification, conversion in Formatter().parse(text):
        if name is not None:
            yield f"{name}!{conversion}" if conversion or specification else name


def _placeholders_of(line: str, text: str) -> list[str]:
    try:
        return list(placeholders(text))
    except ValueError as error:
        raise WordingError(f"{line}: {error}") from None


@cache
def _read_ours(name: str) -> gettext.NullTranslations:
    if name == ENGLISH:
        return gettext.NullTranslations()
    return _translations(read_catalog(FOLDER / f"{name}.po"))


def read_catalog(path: Path) -> Catalog:
    """Return the messages of a file. Raises WordingError."""
    try:
        with path.open("rb") as file:
            return read_po(file, locale=path.stem, abort_invalid=True)
    except OSError as error:
        raise WordingError(f"{path}: {error.strerror}") from None
    except (PoFileError, UnicodeDecodeError, UnknownLocaleError, ValueError) as error:
        raise WordingError(f"{path}: {error}") from None


def _translations(catalog: Catalog) -> gettext.GNUTranslations:
    file = BytesIO()
    write_mo(file, catalog)
    file.seek(0)
    return gettext.GNUTranslations(file)
