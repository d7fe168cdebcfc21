"""Patterns of texts that callers send, and what is said where a text does not match one."""

from __future__ import annotations

from typing import Final

NO_NUL: Final = r"^[^\x00]*$"  # no database takes it in a text
PLACEMENT: Final = "^[a-z0-9_-]{1,50}$"
# Without a byte that may not stand in a link. A longer check would need the shop's own address.
ADDRESS: Final = r"^(https?:/)?/[^\x00-\x20\"<>\x7f-\xa0]+$"
CURRENCY: Final = "^[A-Z]{3}$"

# A caller reads these in place of the pattern.
PATTERN_SENTENCES: Final = {
    NO_NUL: "may not hold the character NUL",
    PLACEMENT: "should be 1 to 50 lower case letters, digits, '-' and '_', like 'home'",
    CURRENCY: "should be a currency of three capital letters (ISO 4217), like 'USD'",
    ADDRESS: "should be an address that begins with http:// or https://, or a path of the shop",
}
