"""Customers read why a product is shown in their own language, in pages and in mails."""

from pathlib import Path

import pytest

from tests.support.service_shop import Browse

pytestmark = pytest.mark.slow
SLATE = "/v1/customers/c00/recommendations"
WORDS = {"en": "You buy this", "de": "Sie kaufen dieses Produkt", "ja": "この商品を"}


def said(client, address: str = SLATE, **options: str) -> tuple[str, str]:
    answer = client.get(address, params=options).json()
    texts = [product["reason"]["text"] for product in answer["recommendations"]]
    return answer["language"], " ".join(texts)


def test_the_locale_of_a_call_is_the_language_of_its_sentences(browse: Browse) -> None:
    client = browse()
    for _ in range(2):  # computed, and from the cache
        for locale, language in (("en_US", "en"), ("de_AT", "de"), ("ja", "ja"), ("fi_FI", "en")):
            name, text = said(client, locale=locale)
            assert name == language
            assert WORDS[language] in text
    english, german = (
        client.get(SLATE, params={"locale": locale}).json() for locale in ("en", "de")
    )
    assert english["recommendation_id"] == german["recommendation_id"]


def test_popular_products_due_products_feeds_and_profiles_are_told_in_it_too(
    browse: Browse,
) -> None:
    client = browse(default_locale="de_DE")
    assert "Gerade beliebt" in said(client, "/v1/popular")[1]
    assert "Gerade beliebt" in said(client, "/v1/feeds/popular.json", locale="de")[1]
    assert "Sie kaufen" in client.get("/v1/customers/c00/replenishment?as_of=2025-07-20").text
    assert "Sie kaufen" in client.get("/v1/customers/c00/profile").text
    assert "You buy" in client.get("/v1/customers/c00/profile?locale=en").text
    block = client.get(f"{SLATE}.html").text
    assert '<table role="presentation" lang="de"' in block
    assert "Sie kaufen" in block


def test_a_mail_that_was_kept_is_read_in_the_language_of_each_part(browse: Browse) -> None:
    client = browse()
    english = said(client, campaign="spring", locale="en")
    german = said(client, campaign="spring", locale="de")
    assert WORDS["en"] in english[1]
    assert WORDS["de"] in german[1]
    assert said(client, campaign="spring", locale="en") == english


def test_the_shop_says_it_in_its_own_words(browse: Browse, tmp_path: Path) -> None:
    (tmp_path / "en.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        'msgid "Popular right now"\nmsgstr "Everybody wants it"\n'
    )
    client = browse(wording_dir=tmp_path)
    assert "Everybody wants it" in said(client, "/v1/popular")[1]
