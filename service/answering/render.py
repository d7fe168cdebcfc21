"""The body of an answer, field by field as DESIGN.md section 7 orders them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import orjson

from models.assembly.cards import card
from models.data.timestamps import format_timestamp
from models.slate import FallbackReason, Slot, Strategy
from service.answering.query import RecommendationQuery
from service.model.loaded_model import LoadedModel
from service.signing import recommendation_ids
from service.signing.click_links import ClickLinks, LinkedSlate

NOBODY: Final = b'"customer_id":null'


@dataclass(frozen=True)
class RenderedAnswer:
    """A finished body with the two words that are counted. Nothing in it names the customer, so it may be cached."""

    strategy: str
    fallback_reason: str  # "none" where there is none
    body: bytes  # with null for the customer's id

    def body_for(self, customer_id: str | None) -> bytes:
        """The body with the customer's id in its place: only the recommendation id, free of quotes, comes before."""
        return self.body.replace(NOBODY, b'"customer_id":' + orjson.dumps(customer_id), 1)

    def pack(self) -> bytes:
        return f"{self.strategy} {self.fallback_reason}\n".encode() + self.body

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        words, _, body = packed.partition(b"\n")
        strategy, fallback_reason = words.decode().split(" ")
        return cls(strategy, fallback_reason, body)


@dataclass(frozen=True)
class AnswerRenderer:
    """Writes the answer to one question from one model."""

    model: LoadedModel
    question: RecommendationQuery
    missing_ids: tuple[str, ...]
    now: int  # the newest event of the model and the store
    links: ClickLinks
    ref: bytes = b""  # names the record of this slate in the store
    expires: int = (
        0  # when the links of a mail end, seconds since 1970; 0: the slate is kept nowhere
    )

    def answer(
        self,
        strategy: Strategy,
        fallback_reason: FallbackReason | None,
        recommendations: Sequence[dict[str, Any]],
        content: list[str],
        occasion: Mapping[str, Any] | None = None,
    ) -> RenderedAnswer:
        """`content`: ids and reasons in their order, for the recommendation id."""
        query, count = self.question, len(recommendations)
        token = recommendation_ids.RecommendationId(
            self.model.version,
            query.placement,
            query.campaign,
            recommendation_ids.digest_slate(content),
        )
        recommendation_id = recommendation_ids.sign(self.links.secret, token)
        if query.with_cards and query.mailed:
            self._link(recommendations, recommendation_id)
        body = {
            "recommendation_id": recommendation_id,
            "customer_id": None,  # put in when it is served
            "placement": query.placement,
            "strategy": strategy,
            "fallback": fallback_reason is not None,
            "fallback_reason": fallback_reason,
            "model_version": self.model.version,
            "data_as_of": format_timestamp(self.now),
            "requested": query.n,
            "count": count,
            "complete": count == query.n,
            "missing_ids": self.missing_ids,
            "occasion": occasion,
            "recommendations": recommendations,
        }
        return RenderedAnswer(strategy, fallback_reason or "none", orjson.dumps(body))

    def slot(self, slot: Slot) -> dict[str, Any]:
        """One recommended product."""
        catalogue = self.model.recommender.catalogue
        product = {
            "id": catalogue.ids[slot.item],
            "score": round(float(slot.score), 6),
            "source": slot.source,
            "reason": {
                "kind": slot.reason.kind,
                "product_ids": [catalogue.ids[item] for item in slot.reason.items],
                "text": slot.reason.text,
            },
        }
        if self.question.with_cards:
            product.update(
                card(catalogue, slot.item, self.question.locale, self.links.shop_url),
                click_url=None,
            )
        return product

    def _link(self, recommendations: Sequence[dict[str, Any]], recommendation_id: str) -> None:
        """Gives the products, which may stand in units, the links of a mail."""
        slate = LinkedSlate(recommendation_id, self.question.campaign, self.ref, self.expires)
        for recommended in recommendations:
            for product in recommended.get("products", (recommended,)):
                url, product_id = product["url"], product["id"]
                product["click_url"] = self.links.click_url(url, product_id, slate)


def content_of(slots: Sequence[Mapping[str, Any]]) -> list[str]:
    return [part for slot in slots for part in (slot["id"], slot["source"], slot["reason"]["kind"])]
