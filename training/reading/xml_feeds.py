"""Write the items of an XML feed (RSS or Atom) as JSON lines, which DuckDB reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final
from xml.etree import ElementTree

from training.errors import InputError

ITEMS: Final = ("item", "entry")  # of RSS and Atom


def write_items(read: Callable[[], BinaryIO], name: str, copy: Path) -> None:
    """Write one object an item: local names of its elements, and their texts.

    Of elements with one name the first counts; one with elements inside is left out. An empty
    `link` has its address in `href`. Raises InputError for a file without items, or that is no XML.
    """
    count = 0
    try:
        with read() as content, copy.open("w", encoding="utf-8") as written:
            for item in _items(content):
                written.write(json.dumps(item, ensure_ascii=False) + "\n")
                count += 1
    except ElementTree.ParseError as error:
        raise InputError(f"{name} cannot be read as XML: {error}.") from error
    if count == 0:
        raise InputError(
            f"{name} holds no item (0 rows): of XML, feeds with <item> (RSS) or <entry> (Atom) can "
            "be read."
        )


def _items(content: BinaryIO) -> Iterator[dict[str, str]]:
    # Expat opens no other file, and bounds what entities grow to.
    for _, element in ElementTree.iterparse(content):  # noqa: S314
        if _local(element.tag) in ITEMS:
            yield _texts(element)
            element.clear()


def _texts(item: ElementTree.Element) -> dict[str, str]:
    texts: dict[str, str] = {}
    for element in item:
        if len(element) == 0:
            text = (element.text or "").strip() or element.get("href", "")
            texts.setdefault(_local(element.tag), text)
    return texts


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
