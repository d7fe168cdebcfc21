"""Tell in which encoding a file of text is, and write it anew as UTF-8, which DuckDB reads."""

from __future__ import annotations

import codecs
import gzip
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from training.errors import InputError

CHUNK: Final = 1 << 20  # bytes
UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Bytes that text in Windows-1252 does not hold: undefined ones, ÿ and þ.
NO_WINDOWS_TEXT: Final = frozenset(b"\x81\x8d\x8f\x90\x9d\xfe\xff")
REPLACED: Final = "\ufffd"


def open_bytes(path: Path, *, packed: bool) -> BinaryIO:
    """Open a file, without its gzip compression where it is packed."""
    return gzip.open(path) if packed else path.open("rb")  # type: ignore[return-value]


def find_encoding(read: Callable[[], BinaryIO]) -> str:
    """Return the encoding of a text: UTF-8, UTF-16, or Windows-1252, of which Latin-1 is a part.

    A file with more characters in UTF-8 than bytes that are none is UTF-8 with damaged lines.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    foreign: set[int] = set()
    good = bad = 0
    with read() as content:
        first = content.read(2)
        if first in UTF_16:
            return "utf-16"
        for chunk in _chunks(first, content):
            if chunk.isascii() and not decoder.getstate()[0]:
                continue
            text = decoder.decode(chunk)
            replaced = text.count(REPLACED)
            bad += replaced
            good += len(text) - len(text.encode("ascii", "ignore")) - replaced
            if replaced:
                foreign.update(byte for byte in chunk if byte >= 0x80)
    return "cp1252" if bad > good and not foreign & NO_WINDOWS_TEXT else "utf-8"


def _chunks(first: bytes, content: BinaryIO) -> Iterator[bytes]:
    yield first
    while chunk := content.read(CHUNK):
        yield chunk


def check_encoding(name: str) -> str:
    """Return the name of an encoding. Raises InputError for one that Python does not know."""
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise InputError(
            f"--encoding {name}: there is no such encoding; usual ones are utf-8, cp1252, latin-1, "
            "utf-16 and iso-8859-2."
        ) from None


def write_as_utf8(
    read: Callable[[], BinaryIO], encoding: str, copy: Path, skipped_lines: int = 0
) -> None:
    """Write a copy in UTF-8 without a byte order mark and without the first lines.

    Raises UnicodeDecodeError where the text is not in this encoding.
    """
    with read() as content, copy.open("wb") as written:
        if encoding == "utf-8":
            if content.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
                content.seek(0)
            for _ in range(skipped_lines):
                content.readline()
            shutil.copyfileobj(content, written, CHUNK)
            return
        reader = codecs.getreader(encoding)(content)
        text = reader.read(CHUNK)
        for _ in range(skipped_lines):
            text = text.partition("\n")[2]
        while text:
            written.write(text.encode())
            text = reader.read(CHUNK)
