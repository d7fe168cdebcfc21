"""Words of a title without sizes, and families: products whose titles differ in sizes alone."""

from __future__ import annotations

import re
from typing import Final
from zlib import crc32

# Letters of any script, and no digit beside them: "500ml" is a size
WORD: Final = re.compile(r"(?<!\w)[^\W\d_]{3,}(?!\w)")
TOKEN: Final = re.compile(r"\w+")
MIN_LETTERS: Final = 3  # of a word: shorter ones are units, articles and remains of numbers
# Words for sizes, units and packs, in the languages that prices are written in
SIZES: Final = frozenset(
    """
    gal gallon gallons qrt quart quarts pint pints ounce ounces lbs pound pounds gram grams gramm
    ltr litre litres liter liters kilo kilos pack packs pck pks pkg pkt packung packet paquet
    paquete pacco pezzi pcs piece pieces pièce pièces pieza piezas stück stueck stk count cnt doz
    dozen half small medium large extra mini jumbo family big xxl size klein mittel groß gross
    grand petit moyen grande piccolo medio mediano pequeño штук штуки штука упак упаковка пачка
    литр литра литров набор маленький средний большой
    """.split()  # noqa: SIM905 as one reads it
)
# They tell a size after a number alone: "6 bottles", but a lunch bag is no lunch box
CONTAINERS: Final = frozenset(
    """
    bag bags btl btls bottle bottles box boxes can cans case cases ctn jar jars loads pads pair
    pairs roll rolls sheet sheets stem stems tin tins flasche flaschen dose dosen bouteille
    bouteilles botella botellas bottiglia bottiglie листов луковиц предметов
    """.split()  # noqa: SIM905 as one reads it
)


def find_title_words(title: str) -> tuple[str, ...]:
    """Return the words of a title that are no size."""
    words = []
    after_number = False
    for token in TOKEN.findall(title.lower()):
        is_number = not token.isalpha()
        is_size = token in SIZES or (after_number and token in CONTAINERS)
        if is_number or is_size or len(token) < MIN_LETTERS:
            after_number = after_number or is_number
        else:
            words.append(token)
            after_number = False
    return tuple(words)


def code_family(category: str, words: tuple[str, ...]) -> int:
    """Return the code of the family of a category and title words, from 0 on; -1 without words.

    It is a hash, so that a product that comes later finds its family without a table.
    """
    if not words:
        return -1
    return crc32("\n".join((category, *words)).encode()) & 0x7FFFFFFF
