"""Bodies of answers, field by field in the order that the API documents."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from types import MappingProxyType
from typing import Any, Final, Self

import numpy as np
import orjson

from models.assembly.cards import Price, format_price
from models.data.catalogue import Catalogue
from models.data.timestamps import format_timestamp
from models.languages.languages import Language
from models.languages.phrases import unpack_text
from models.ranking.reasons import BOUGHT_TOGETHER, CHOSEN_BY_SHOP
from models.recommender import DueSlate
from models.rules.shop_bundles import ShopBundle
from models.shop_lists import ListedFacts, ListedProducts
from models.slate import (
    Bundle,
    ExpectedGain,
    FallbackReason,
    RankedProducts,
    Ranking,
    Reason,
    ScoreKind,
    Slate,
    Slot,
    Source,
    Strategy,
)
from service.answering.presentation import Presentation
from service.answering.query import RecommendationQuery, find_unknown_names
from service.model.loaded_model import LoadedModel
from service.signing import recommendation_ids
from service.signing.click_links import LinkedSlate
from service.store.change_counters import counter_of

NO_CUSTOMER: Final = b'"customer_id":null'
NO_OFFER: Final = b'"offer":null'  # the first one is that of the answer
BEFORE_ID: Final = b'{"recommendation_id":"'


@dataclass(frozen=True)
class RenderedAnswer:
    """Hold a finished body with the two words that are counted.

    Nothing in it names the customer, so it may be cached.
    """

    strategy: str
    fallback_reason: str  # "none" where there is none
    body: bytes  # with null for the customer's id
    # What the body holds; a new answer's alone
    recommendations: Sequence[dict[str, Any]] = field(default=(), compare=False, repr=False)

    def body_for(self, customer_id: str | None) -> bytes:
        """Return the body with the customer's id in its place.

        Only the recommendation id, which is free of quotes, comes before it.
        """
        name = b'"customer_id":' + orjson.dumps(customer_id)
        return self.body.replace(NO_CUSTOMER, name, 1)

    def with_offer(self, offer: Mapping[str, Any]) -> Self:
        """Return a new answer with an offer beside its slate, which stays what it is.

        A quote within a text is escaped, so no text before it reads like its field.
        """
        body = self.body.replace(NO_OFFER, b'"offer":' + orjson.dumps(offer), 1)
        return replace(self, body=body)

    @property
    def recommendation_id(self) -> str:
        """Return the id of the slate: the first text of the body."""
        start = len(BEFORE_ID)
        return self.body[start : self.body.index(b'"', start)].decode()

    @property
    def product_ids(self) -> set[str]:
        """Return the products that a new answer shows, of bundles all but the anchor."""
        return {product["id"] for product in shown_products(self.recommendations)}

    @cached_property
    def tag(self) -> str:
        """Return what tells it from other answers at the same address."""
        return make_tag(self.body)

    @cached_property
    def counters(self) -> tuple[int, ...]:
        """Return the counters of the products that it shows."""
        return tuple(counter_of("product", product_id) for product_id in sorted(self.product_ids))

    def pack(self) -> bytes:
        """Return it as bytes, which `unpack` reads."""
        counters = ",".join(map(str, self.counters))
        words = f"{self.strategy} {self.fallback_reason} {self.tag} {counters}\n"
        return words.encode() + self.body

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        words, _, body = packed.partition(b"\n")
        strategy, fallback_reason, tag, counters = words.decode().split(" ")
        answer = cls(strategy, fallback_reason, body)
        shown = tuple(map(int, counters.split(","))) if counters else ()
        vars(answer).update(tag=tag, counters=shown)  # they are not computed again
        return answer


def make_tag(body: bytes) -> str:
    """Return what tells a body from others at the same address."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


@dataclass(frozen=True)
class SlateFacts:
    """Hold what an answer says of its products together."""

    strategy: Strategy
    fallback_reason: FallbackReason | None
    score_kind: ScoreKind
    occasion: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, slate: Slate | Ranking) -> Self:
        return cls(slate.strategy, slate.fallback_reason, slate.score_kind)

    @classmethod
    def of_bundles(cls, fallback_reason: FallbackReason | None) -> Self:
        return cls(Strategy.BUNDLES, fallback_reason, ScoreKind.TOGETHER)


@dataclass(frozen=True)
class AnswerRenderer:
    """A renderer of the answer to one query from one model."""

    model: LoadedModel
    query: RecommendationQuery
    missing_ids: tuple[str, ...]
    data_as_of: int  # shop time, seconds since 1970
    presentation: Presentation
    ref: bytes = b""  # names the record of this slate in the store
    expires: int = 0  # end of the links of a mail, seconds since 1970; 0: no slate is kept

    def render(
        self,
        facts: SlateFacts,
        recommendations: Sequence[dict[str, Any]],
        content: list[str],
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> RenderedAnswer:
        """Return the answer.

        `content`: ids and reasons in their order, for the recommendation id. `more`: fields
        behind the others.
        """
        query, count = self.query, len(recommendations)
        experiment, variant = query.variant_names or (None, None)
        fallback_reason = facts.fallback_reason
        token = recommendation_ids.RecommendationId(
            self.model.version,
            query.placement,
            query.campaign,
            recommendation_ids.digest_slate(content),
            query.variant_names,
        )
        recommendation_id = recommendation_ids.sign(self.presentation.links.secret, token)
        if query.with_cards and query.mailed:
            self._add_links(recommendations, recommendation_id)
        body = {
            "recommendation_id": recommendation_id,
            "customer_id": None,  # put in when it is served
            "placement": query.placement,
            "experiment": experiment,
            "variant": variant,
            "offer": None,  # put in by `with_offer`
            "strategy": facts.strategy,
            "fallback": fallback_reason is not None,
            "fallback_reason": fallback_reason,
            "model_version": self.model.version,
            "data_as_of": format_timestamp(self.data_as_of),
            "model_age_days": self.model.age_days(self.data_as_of),
            "requested": query.n,
            "count": count,
            "complete": count == query.n,
            "missing_ids": self.missing_ids,
            "unknown_names": self.find_unknown_names(),
            "occasion": self._render_occasion(facts.occasion),
            "language": self.language.name,
            "score_kind": facts.score_kind,
            "recommendations": recommendations,
            **more,
        }
        reason = fallback_reason or "none"
        return RenderedAnswer(facts.strategy, reason, orjson.dumps(body), recommendations)

    def render_ranking(self, ranking: Ranking, ids: Mapping[int, str]) -> RenderedAnswer:
        """Return the answer with given products in their order. `ids`: of them, by item."""
        products = [self.render_slot(slot) for slot in ranking.slots]
        content = slate_content(products)
        rest = self._render_unexplained(ranking.rest, ids)
        products += rest
        content += [product["id"] for product in rest]
        left_out = [{"id": ids[item], "rule": rule} for item, rule in ranking.left_out]
        return self.render(SlateFacts.of(ranking), products, content, {"left_out": left_out})

    def render_list(self, listed: ListedProducts) -> RenderedAnswer:
        """Return the answer with the products of a list, and what it says of each."""
        slate = listed.slate
        products = []
        for slot, facts in zip(slate.slots, listed.facts, strict=True):
            products.append(self.render_slot(slot) | self._render_listed(slot.item, facts))
        content = slate_content(products)
        more = {"list_name": self.query.shop_list}
        return self.render(SlateFacts.of(slate), products, content, more)

    def render_due(self, due: DueSlate) -> RenderedAnswer:
        """Return the answer with products that are due, and when."""
        products = []
        for slot, product in zip(due.slate.slots, due.products, strict=True):
            when = {
                "interval_days": round(product.interval_days, 1),
                "due": format_timestamp(product.due),
            }
            products.append(self.render_slot(slot) | when)
        return self.render(SlateFacts.of(due.slate), products, slate_content(products))

    def _render_listed(self, item: int, facts: ListedFacts) -> dict[str, Any]:
        former, rating = facts.former_price, facts.rating
        currency = self.model.recommender.catalogue.currency[item] or None
        return {
            "since": None if facts.since is None else format_timestamp(facts.since),
            "former_price": former,
            "former_price_text": format_price(former, currency, self.query.locale),
            "rating_mean": round(rating.mean, 2) if rating else None,
            "rating_count": rating.count if rating else None,
        }

    def _render_unexplained(
        self, ranked: RankedProducts, ids: Mapping[int, str]
    ) -> list[dict[str, Any]]:
        """Return products without sources and reasons: up to a thousand, so by one statement."""
        scores = np.round(ranked.scores.astype(np.float64), 6).tolist()
        items = ranked.items.tolist()
        products: list[dict[str, Any]] = [
            {"id": ids[item], "score": score, "source": None, "reason": None}
            for item, score in zip(items, scores, strict=True)
        ]
        if self.query.with_cards:
            for product, item in zip(products, items, strict=True):
                product |= self._render_card(item)
        return products

    @property
    def language(self) -> Language:
        """Return the language of the answer's sentences."""
        return self.presentation.languages.of(self.query.locale)

    def _render_occasion(self, occasion: Mapping[str, Any] | None) -> dict[str, Any] | None:
        if occasion is None:
            return None
        return {**occasion, "text": self.language.say(unpack_text(occasion["text"]))}

    def find_unknown_names(self) -> dict[str, str]:
        """Return the names in the query that nothing in the shop bears, by option."""
        return find_unknown_names(self.query, self.model.recommender.model)

    def render_slot(self, slot: Slot) -> dict[str, Any]:
        """Return one recommended product."""
        catalogue = self.model.recommender.catalogue
        return {
            "id": catalogue.ids[slot.item],
            "score": round(float(slot.score), 6),
            "source": slot.source,
            "reason": render_reason(slot.reason, catalogue, self.language),
            **self._render_card(slot.item),
        }

    def render_bundle(self, bundle: Bundle) -> dict[str, Any]:
        """Return a unit: its products, its figures, and what it costs."""
        catalogue = self.model.recommender.catalogue
        source, reason = Source.BOUGHT_TOGETHER, self._goes_with(bundle.anchor)
        if bundle.offer is not None:
            source, reason = Source.PINNED, CHOSEN_BY_SHOP
        slots = [Slot(item, bundle.score, source, reason) for item in bundle.items]
        total = self.model.recommender.total_price(bundle.members)
        anchor_id = catalogue.ids[bundle.anchor]
        return {
            "anchor_id": anchor_id,
            "anchor": {"id": anchor_id, **self._render_card(bundle.anchor)},
            "held_ids": [catalogue.ids[item] for item in bundle.held],
            "products": [self.render_slot(slot) for slot in slots],
            "support": bundle.support,
            "rule_confidence": _rounded(bundle.rule_confidence),
            "lift": _rounded(bundle.lift),
            "total_price": total.amount if total else None,
            "total_price_text": self._price_text(total),
            "currency": total.currency if total else None,
            "expected_gain": _render_gain(bundle.gain),
            "offer": self._render_offer(bundle.offer, total),
        }

    @cached_property
    def _goes_with(self) -> Callable[[int], Reason]:
        """Return the reason for what goes with a product; most units of an answer have one."""
        return cache(partial(BOUGHT_TOGETHER.about, self.model.recommender.catalogue))

    def _render_card(self, item: int) -> dict[str, Any]:
        """Return what a page or a mail shows of a product; nothing where ids are asked for."""
        if not self.query.with_cards:
            return {}
        shop_url = self.presentation.links.shop_url
        card = self.model.recommender.card(item, self.query.locale, shop_url)
        return {**card, "click_url": None}

    def _render_offer(self, offer: ShopBundle | None, total: Price | None) -> dict[str, Any] | None:
        """Return what the shop asks for its own unit, and what that saves where it is known."""
        if offer is None:
            return None
        price, saving = Price(offer.price, offer.currency), None
        if total is not None and total.currency == offer.currency:
            saving = Price(round(total.amount - offer.price, 4), offer.currency)
        return {
            "bundle_id": offer.id,
            "title": offer.title,
            "price": price.amount,
            "price_text": self._price_text(price),
            "currency": offer.currency,
            "saving": saving.amount if saving else None,
            "saving_text": self._price_text(saving),
        }

    def _price_text(self, price: Price | None) -> str | None:
        return format_price(*price, self.query.locale) if price else None

    def _add_links(self, recommendations: Sequence[dict[str, Any]], recommendation_id: str) -> None:
        """Give the products, which may stand in units, the links of a mail."""
        slate = LinkedSlate(recommendation_id, self.query.campaign, self.ref, self.expires)
        anchors = filter(None, [unit.get("anchor") for unit in recommendations])
        for product in (*shown_products(recommendations), *anchors):
            url, product_id = product["url"], product["id"]
            product["click_url"] = self.presentation.links.click_url(url, product_id, slate)


def shown_products(recommendations: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the products that are recommended, those of units one by one."""
    for recommendation in recommendations:
        yield from recommendation.get("products", (recommendation,))


def render_reason(reason: Reason, catalogue: Catalogue, language: Language) -> dict[str, Any]:
    """Return a reason as every answer shows it."""
    return {
        "kind": reason.kind,
        "product_ids": [catalogue.ids[item] for item in reason.items],
        "text": language.say(reason.text),
    }


def slate_content(products: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what tells one slate from another: id, source and reason of each product."""
    content: list[str] = []
    for product in products:
        content += product["id"], product["source"], product["reason"]["kind"]
    return content


def _render_gain(gain: ExpectedGain | None) -> dict[str, float] | None:
    return {name: round(amount, 4) for name, amount in vars(gain).items()} if gain else None


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(float(figure), 6)
