"""What stands in the columns of a file of slates."""

from dataclasses import replace

import pyarrow as pa
import pytest

from models.data.catalogue import Catalogue
from models.data.ids import Strings
from models.mail.mailings import MailKind
from models.mail.occasions import MailOccasion
from models.rules.filters import Repeat
from models.slate import (
    FallbackReason,
    Reason,
    ReasonKind,
    ScoreKind,
    Slate,
    Slot,
    Source,
    Strategy,
)
from tests.support.shop import Line, Product, moment
from tests.support.training_shop import small_purchases, trained
from training.export.columns import Cards, ExportOptions, Layout, RecipientSlate, slate_table

HERE = "https://shop.example"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    products = [
        Product(
            id="bread", title='Bread, "dark"', price=1.29, currency="EUR", url="/p/bread?size=2"
        ),
        Product(id="milk", title="Milk", url="https://elsewhere.example/milk"),
        Product(id="salt"),
    ]
    shop = trained(
        small_purchases([Line("anna", "bread", 1.0), Line("anna", "salt", 2.0)], products)
    )
    assert list(shop.catalogue.ids) == ["bread", "milk", "salt"]
    return replace(shop.catalogue, image_url=Strings.of(["b.jpg", "", ""]))


def mail(
    catalogue: Catalogue, customer: str, *products: str, occasion: MailOccasion | None = None
) -> RecipientSlate:
    slots = [
        Slot(
            catalogue.ids.find(product),
            0.5,
            Source.FACTORS,
            Reason(ReasonKind.POPULAR, (), f"Try {product}"),
        )
        for product in products
    ]
    reason = None if products else FallbackReason.NO_CANDIDATES
    return RecipientSlate(
        customer, Slate(Strategy.PERSONAL, reason, tuple(slots), ScoreKind.BLEND), occasion
    )


def wide(
    catalogue: Catalogue, cards: Cards | None, *mails: RecipientSlate, n: int = 2
) -> list[dict[str, object]]:
    return slate_table(
        mails, ExportOptions(n, Repeat.AUTO, Layout.WIDE, cards), catalogue
    ).to_pylist()


def test_a_card_is_all_that_a_mail_shows_and_what_is_missing_is_empty(catalogue: Catalogue) -> None:
    full, short, none = wide(
        catalogue,
        Cards("de_DE", HERE),
        mail(catalogue, "anna", "bread", "milk"),
        mail(catalogue, "bert", "salt"),
        mail(catalogue, "cleo"),
    )
    assert full == {
        "customer_id": "anna",
        "count": 2,
        "strategy": "personal",
        "fallback_reason": None,
        "rec_1_id": "bread",
        "rec_1_title": 'Bread, "dark"',
        "rec_1_price": 1.29,
        "rec_1_price_text": "1,29\xa0€",
        "rec_1_currency": "EUR",
        "rec_1_url": f"{HERE}/p/bread?size=2",
        "rec_1_image_url": f"{HERE}/b.jpg",
        "rec_1_reason": "Try bread",
        "rec_1_source": "factors",
        "rec_2_id": "milk",
        "rec_2_title": "Milk",
        "rec_2_price": None,
        "rec_2_price_text": None,
        "rec_2_currency": None,
        "rec_2_url": "https://elsewhere.example/milk",
        "rec_2_image_url": None,
        "rec_2_reason": "Try milk",
        "rec_2_source": "factors",
        "experiment": None,
        "variant": None,
    }
    assert list(short) == list(full)
    assert (short["count"], short["rec_1_id"], short["rec_1_title"]) == (1, "salt", None)
    assert {value for name, value in short.items() if name.startswith("rec_2")} == {None}
    assert (none["count"], none["fallback_reason"], none["rec_1_id"]) == (0, "no_candidates", None)


def test_without_cards_there_are_ids_alone(catalogue: Catalogue) -> None:
    assert wide(catalogue, None, mail(catalogue, "anna", "milk")) == [
        {
            "customer_id": "anna",
            "rec_1_id": "milk",
            "rec_2_id": None,
            "experiment": None,
            "variant": None,
        }
    ]


def test_links_of_a_campaign_tell_the_shop_where_a_visitor_comes_from(catalogue: Catalogue) -> None:
    (row,) = wide(
        catalogue,
        Cards(shop_url=HERE, utm_source="news", campaign="spring sale"),
        mail(catalogue, "anna", "bread"),
    )
    parameters = "utm_source=news&utm_medium=email&utm_campaign=spring+sale&utm_content=bread"
    assert row["rec_1_url"] == f"{HERE}/p/bread?size=2&{parameters}"


def test_a_row_a_product_holds_the_same_card(catalogue: Catalogue) -> None:
    rows = slate_table(
        [mail(catalogue, "anna", "milk", "bread"), mail(catalogue, "cleo")],
        ExportOptions(2, Repeat.AUTO, Layout.LONG, Cards(shop_url=HERE)),
        catalogue,
    ).to_pylist()
    assert [
        (row["customer_id"], row["rank"], row["product_id"], row["reason"]) for row in rows
    ] == [
        ("anna", 1, "milk", "Try milk"),
        ("anna", 2, "bread", "Try bread"),
    ]
    (card,) = wide(catalogue, Cards(shop_url=HERE), mail(catalogue, "anna", "bread"))
    assert {
        name: card[f"rec_1_{name}"] for name in ("title", "price", "price_text", "url", "image_url")
    } == {name: rows[1][name] for name in ("title", "price", "price_text", "url", "image_url")}


@pytest.mark.parametrize("layout", Layout)
def test_why_a_mail_is_due_and_until_when_stands_in_every_row(
    catalogue: Catalogue, layout: Layout
) -> None:
    because = MailOccasion((), "You buy bread about every 9 days", moment(3.5))
    slate = mail(catalogue, "anna", "bread", occasion=because)
    options = ExportOptions(1, Repeat.AUTO, layout, mailing=MailKind.REPLENISHMENT)
    (row,) = slate_table([slate], options, catalogue).to_pylist()
    assert (row["occasion_text"], row["occasion_until"]) == (because.text, "2025-01-04T12:00:00Z")


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("cards", [None, Cards()])
def test_nobody_has_the_columns_of_everybody(
    catalogue: Catalogue, layout: Layout, cards: Cards | None
) -> None:
    options = ExportOptions(3, Repeat.AUTO, layout, cards)
    assert slate_table([], options, catalogue).schema == options.schema
    assert options.schema.field("customer_id").type == pa.string()
