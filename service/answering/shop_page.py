"""Pages: several slates in one answer, in which nothing is shown twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import orjson

from models.data.ids import find_known
from models.slate import FallbackReason
from service.answering.answer import (
    AnswerInputs,
    SharedByAnswers,
    assign_variant,
    build_answer,
    build_popular_answer,
)
from service.answering.presentation import Presentation
from service.answering.query import RecommendationQuery, StoreKnowledge
from service.answering.render import RenderedAnswer
from service.model.live_catalogue import LiveCatalogue

SIZE_BYTES: Final = 4  # in front of each part of a cached page


@dataclass(frozen=True)
class PagePart:
    """One slate of a page."""

    name: str | None  # of the caller
    query: RecommendationQuery  # without what the parts above show


@dataclass(frozen=True)
class PageQuery:
    """A page: its parts in their order, and for whom it is."""

    parts: tuple[PagePart, ...]
    visitor: RecommendationQuery  # whose records are read

    @property
    def queries(self) -> tuple[RecommendationQuery, ...]:
        return tuple(part.query for part in self.parts)


@dataclass
class PageInProgress:
    """Hold the parts that a thread has finished, in their order, and what they show."""

    answers: list[RenderedAnswer] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    def without_shown(self, query: RecommendationQuery) -> RecommendationQuery:
        """Return a query that leaves out what is shown above."""
        if not self.shown:
            return query
        return replace(query, exclude=tuple(sorted({*query.exclude, *self.shown})))

    def add(self, answer: RenderedAnswer) -> None:
        self.shown += answer.product_ids
        self.answers.append(answer)

    def copy(self) -> PageInProgress:
        """Return it as it is now: a thread may go on with it."""
        copied = PageInProgress()
        for answer in self.answers.copy():
            copied.add(answer)
        return copied


@dataclass
class PartsOfModel:
    """The parts of a page that one model answers."""

    inputs: AnswerInputs
    shared: SharedByAnswers = field(default_factory=SharedByAnswers)
    resolved: int = 0  # of the products that the page shows, whose items are known

    def build(
        self, query: RecommendationQuery, presentation: Presentation, progress: PageInProgress
    ) -> RenderedAnswer:
        """Compute a part without what those above it show."""
        live, knowledge = self.inputs
        if query.switched_off:
            query = progress.without_shown(query)
        shown = progress.shown[self.resolved :]
        self.shared.shown += find_known(live.model.recommender.catalogue.ids, shown)
        self.resolved += len(shown)
        return build_answer(live, query, presentation, knowledge, self.shared)


def build_page(
    page: PageQuery,
    presentation: Presentation,
    inputs: AnswerInputs,
    others: Mapping[str, AnswerInputs],
    progress: PageInProgress,
) -> None:
    """Compute the parts of a page, each without what those above it show.

    The customer is folded in once for all of them. `others`: of models that experiments answer
    with, by version.
    """
    parts = {version: PartsOfModel(each) for version, each in others.items()}
    of_active = PartsOfModel(inputs)
    for query in page.queries:
        query = assign_variant(inputs.live, query, inputs.knowledge)
        of_model = parts.get(query.model_version or "", of_active)
        progress.add(of_model.build(query, presentation, progress))


def finish_page(
    live: LiveCatalogue,
    page: PageQuery,
    presentation: Presentation,
    knowledge: StoreKnowledge,
    progress: PageInProgress,
    reason: FallbackReason,
) -> None:
    """Add the ready answers of the parts that are missing, flagged with the reason.

    `knowledge`: what the customer has answered and said.
    """
    for query in page.queries[len(progress.answers) :]:
        query = progress.without_shown(query)
        progress.add(build_popular_answer(live, query, reason, presentation, knowledge))


def pack_page(answers: Sequence[RenderedAnswer]) -> bytes:
    """Return the parts of a page as bytes, which `unpack_page` reads."""
    packed = [answer.pack() for answer in answers]
    return b"".join(len(part).to_bytes(SIZE_BYTES, "little") + part for part in packed)


def unpack_page(packed: bytes) -> list[RenderedAnswer]:
    answers, start = [], 0
    while start < len(packed):
        first = start + SIZE_BYTES
        start = first + int.from_bytes(packed[start:first], "little")
        answers.append(RenderedAnswer.unpack(packed[first:start]))
    return answers


def render_page(page: PageQuery, answers: Sequence[RenderedAnswer]) -> bytes:
    """Return the body of a page."""
    customer_id = page.visitor.customer_id
    parts = []
    for part, answer in zip(page.parts, answers, strict=True):
        body = orjson.Fragment(answer.body_for(part.query.customer_id))
        parts.append({"name": part.name, "kind": part.query.kind, "answer": body})
    document = {
        "customer_id": customer_id,
        "fallback": any(answer.fallback_reason != "none" for answer in answers),
        "count": len(parts),
        "parts": parts,
    }
    return orjson.dumps(document)
