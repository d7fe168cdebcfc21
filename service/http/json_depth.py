"""How deep a JSON text is nested, before anything recursive looks at it."""

from __future__ import annotations

from typing import Final

DEEPEST: Final = 20  # lists and objects within each other; the API itself needs four
OTHERS: Final = bytes(set(range(256)) - set(b"[]{}"))
ALIKE: Final = bytes.maketrans(b"{}", b"[]")


def is_too_deep(text: bytes) -> bool:
    """Whether a JSON text is nested deeper than DEEPEST; of any other text it may say either."""
    if text.count(b"[") + text.count(b"{") <= DEEPEST:
        return False
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    # What stands between the quotes is of no account; then every pass takes the innermost brackets away.
    brackets = b"".join(text.split(b'"')[::2]).translate(ALIKE, OTHERS)
    for _ in range(DEEPEST):
        brackets = brackets.replace(b"[]", b"")
    return b"[]" in brackets or len(brackets) > DEEPEST
