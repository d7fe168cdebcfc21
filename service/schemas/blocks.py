"""Blocks of mails: how a slate looks, as it is sent, stored and shown."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from service.patterns import COLOR, PLACEMENT
from service.schemas.base import AnswerModel, ParameterModel, examples
from service.schemas.pages import Next
from service.schemas.parameters import WHOLE_NUMBER, CampaignName, CustomerOptions, Id, Locale

LEGIBLE_CONTRAST: Final = 4.5  # WCAG 2, AA


class Part(StrEnum):
    """A part of a product in a mail."""

    PICTURE = "picture"
    TITLE = "title"
    PRICE = "price"
    REASON = "reason"
    BUTTON = "button"


class Picture(StrEnum):
    """What stands for a picture."""

    SHOP = "shop"
    TILE = "tile"


class Font(StrEnum):
    """A family of fonts that every inbox has."""

    SANS = "sans"
    SERIF = "serif"
    MONO = "mono"


class MailPart(StrEnum):
    """A part of a mail, of which each inbox shows one."""

    HTML = "html"
    TEXT = "text"
    AMP = "amp"


def _check_distinct(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    if len(set(parts)) < len(parts):
        raise ValueError("should name each part once")
    return parts


def _color(description: str, example: str) -> Any:
    return Field(pattern=COLOR, description=description, examples=[example])


class Colors(BaseModel):
    """Colours of a block, each six hexadecimal digits."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    background: Annotated[str, _color("Behind all of it.", "#ffffff")] = "#ffffff"
    text: Annotated[str, _color("Heading, titles and prices.", "#222222")] = "#222222"
    reason: Annotated[str, _color("Reasons and former prices.", "#555555")] = "#555555"
    button: Annotated[str, _color("Behind the words of a button.", "#1f5c3a")] = "#222222"
    button_text: Annotated[str, _color("Words of a button.", "#ffffff")] = "#ffffff"
    tile: Annotated[str, _color("Behind the letter of a drawn tile.", "#e6ede9")] = "#eeeeee"


DARK: Final = Colors(
    background="#1c1c1c",
    text="#f2f2f2",
    reason="#bbbbbb",
    button="#f2f2f2",
    button_text="#1c1c1c",
    tile="#333333",
)
PARTS: Final = tuple(Part)
BLOCK_BODY: Final[dict[str, Any]] = {
    "columns": 2,
    "parts": ["picture", "title", "price", "reason", "button"],
    "heading": "Picked for you",
    "button": "To the product",
    "colors": {"button": "#1f5c3a"},
}


class BlockBody(BaseModel):
    """How a slate looks in a mail. What is left out is as by default."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, json_schema_extra=examples(BLOCK_BODY)
    )
    columns: Annotated[
        int,
        Field(
            ge=1,
            le=4,
            description="Products side by side. With 1, each is a row beside its picture.",
            examples=[2],
        ),
        WHOLE_NUMBER,
    ] = 1
    parts: Annotated[
        tuple[Annotated[Part, Field(strict=False)], ...],
        Field(
            strict=False,
            min_length=1,
            description="What is shown of a product, in this order. In rows, a picture that comes "
            "first stands on the left, else on the right.",
            examples=[["picture", "title", "price"]],
            json_schema_extra={"uniqueItems": True},
        ),
        AfterValidator(_check_distinct),
    ] = PARTS
    picture: Annotated[
        Picture,
        Field(
            strict=False,
            description="`shop`: the picture of the product, and a tile where there is none. "
            "`tile`: always a tile with the first letter.",
            examples=["shop"],
        ),
    ] = Picture.SHOP
    former_price: Annotated[
        bool,
        Field(
            description="Whether a product that became cheaper shows what it cost before.",
            examples=[True],
        ),
    ] = True
    heading: Annotated[
        str | None,
        Field(max_length=200, description="Words above the products.", examples=["For you"]),
    ] = None
    button: Annotated[
        str,
        Field(min_length=1, max_length=40, description="Words of a button.", examples=["View"]),
    ] = "View product"
    width: Annotated[
        int,
        Field(ge=280, le=800, description="Most width, in pixels.", examples=[600]),
        WHOLE_NUMBER,
    ] = 600
    font: Annotated[Font, Field(strict=False, description="Font.", examples=["serif"])] = Font.SANS
    font_size: Annotated[
        int,
        Field(ge=12, le=24, description="Size of titles, in pixels.", examples=[16]),
        WHOLE_NUMBER,
    ] = 16
    corners: Annotated[
        int,
        Field(
            ge=0,
            le=30,
            description="Radius of corners, in pixels. Outlook on Windows shows them square.",
            examples=[6],
        ),
        WHOLE_NUMBER,
    ] = 6
    colors: Annotated[Colors, Field(description="Colours.", examples=[{"button": "#1f5c3a"}])] = (
        Colors()
    )
    dark_colors: Annotated[
        Colors | None,
        Field(
            description="Colours where the inbox is dark and lets a mail have its own. Null: the "
            "inbox does what it does.",
            examples=[{"background": "#101010"}],
        ),
    ] = DARK


def find_illegible(colors: Colors, field: str) -> list[dict[str, str]]:
    """Return warnings of colours that stand on each other and can hardly be told apart."""
    pairs = [("text", "background"), ("reason", "background"), ("text", "tile")]
    pairs += [("button_text", "button")]
    warnings = []
    for front, back in pairs:
        contrast = _contrast(getattr(colors, front), getattr(colors, back))
        if contrast < LEGIBLE_CONTRAST:
            problem = (
                f"has a contrast of {contrast:.1f} to `{back}`; "
                f"from {LEGIBLE_CONTRAST} on it is legible for most"
            )
            warnings.append({"field": f"{field}.{front}", "problem": problem})
    return warnings


def _contrast(front: str, back: str) -> float:
    """Return the ratio of WCAG 2: (lighter + 0.05) / (darker + 0.05)."""
    darker, lighter = sorted((_luminance(front), _luminance(back)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    """Return the relative luminance of sRGB, 0 to 1 (WCAG 2)."""
    channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    red, green, blue = linear
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class BlockOptions(CustomerOptions):
    """A customer's slate, and how it looks in a mail."""

    block: Annotated[
        str | None,
        Field(
            pattern=PLACEMENT,
            description="Name of a block of the shop. By default a plain one without colours.",
            examples=["weekly"],
        ),
    ] = None
    part: Annotated[
        MailPart,
        Field(
            description="Part of the mail: `html`, the same as plain `text`, or the same for the "
            "`amp` part.",
            examples=["html"],
        ),
    ] = MailPart.HTML


class BlockPreview(ParameterModel):
    """A block to look at on a customer's slate, and which part of the mail."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra=examples({"customer_id": "2034", "look": BLOCK_BODY, "n": 4}),
    )
    customer_id: Annotated[Id, Field(description="Customer the slate is for.", examples=["2034"])]
    look: Annotated[BlockBody, Field(description="The block.", examples=[BLOCK_BODY])] = BlockBody()
    n: Annotated[
        int, Field(ge=1, le=100, description="Number of products.", examples=[4]), WHOLE_NUMBER
    ] = 4
    campaign: Annotated[
        CampaignName | None,
        Field(
            description="Campaign whose mail it is. By default a mail of none.",
            examples=["win_back"],
        ),
    ] = None
    locale: Annotated[
        Locale | None, Field(description="Locale of prices and reasons.", examples=["de_DE"])
    ] = None
    part: Annotated[
        MailPart, Field(strict=False, description="Part of the mail.", examples=["html"])
    ] = MailPart.HTML


STORED_BLOCK: Final[dict[str, Any]] = {
    "name": "weekly",
    **BlockBody.model_validate(BLOCK_BODY).model_dump(mode="json"),
}


class StoredBlock(BlockBody):
    """A block of the shop."""

    model_config = ConfigDict(json_schema_extra=examples(STORED_BLOCK))
    name: str = Field(description="Name of the block.")


class BlockWarning(AnswerModel):
    """Something that may be mistaken in a block."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                "field": "colors.reason",
                "problem": "has a contrast of 2.3 to `background`; from 4.5 on it is legible for "
                "most",
            }
        )
    )
    field: str = Field(description="Name of the field.")
    problem: str = Field(description="What may be mistaken about it.")


class BlockAnswer(AnswerModel):
    """A block of the shop, and what may be mistaken in it."""

    model_config = ConfigDict(json_schema_extra=examples({"block": STORED_BLOCK, "warnings": []}))
    block: StoredBlock = Field(description="The block, with every default.")
    warnings: list[BlockWarning] = Field(description="Colours that are hard to tell apart.")


class BlocksAnswer(AnswerModel):
    """Blocks of the shop."""

    model_config = ConfigDict(json_schema_extra=examples({"blocks": [STORED_BLOCK], "next": None}))
    blocks: list[StoredBlock] = Field(description="The blocks, ordered by name.")
    next: Next
