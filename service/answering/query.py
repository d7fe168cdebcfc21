"""A question: everything that an answer depends on, besides the model."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import orjson

from models.data.catalogue import Catalogue
from models.data.customers import PERSONALIZE_EMAIL, PERSONALIZE_WEB
from models.rules.filters import Repeat
from models.rules.shop_rules import ShopRule
from models.slate import SlateRequest
from models.updates.customer import NO_UPDATE, CustomerUpdate
from service.schemas.parameters import Options

EMAIL: Final = "email"  # placements that begin so are of mails
LAYOUT: Final = 5  # of the answers; another one never meets the cached answers of this one


class QueryKind(StrEnum):
    CUSTOMER = "customer"
    SIMILAR = "similar"
    POPULAR = "popular"
    BUNDLES = "bundles"
    BASKET = "basket"
    ORDER = "order"


@dataclass(frozen=True)
class RecommendationQuery:
    kind: QueryKind
    options: Options
    locale: str
    customer_id: str | None = None
    session_id: str | None = None
    order_id: str | None = None
    product_id: str | None = None
    recent: tuple[str, ...] = ()
    basket: tuple[str, ...] = ()
    repeat: Repeat = Repeat.AUTO
    window_days: int | None = None  # the model's own
    size: int = 2

    @property
    def recorded(self) -> bool:
        """Whether the store keeps what is shown: it is asked, and no cache."""
        return self.customer_id is not None and self.options.campaign is not None

    @property
    def mailed(self) -> bool:
        """Whether the answer goes into a mail: then the consent for mails must hold."""
        return self.options.campaign is not None or (self.options.placement or "").startswith(EMAIL)

    def key(self, version: str, secret: bytes) -> bytes:
        """Where its answer is cached: a keyed hash, so nobody who reads the cache learns whose answer it is."""
        options = self.options.model_dump(
            include={*Options.model_fields}
            - {"deadline_ms", "locale"}  # how long may be waited changes no answer
        )
        everything = (
            LAYOUT,
            version,
            self.kind,
            options,
            self.locale,
            self.customer_id,
            self.session_id,
            self.order_id,
            self.product_id,
            self.recent,
            self.basket,
            self.repeat,
            self.window_days,
            self.size,
        )
        digest = hashlib.blake2b(orjson.dumps(everything), digest_size=24, key=secret)
        return b"regulars:" + digest.hexdigest().encode()

    def ref(self, secret: bytes) -> bytes:
        """What is recorded of its answer in a campaign bears this name: the parts of a mail ask for different looks."""
        looks = {"deadline_ms", "locale", "fields"}
        options = self.options.model_dump(include={*Options.model_fields} - looks)
        everything = (
            options,
            self.customer_id,
            self.session_id,
            self.order_id,
            self.recent,
            self.basket,
            self.repeat,
        )
        return hashlib.blake2b(orjson.dumps(everything), digest_size=16, key=secret).digest()


@dataclass(frozen=True, eq=False)
class StoreKnowledge:
    """What the store knows at the moment of the answer, and the model does not."""

    since: CustomerUpdate
    newest: int | None  # time of the store's newest event
    number: int = 0  # of the newest change that is in it
    away: bool = False  # the store does not answer: this is as far as it is known
    order: tuple[str, ...] = ()  # products of the order asked about
    unwanted: tuple[
        str, ...
    ] = ()  # products that must not be shown: of the order, of other mails, bought since


AS_LEARNED: Final = StoreKnowledge(NO_UPDATE, None)
AWAY: Final = StoreKnowledge(NO_UPDATE, None, away=True)


@dataclass(frozen=True)
class ResolvedQuery:
    """A question in the words of one catalogue: items instead of ids."""

    request: SlateRequest
    item: int  # the product asked for, -1 where there is none or it is unknown
    missing_ids: tuple[str, ...]  # in the order product, recent, basket, exclude; each once


def resolve_query(
    question: RecommendationQuery,
    catalogue: Catalogue,
    rules: tuple[ShopRule, ...],
    now: int,
    unwanted: tuple[str, ...] = (),
) -> ResolvedQuery:
    """Unknown products are named and otherwise ignored; what is in the basket or asked for is never recommended.

    `now`: the newest event, seconds since 1970. `unwanted`: products that the store keeps out.
    """
    missing: dict[str, None] = {}

    def items(ids: tuple[str, ...]) -> tuple[int, ...]:
        found = catalogue.ids.find_all(ids)
        missing.update(dict.fromkeys(ids[index] for index in np.flatnonzero(found < 0)))
        return tuple(item for item in found.tolist() if item >= 0)

    options = question.options
    asked = items((question.product_id,)) if question.product_id is not None else ()
    recent, basket = items(question.recent), tuple(dict.fromkeys(items(question.basket)))
    kept_out = (item for item in catalogue.ids.find_all(unwanted).tolist() if item >= 0)
    exclude = tuple(sorted({*items(options.exclude), *basket, *asked, *kept_out}))
    request = SlateRequest(
        n=options.n,
        as_of=now if options.as_of is None else options.as_of,
        repeat=question.repeat,
        strict=options.strict,
        filters=options.filters(exclude),
        recent=recent,
        basket=basket,
        placement=options.placement,
        rules=rules,
        purpose=PERSONALIZE_EMAIL if question.mailed else PERSONALIZE_WEB,
    )
    return ResolvedQuery(request, asked[0] if asked else -1, tuple(missing))
