"""Pages in words: templates, languages, and how numbers and times are written."""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib import resources
from io import BytesIO
from typing import Any, Final
from urllib.parse import urlencode

from babel.core import negotiate_locale
from babel.dates import format_date, format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal, format_percent
from jinja2 import Environment, PackageLoader, StrictUndefined

LANGUAGES: Final = {"en": "English", "de": "Deutsch"}
ENGLISH: Final = "en"


def choose_language(chosen: str | None, accepted: str) -> str:
    """Return the language that was chosen, else the first accepted one that there is."""
    if chosen in LANGUAGES:
        return str(chosen)
    preferred = [part.partition(";")[0].strip() for part in accepted.split(",")]
    return negotiate_locale(preferred, list(LANGUAGES), sep="-") or ENGLISH


def render(language: str, template: str, values: Mapping[str, Any]) -> str:
    """Return a page."""
    return _environment(language).get_template(template).render(values)


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("service.console", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    translations = read_translations(language)
    environment.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]
    environment.globals |= {
        "language": language,
        "languages": LANGUAGES,
        "link": link,
        "word": translations.gettext,
    }
    environment.filters |= {
        "number": lambda value: "–" if value is None else format_decimal(value, locale=language),
        "decimal": lambda value: format_decimal(value, "#,##0.00#", locale=language),
        "signed": lambda value: _write_signed(value, language),
        "percent": lambda value: format_percent(value, "#,##0.0 %", locale=language),
        "money": lambda value, currency: _write_money(value, currency, language),
        "moment": lambda value: _write_moment(value, language),
        "day": lambda value: _write_day(value, language),
    }
    return environment


@cache
def read_translations(language: str) -> gettext.NullTranslations:
    """Return the words of a language."""
    if language == ENGLISH:
        return gettext.NullTranslations()
    file = resources.files("service.console") / "languages" / f"{language}.po"
    compiled = BytesIO()
    with file.open("rb") as stream:
        write_mo(compiled, read_po(stream, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def link(screen: str, **options: Any) -> str:
    """Return the address of a screen, relative to the screens."""
    given = {name: value for name, value in options.items() if value not in (None, "")}
    return f"{screen}?{urlencode(given)}" if given else screen


def _write_signed(value: float | None, language: str) -> str:
    """Return a difference in percent with its sign."""
    if value is None:
        return "–"
    return format_percent(value, "+#,##0.0 %;-#,##0.0 %", locale=language)


def _write_money(value: float | None, currency: str | None, language: str) -> str:
    if value is None:
        return "–"
    if currency is None:
        return str(format_decimal(value, locale=language))
    return format_currency(value, currency, locale=language)


def _write_moment(value: str | None, language: str) -> str:
    if not value:
        return "–"
    return format_datetime(datetime.fromisoformat(value), "d MMM y, HH:mm", locale=language)


def _write_day(value: str | None, language: str) -> str:
    if not value:
        return "–"
    return format_date(datetime.fromisoformat(value), "d MMM y", locale=language)
