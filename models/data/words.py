"""Understand the words of shop systems and trackers: yes and no, stock, statuses, kinds, consents.

Names of columns and words for nobody, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from models.data.events import KINDS
from models.data.numbers import read_number


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


YES: Final = _words(
    """
    true t yes y 1 1.0 on ja oui si sí sim tak да はい
    """
)
NO: Final = _words(
    """
    false f no n 0 0.0 off nein non nee nej não nao nie нет いいえ
    """
)

# Without spaces, hyphens and underscores, in lower case. What must be waited for is not in stock.
IN_STOCK: Final = _words(
    """
    instock available availableforsale limitedavailability onlineonly lowstock fewleft auflager
    verfügbar lieferbar sofortlieferbar vorrätig enstock disponible enexistencia disponibile
    disponibilità opvoorraad leverbaar ilager dostępny emestoque disponivel disponível 在庫あり
    """
)
SOLD_OUT: Final = _words(
    """
    outofstock soldout unavailable notavailable discontinued instoreonly nostock preorder presale
    backorder backordered onbackorder madetoorder reserved nichtauflager nichtverfügbar
    nichtlieferbar ausverkauft vergriffen nichtvorrätig rupture rupturedestock enrupture épuisé
    indisponible horsstock agotado nodisponible sinexistencias esaurito nondisponibile uitverkocht
    nietopvoorraad nietleverbaar slutsåld slut ejilager niedostępny brak esgotado indisponível
    indisponivel semestoque 在庫なし 売り切れ
    """
)
NOBODY: Final = frozenset(
    {
        "",
        "0",
        "null",
        r"\n",
        "nan",
        "none",
        "nil",
        "n/a",
        "#n/a",
        "<na>",
        "undefined",
        "-1",
        "guest",
    }
)
# Whether an order with this status is a sale.
SOLD: Final = _words(
    """
    completed complete paid processing pending onhold shipped fulfilled unfulfilled delivered open
    closed authorized authorised invoiced confirmed success succeeded successful approved active
    new placed partiallypaid partiallyfulfilled partiallyshipped partial done finished settled
    captured sent intransit readytoship awaitingshipment awaitingfulfillment partiallyrefunded
    bezahlt abgeschlossen versendet versandt offen payée expédiée terminée paymentreview processed
    ordered purchased purchase sale sold
    """
)
NOT_SOLD: Final = _words(
    """
    cancelled canceled cancel cancellation refunded refund fullyrefunded failed failure voided
    void expired declined denied rejected abandoned draft checkoutdraft autodraft trash trashed
    deleted fraud suspectedfraud chargeback chargedback reversed canceledreversal error disputed
    unpaid pendingpayment awaitingpayment storniert abgebrochen erstattet fehlgeschlagen
    zurückerstattet annulée remboursée échouée annullato cancelado anulado geannuleerd returned
    """
)
_KIND_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "purchase": "transaction order buy bought sale ordercompleted orderplaced "
        "completedorder placedorder orderedproduct purchased conversion paid productpurchased "
        "completecheckout checkoutcompleted",
        "return": "refund returned refunded orderrefunded refundedorder",
        "view": "productviewed viewedproduct viewitem viewcontent detailview productview pageview "
        "productdetail detail viewed productdetailview screenview",
        "cart": "addtocart addedtocart productadded productaddedtocart addcart cartadd basket "
        "addtobasket addtobag addedproduct",
        "wishlist": "addtowishlist productaddedtowishlist addedtowishlist favorite favourite like "
        "save bookmark wish",
        "remove_from_cart": "removefromcart removedfromcart productremoved cartremove removecart "
        "removedfrombasket removedproduct",
        "dismiss": "hide notinterested dislike dismissed",
        "click": "productclicked selectitem clicked clickedproduct select",
        "rating": "rate review rated productreviewed",
        "exposure": "impression viewitemlist productlistviewed shown display viewpromotion "
        "productlistfiltered",
    }
)
# Of a consent to marketing: what is not confirmed yet, or was never given, is no consent.
SUBSCRIBED: Final = _words("subscribed optedin optin granted explicit")
NOT_SUBSCRIBED: Final = _words(
    """
    unsubscribed notsubscribed neversubscribed suppressed pending unconfirmed redacted invalid
    optedout optout withdrawn revoked denied bounced cleaned
    """
)
SCHEMA_ORG: Final = re.compile(r"^(?:https?://)?(?:www\.)?schema\.org/", re.IGNORECASE)
PREFIX: Final = re.compile(r"^wc[-_]", re.IGNORECASE)  # of WooCommerce's statuses
KIND_OF_WORD: Final[Mapping[str, str]] = MappingProxyType(
    {word: kind for kind, words in _KIND_WORDS.items() for word in words.split()}
    | {kind.replace("_", ""): kind for kind in KINDS}
)


def squeeze(text: str) -> str:
    """Return a word in lower case, without spaces, hyphens and underscores."""
    return re.sub(r"[\s_\-\u2010-\u2014]+", "", text).lower()


def plain_name(name: str) -> str:
    """Return a name of a column as ours are written."""
    return name.strip().lower().replace(" ", "_")


def read_flag(text: str) -> bool | None:
    """Return yes or no; None for a text that is neither."""
    word = text.strip().lower()
    return True if word in YES else False if word in NO else None


def read_consent(text: str) -> bool | None:
    """Return yes or no to a consent, a flag or a word; None for a text that is neither."""
    word = squeeze(text)
    flag = read_flag(text)
    if flag is not None:
        return flag
    return True if word in SUBSCRIBED else False if word in NOT_SUBSCRIBED else None


@lru_cache(maxsize=4096)
def read_stock(text: str) -> bool | None:
    """Return whether a product is in stock: a word, a flag or a number of pieces.

    None for a text that is not understood. What must be ordered in advance is not in stock.
    """
    word = squeeze(SCHEMA_ORG.sub("", text.strip()))
    flag = read_flag(text)
    if flag is not None:
        return flag
    if word in IN_STOCK or word in SOLD_OUT:
        return word in IN_STOCK
    for decimal in ("point", "comma"):
        try:
            return read_number(text, decimal) > 0
        except ValueError:
            continue
    return None


def read_status(text: str) -> bool | None:
    """Return whether an order of this status is a sale; None for a status that is not known."""
    word = squeeze(PREFIX.sub("", text.strip()))
    return True if word in SOLD else False if word in NOT_SOLD else None


def read_kind(text: str) -> int | None:
    """Return the code in KINDS of what a shop or tracker calls an event; None if not known."""
    kind = KIND_OF_WORD.get(squeeze(text))
    return None if kind is None else KINDS.index(kind)


def is_nobody(text: str) -> bool:
    """Return whether a customer's id is a common word for nobody, as guests have it."""
    return text.strip().lower() in NOBODY
