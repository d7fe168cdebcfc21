"""Every sentence of the console is said in every language that it offers."""

import re
from functools import cache

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from service.console.render import ENGLISH, LANGUAGES, choose_language
from tests.test_architecture import ROOT

CONSOLE = ROOT / "service" / "console"
METHODS = [("templates/**.html", "jinja2.ext:babel_extract"), ("**.py", "python")]
PLACE = re.compile(r"%\(\w+\)s")


@cache
def said() -> frozenset[str]:
    """Every sentence that stands in a template, or is the title of a screen."""
    options = {"templates/**.html": {"silent": "false"}}
    found = extract_from_dir(CONSOLE, METHODS, options, keywords={"_": None})
    return frozenset(str(message) for _, _, message, _, _ in found)


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {ENGLISH}))
def test_every_sentence_is_translated_with_what_stands_in_it(language: str) -> None:
    with (CONSOLE / "languages" / f"{language}.po").open("rb") as file:
        catalog = {message.id: message.string for message in read_po(file) if message.id}
    assert len(said()) > 300
    assert set(catalog) == said()
    for message, translated in catalog.items():
        assert translated, message
        assert sorted(PLACE.findall(translated)) == sorted(PLACE.findall(message)), message


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        (None, "", "en"),
        (None, "de-AT,de;q=0.9,en;q=0.8", "de"),
        (None, "fr, it", "en"),
        ("en", "de", "en"),
        ("xx", "de", "de"),
    ],
)
def test_the_language_is_the_one_chosen_else_the_first_that_the_browser_asks_for(
    chosen: str | None, accepted: str, language: str
) -> None:
    assert choose_language(chosen, accepted) == language
