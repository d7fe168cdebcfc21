"""Offers beside the slates of a file, and the single-use codes that go with them.

A code that is given is all that an export writes into the service's store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, select, update

from models.data.customers import NO, PERSONALIZE_EMAIL, TRAIN
from models.data.timestamps import format_timestamp
from models.languages.languages import Language
from models.rules.shop_offers import ShopOffer
from training.reading.service_store import StoreReader, consents, offer_codes, open_store

CODE: Final = offer_codes.c.code
IS_FREE: Final = offer_codes.c.given.is_(None)
GIVE: Final = (
    update(offer_codes)
    .where(bindparam("chosen") == CODE, IS_FREE)
    .values(given=bindparam("time"), customer_id=bindparam("customer"))
)


class OfferedCustomer(NamedTuple):
    """A customer, and the offers that may stand beside their slate, in their order."""

    customer_id: str
    offers: Sequence[ShopOffer]


@dataclass(frozen=True)
class RowOffer:
    """What stands beside one slate."""

    id: str
    text: str
    code: str | None
    until: str | None


def find_slate_offers(
    url: str, customers: Sequence[OfferedCustomer], *, time: int, locale: str, language: Language
) -> list[RowOffer | None]:
    """Return what is offered to each customer, None for nothing: (len(customers),).

    Single-use codes are given before this returns, durably: each once, and to each customer the one
    that they have already. Whoever was erased or has refused since the file was begun gets none.
    `time`: seconds since 1970. `locale` and `language`: of the texts. Raises InputError.
    """
    single_use = [one for one in customers if any(offer.is_single_use for offer in one.offers)]
    codes: Codes = {}
    if single_use:
        with open_store(url, "--store") as store, store.writing() as connection:
            codes = _CodeGiver.of(store, connection, single_use, time).give(single_use)
    return [_describe(one, codes, locale, language) for one in customers]


Codes = dict[tuple[str, str], str]  # by offer and customer


def _describe(
    customer: OfferedCustomer, codes: Codes, locale: str, language: Language
) -> RowOffer | None:
    for offer in customer.offers:
        code = offer.code
        if offer.is_single_use:
            code = codes.get((offer.id, customer.customer_id))
            if code is None:
                continue
        until = None if offer.ends is None else format_timestamp(offer.ends)
        return RowOffer(offer.id, offer.say(locale, language.name), code, until)
    return None


@dataclass(frozen=True)
class _CodeGiver:
    """Gives codes in one transaction, which holds the lock of the store's writers."""

    connection: Connection
    time: int
    known: Mapping[tuple[str, str], str]  # codes that were given before
    refusing: Mapping[str, frozenset[int]]  # purposes that each customer refuses by now
    erased: frozenset[str]

    @classmethod
    def of(
        cls,
        store: StoreReader,
        connection: Connection,
        customers: Sequence[OfferedCustomer],
        time: int,
    ) -> _CodeGiver:
        customer_ids = [one.customer_id for one in customers]
        given = select(offer_codes.c.offer_id, offer_codes.c.customer_id, CODE)
        rows = connection.execute(given.where(offer_codes.c.customer_id.in_(customer_ids)))
        known = {(row.offer_id, row.customer_id): row.code for row in rows}
        noes = select(consents.c.customer_id, consents.c.purpose).where(
            consents.c.customer_id.in_(customer_ids), consents.c.value == NO
        )
        refusing: dict[str, frozenset[int]] = {}
        for row in connection.execute(noes):
            refusing[row.customer_id] = refusing.get(row.customer_id, frozenset()) | {row.purpose}
        erased = store.find_erased(set(customer_ids))
        return cls(connection, time, known, refusing, erased)

    def give(self, customers: Iterable[OfferedCustomer]) -> Codes:
        """Return the code that each customer has or was given now."""
        codes: Codes = {}
        for customer in customers:
            for offer in customer.offers:
                if not offer.is_single_use:
                    break  # everyone gets this one
                code = self._code_for(offer, customer.customer_id)
                if code is not None:
                    codes[offer.id, customer.customer_id] = code
                    break
        return codes

    def _code_for(self, offer: ShopOffer, customer_id: str) -> str | None:
        purposes = {PERSONALIZE_EMAIL, TRAIN} if offer.is_for_some else {PERSONALIZE_EMAIL}
        if customer_id in self.erased or purposes & self.refusing.get(customer_id, frozenset()):
            return None
        own = self.known.get((offer.id, customer_id))
        return self._give_free(offer, customer_id) if own is None else own

    def _give_free(self, offer: ShopOffer, customer_id: str) -> str | None:
        of_offer = offer_codes.c.offer_id == offer.id
        free = select(CODE).where(of_offer, IS_FREE).order_by(CODE).limit(1)
        while (code := self.connection.scalar(free)) is not None:
            values = {"chosen": code, "time": self.time, "customer": customer_id}
            if self.connection.execute(GIVE, values).rowcount:
                return str(code)
        return None
