"""How a block of the shop shows a slate: as HTML, as plain text, and for AMP.

What a shop or a customer wrote is text: markup in it is escaped, and lines of it are joined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from models.assembly.cards import format_price
from service.schemas.blocks import BlockBody, Font, MailPart, Part, Picture

# Gmail cuts a mail at 102 KB. What does not fit is left out, from the end; the rest is the mail's.
MAX_BYTES: Final = 90_000
MAX_TITLE: Final = 120
MAX_REASON: Final = 200
MAX_OFFER: Final = 500
PADDING: Final = 16  # pixels of a cell, left and right together
ROW_PICTURE: Final = 120
TILE_HEIGHT: Final = 120
FONTS: Final = {
    Font.SANS: "Helvetica,Arial,sans-serif",
    Font.SERIF: "Georgia,'Times New Roman',serif",
    Font.MONO: "'Courier New',Courier,monospace",
}
Offer = Mapping[str, Any] | None  # beside the slate
FindFormerPrice = Callable[[str, float | None], float | None]  # of a product and its price


@dataclass(frozen=True)
class MailCard:
    """Hold what a mail shows of a product; None where it is not known."""

    title: str
    letter: str  # of its tile
    price: str | None
    former: str | None
    saved_percent: int | None
    reason: str
    image: str | None
    link: str | None


def render_mail_part(
    part: MailPart,
    name: str,
    block: BlockBody,
    content: Mapping[str, Any],
    locale: str,
    find_former_price: FindFormerPrice,
) -> bytes:
    """Return a part of a mail that shows an answer with cards; empty where the slate is."""
    cards = []
    for product in content["recommendations"]:
        former = None
        if block.former_price:
            former = find_former_price(product["id"], product["price"])
        cards.append(_build_card(product, block, former, locale))
    offer = content["offer"]
    if part is MailPart.TEXT:
        return _render_text(cards, block, offer).encode()
    while cards:
        amp = part is MailPart.AMP
        body = _render_html(cards, name, block, content["language"], offer, amp=amp)
        if len(body) <= MAX_BYTES:
            return body
        fitting = len(cards) * MAX_BYTES // len(body)
        rows = min(fitting, len(cards) - 1) // block.columns
        cards = cards[: rows * block.columns]
    return b""


def _build_card(
    product: Mapping[str, Any], block: BlockBody, former: float | None, locale: str
) -> MailCard:
    title = _one_line(product["title"] or product["id"], MAX_TITLE)
    is_drawn = block.picture is Picture.TILE
    return MailCard(
        title=title,
        letter=next((letter for letter in title if letter.isalnum()), "").upper(),
        price=product["price_text"],
        former=format_price(former, product["currency"], locale),
        saved_percent=round(100 * (1 - product["price"] / former)) if former else None,
        reason=_one_line(product["reason"]["text"], MAX_REASON),
        image=None if is_drawn else product["image_url"],
        link=product["click_url"] or product["url"],
    )


def _one_line(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _render_html(
    cards: Sequence[MailCard],
    name: str,
    block: BlockBody,
    language: str,
    offer: Offer,
    *,
    amp: bool,
) -> bytes:
    cell_width = block.width // block.columns
    side_by_side = block.columns == 1
    text = find_template("block.html").render(
        cards=cards,
        name=f"rg-{name}",
        block=block,
        colors=block.colors,
        dark=block.dark_colors,
        language=language,
        offer=offer,
        amp=amp,
        font=FONTS[block.font],
        cell_width=cell_width,
        picture_width=ROW_PICTURE if side_by_side else cell_width - PADDING,
        tile_height=ROW_PICTURE if side_by_side else min(TILE_HEIGHT, cell_width - PADDING),
        picture_first=block.parts[0] is Part.PICTURE,
        other_parts=[part for part in block.parts if part is not Part.PICTURE],
    )
    return text.encode()


def _render_text(cards: Sequence[MailCard], block: BlockBody, offer: Offer) -> str:
    paragraphs = [_one_line(block.heading, MAX_REASON)] if block.heading else []
    for card in cards:
        price = f"{card.price} (−{card.saved_percent}%)" if card.former else card.price
        link = f"{block.button}: {card.link}" if card.link else None
        lines = {Part.TITLE: card.title, Part.PRICE: price, Part.REASON: card.reason}
        lines |= {Part.BUTTON: link}
        shown = [lines.get(part) for part in block.parts]
        paragraphs.append("\n".join(line for line in shown if line))
    if offer is not None:
        told = (_one_line(offer["text"], MAX_OFFER), offer["code"])
        paragraphs.append("\n".join(line for line in told if line))
    return "".join(f"{paragraph}\n\n" for paragraph in paragraphs) if cards else ""


@cache
def find_template(name: str) -> Template:
    """Return a template of what stands in mails."""
    environment = Environment(
        loader=PackageLoader("service.routes"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
