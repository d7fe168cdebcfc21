"""Every sentence that a customer reads is said in every language, with plurals that are right."""

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.languages.languages import (
    FOLDER,
    LANGUAGES,
    Languages,
    WordingError,
    placeholders,
    read_catalog,
    texts_of,
)
from models.languages.phrases import Phrase, counted, pack_text, unpack_text

ROOT = Path(__file__).parents[3]
OURS = Languages()
EVERY = "You buy {product} about every day", "You buy {product} about every {count} days"


def every(days: int, product: str = "Milch") -> Phrase:
    return counted(*EVERY, days, product=product)


def messages() -> Iterator[tuple[str, str]]:
    """Every message in the source and its plural, "" where nothing is counted."""
    for path in (*ROOT.glob("models/**/*.py"), *ROOT.glob("service/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            words = [
                argument.value
                for argument in node.args
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            ]
            if node.func.id == "counted":
                yield words[0], words[1]
            elif node.func.id in ("Phrase", "ReasonTemplate"):
                yield from ((word, "") for word in words)


@pytest.mark.parametrize("name", sorted(set(LANGUAGES) - {"en"}))
def test_a_language_says_every_sentence_and_names_what_the_english_one_does(name: str) -> None:
    said = {
        texts_of(message.id): texts_of(message.string)
        for message in read_catalog(FOLDER / f"{name}.po")
    }
    expected = {(message, plural) if plural else (message,) for message, plural in messages()}
    assert len(expected) > 40
    assert set(said) - {()} - {("",)} == expected
    for ids in expected:
        assert all(said[ids]), ids
        allowed = {name for text in ids for name in placeholders(text)}
        most = max((set(placeholders(text)) for text in said[ids]), key=len)
        assert most == allowed, ids


def test_english_is_what_a_phrase_is_without_a_language() -> None:
    assert every(9) == "You buy Milch about every 9 days"
    assert every(1) == "You buy Milch about every day"
    assert OURS.of("en_US").say(every(9)) == every(9)


@pytest.mark.parametrize(
    ("locale", "days", "expected"),
    [
        ("de_AT", 1, "Sie kaufen Milch etwa jeden Tag"),
        ("de", 9, "Sie kaufen Milch etwa alle 9 Tage"),
        ("fr-FR", 9, "Vous achetez Milch environ tous les 9 jours"),
        ("pl_PL", 2, "Kupujesz Milch mniej więcej co 2 dni"),
        ("ja_JP", 1, "Milchをおよそ1日ごとに購入されています"),
    ],
)
def test_numbers_are_said_as_the_language_says_them(locale: str, days: int, expected: str) -> None:
    assert OURS.of(locale).say(every(days)) == expected


def test_a_decimal_is_written_as_the_language_writes_it() -> None:
    words = "Rated {stars} of 5 by one customer", "Rated {stars} of 5 by {count} customers"
    text = counted(*words, 12, stars=4.0)
    assert text == "Rated 4.0 of 5 by 12 customers"
    assert OURS.of("fr").say(unpack_text(pack_text(text))) == "Noté 4,0 sur 5 par 12 clients"


def test_polish_has_a_form_for_few_and_one_for_many() -> None:
    polish = OURS.of("pl")
    days = (
        "It has been a day since your last order",
        "It has been {count} days since your last order",
    )
    said = [polish.say(counted(*days, count)).split()[3] for count in (1, 3, 5, 22)]
    assert said == ["minął", "minęły", "minęło", "minęły"]


def test_a_sentence_in_a_sentence_is_said_in_the_same_language() -> None:
    ago = counted("yesterday", "{count} days ago", 3)
    text = Phrase("You ordered {products} {ago}", products="{Milch}", ago=ago)
    assert text == "You ordered {Milch} 3 days ago"
    assert OURS.of("de").say(text) == "vor 3 Tagen haben Sie bestellt: {Milch}"


def test_a_title_takes_the_place_of_this_product_everywhere_in_a_sentence() -> None:
    bought = Phrase("You bought {product} twice", product=Phrase("this"))
    back = Phrase("{interest}, and it is back", interest=bought)
    assert back.naming("Tee") == "You bought Tee twice, and it is back"
    assert OURS.of("sv").say(back) == "Du har köpt den här varan två gånger, och den finns igen"


def test_a_language_that_is_missing_is_told_by_the_name_of_the_one_that_is_used() -> None:
    finnish = OURS.of("fi_FI")
    assert finnish.name == "en"
    assert finnish.say(every(9)) == every(9)
    assert OURS.of("pt_BR").name == "pt"


def test_what_a_shop_writes_itself_is_said_as_it_stands() -> None:
    assert OURS.of("de").say("In season, {so}") == "In season, {so}"


@pytest.mark.parametrize("text", [every(3, Phrase("this")), "{In} season", every(1, "a {b} c")])
def test_a_sentence_that_was_kept_can_be_said_in_any_language(text: str) -> None:
    for again in (unpack_text(pack_text(text)), pickle.loads(pickle.dumps(text))):
        assert again == text
        assert OURS.of("de").say(again) == OURS.of("de").say(text)


HEAD = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'


def wording(folder: Path, content: str, name: str = "de.po") -> Languages:
    (folder / name).write_text(HEAD + content)
    return Languages(folder)


def test_a_shop_has_its_own_words_and_ours_for_the_rest(tmp_path: Path) -> None:
    own = wording(tmp_path, 'msgid "Popular right now"\nmsgstr "Voll angesagt"\n')
    german = own.of("de_DE")
    assert german.say(Phrase("Popular right now")) == "Voll angesagt"
    assert german.say(Phrase("Chosen by our shop")) == "Von unserem Shop ausgewählt"
    own = wording(tmp_path, 'msgid "Popular right now"\nmsgstr "Hot"\n', "en.po")
    assert own.of("en_GB").say(Phrase("Popular right now")) == "Hot"
    own = wording(tmp_path, 'msgid "Popular right now"\nmsgstr "Suosittua"\n', "fi.po")
    assert (own.of("fi_FI").name, own.of("fi_FI").say(Phrase("today"))) == ("fi", "today")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('msgid "Popular now"\nmsgstr "Da"\n', "line 4: no answer says 'Popular now'"),
        ('msgid "Similar to {title}"\nmsgstr "Wie {name}"\n', r"\{name\} is not in"),
        ('msgid "Similar to {title}"\nmsgstr "Wie {title.x}"\n', r"\{title.x\} is not in"),
        ('msgid "Similar to {title}"\nmsgstr "Wie {title!r}"\n', "is not in"),
        ('msgid "Similar to {title}"\nmsgstr "Wie {title"\n', "expected '}'"),
        ("nonsense\n", "de.po"),
    ],
)
def test_words_that_cannot_be_used_are_refused_with_file_and_line(
    tmp_path: Path, content: str, problem: str
) -> None:
    with pytest.raises(WordingError, match=problem):
        wording(tmp_path, content)
    with pytest.raises(WordingError, match="no such folder"):
        Languages(tmp_path / "nowhere")
