"""Events as callers report them, and what is answered.

Each event is validated on its own, so that a bad one does not affect the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SkipValidation,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from models.data.events import DAY, KINDS
from models.data.timestamps import format_timestamp
from service.errors import field_problems
from service.patterns import CURRENCY, NO_NUL, PLACEMENT
from service.schemas.base import AnswerModel, examples
from service.schemas.pages import Next, PagingOptions
from service.schemas.parameters import Id
from service.store.events import Event, EventChoice, EventLine, NumberedEvent

MAX_EVENTS: Final = 1000  # in a call
MAX_LINES: Final = 1000  # in an order
MAX_SHOWN: Final = 100  # products in an exposure
STARS_OF_THUMB: Final = {"up": 5.0, "down": 1.0}
ORDER_KINDS: Final = frozenset({"purchase", "return"})


def parse_event_time(value: Any, info: ValidationInfo) -> int:
    """Return the seconds since 1970 of an ISO 8601 time that names its zone.

    Raises ValueError for a time more than a day after the clock in `info.context`.
    """
    if not isinstance(value, str):
        raise ValueError("should be an ISO 8601 time, as text")
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("should be an ISO 8601 time, like 2026-11-22T09:30:00+01:00") from None
    if parsed.tzinfo is None:
        raise ValueError("should name its zone, like 2026-11-22T09:30:00+01:00 or …Z")
    seconds = int(parsed.timestamp())
    if seconds < 0:
        raise ValueError("lies before 1970")
    if info.context is not None and seconds > info.context + DAY:
        raise ValueError("lies more than a day in the future")
    return seconds


def convert_thumb(value: Any) -> Any:
    """Return a thumb as stars, and anything else as it is.

    Raises ValueError for a boolean: read as a number, true would be one star.
    """
    if isinstance(value, bool):
        raise ValueError('should be 1 to 5 stars, "up" or "down"')
    return STARS_OF_THUMB.get(value, value) if isinstance(value, str) else value


SINCE_1970: Final = {
    "type": "string",
    "format": "date-time",
    "pattern": "^(19[7-9][0-9]|[2-9][0-9]{3})-",
}
Time = Annotated[int, BeforeValidator(parse_event_time), WithJsonSchema(SINCE_1970)]
Amount = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Placement = Annotated[str, Field(pattern=PLACEMENT)]
Stars = Annotated[
    float,
    Field(ge=1, le=5, allow_inf_nan=False),
    BeforeValidator(
        convert_thumb,
        json_schema_input_type=Annotated[float, Field(ge=1, le=5)] | Literal["up", "down"],
    ),
]

LINE_EXAMPLE: Final[dict[str, Any]] = {"product_id": "1082185", "quantity": 2, "unit_price": 1.29}
PURCHASE_EXAMPLE: Final[dict[str, Any]] = {
    "event_id": "order-1001",
    "kind": "purchase",
    "time": "2026-11-22T09:30:00Z",
    "customer_id": "2034",
    "order_id": "1001",
    "currency": "USD",
    "lines": [LINE_EXAMPLE],
}
VIEW_EXAMPLE: Final[dict[str, Any]] = {
    "event_id": "v-77",
    "kind": "view",
    "time": "2026-11-22T09:31:00Z",
    "session_id": "s-1",
    "product_id": "995242",
}
NOT_SIGNED: Final = {
    "field": "recommendation_id",
    "problem": "was not signed here; send the one of the answer whose slate led to the event",
}
REJECTED_EXAMPLE: Final[dict[str, Any]] = {
    "index": 1,
    "event_id": "v-77",
    "errors": [{"field": "time", "problem": "lies before 1970"}],
}
REPORTED_LINE: Final[dict[str, Any]] = {
    "product_id": "1082185",
    "title": "Bananas",
    "quantity": 2,
    "unit_price": 1.29,
}
REPORTED_EXAMPLE: Final[dict[str, Any]] = {
    "number": 4711,
    "event_id": "order-1001",
    "kind": "purchase",
    "time": "2026-11-22T09:30:00Z",
    "reported_by": "shop",
    "customer_id": "2034",
    "session_id": None,
    "order_id": "1001",
    "lines": [REPORTED_LINE],
    "currency": "USD",
    "market": None,
    "placement": None,
    "recommendation_id": None,
    "rating": None,
    "words": None,
}
RATING_EXAMPLE: Final[dict[str, Any]] = {
    "time": "2026-11-22T09:40:00Z",
    "rating": 5,
    "words": "Always ripe",
}


class LineBody(BaseModel):
    """A line of an order."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=examples(LINE_EXAMPLE))
    product_id: Annotated[
        Id, Field(description="Product that was bought or returned.", examples=["1082185"])
    ]
    quantity: Annotated[
        float,
        Field(gt=0, le=1e6, allow_inf_nan=False, description="Number of pieces.", examples=[2]),
    ] = 1.0
    unit_price: Annotated[
        Amount | None, Field(description="Price of one piece.", examples=[1.29])
    ] = None


class EventBody(BaseModel):
    """One thing that happened.

    A purchase or a return has `lines`, an exposure has `product_ids`, every other kind has a
    `product_id`.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra=examples(PURCHASE_EXAMPLE, VIEW_EXAMPLE),
    )
    event_id: Annotated[
        Id,
        Field(
            description="Id that you choose. Sending the same one again changes nothing.",
            examples=["order-1001"],
        ),
    ]
    kind: Annotated[
        Literal[KINDS],  # type: ignore[valid-type]
        Field(description="What happened.", examples=["purchase"]),
    ]
    time: Annotated[
        Time,
        Field(
            description="When it happened, ISO 8601 with its zone.",
            examples=["2026-11-22T09:30:00Z"],
        ),
    ]
    customer_id: Annotated[
        Id | None, Field(description="Customer who did it.", examples=["2034"])
    ] = None
    session_id: Annotated[
        Id | None,
        Field(
            description="Visit in which it happened. It belongs to the first customer who logs in.",
            examples=["s-1"],
        ),
    ] = None
    product_id: Annotated[
        Id | None, Field(description="Product it happened to.", examples=["995242"])
    ] = None
    product_ids: Annotated[
        tuple[Id, ...] | None,
        Field(
            max_length=MAX_SHOWN,
            description="Products that were shown, in their order.",
            examples=[["1082185", "995242"]],
        ),
    ] = None
    order_id: Annotated[
        Id | None, Field(description="Order of a purchase or a return.", examples=["1001"])
    ] = None
    lines: Annotated[
        tuple[LineBody, ...] | None,
        Field(
            max_length=MAX_LINES,
            description="Lines of a purchase or a return.",
            examples=[[LINE_EXAMPLE]],
        ),
    ] = None
    currency: Annotated[
        str | None,
        Field(pattern=CURRENCY, description="Currency of the prices, ISO 4217.", examples=["USD"]),
    ] = None
    market: Annotated[
        Id | None, Field(description="Market in which it happened.", examples=["north"])
    ] = None
    placement: Annotated[
        Placement | None,
        Field(description="Placement of the slate that led to it.", examples=["home"]),
    ] = None
    recommendation_id: Annotated[
        str | None,
        Field(
            max_length=1000,
            pattern=NO_NUL,
            description="Id of the slate that led to it.",
            examples=["q7Xo2m0vWk1J…"],
        ),
    ] = None
    rating: Annotated[
        Stars | None,
        Field(description='Rating: 1 to 5 stars, "up" or "down".', examples=[5]),
    ] = None
    words: Annotated[
        str | None,
        Field(
            max_length=5000,
            pattern=NO_NUL,
            description="What the customer wrote about the product.",
            examples=["Always ripe"],
        ),
    ] = None

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if self.kind in ORDER_KINDS:
            _require(self.lines, f"a {self.kind} needs `lines`, with a product_id each")
            _require(self.kind == "return" or self.order_id, "a purchase needs its `order_id`")
        elif self.kind == "exposure":
            _require(
                self.product_ids,
                "an exposure needs `product_ids`, in the order in which they were shown",
            )
        else:
            _require(self.product_id, f"a {self.kind} needs its `product_id`")
        _require(self.kind != "rating" or self.rating is not None, "a rating needs its `rating`")
        someone = self.customer_id or self.session_id
        _require(
            someone or self.kind == "purchase",
            f"a {self.kind} needs a `customer_id` or a `session_id`",
        )
        return self

    def event(self) -> Event:
        """Return the event as the store takes it."""
        if self.kind in ORDER_KINDS:
            lines = _merge_lines(self.lines or ())
        elif self.kind == "exposure":
            shown = dict.fromkeys(self.product_ids or ())
            lines = tuple(map(EventLine, shown))
        else:
            lines = (EventLine(self.product_id or ""),)
        return Event(
            event_id=self.event_id,
            kind=KINDS.index(self.kind),
            time=self.time,
            lines=lines,
            customer_id=self.customer_id,
            session_id=self.session_id,
            order_id=self.order_id,
            currency=self.currency,
            market=self.market,
            placement=self.placement,
            recommendation_id=self.recommendation_id,
            rating=self.rating,
            words=self.words,
        )


def _require(condition: object, sentence: str) -> None:
    if not condition:
        raise ValueError(sentence)


def _merge_lines(lines: Sequence[LineBody]) -> tuple[EventLine, ...]:
    """Return one line for each product: quantities add up, the last price counts."""
    merged: dict[str, EventLine] = {}
    for line in lines:
        earlier = merged.get(line.product_id)
        quantity = line.quantity + ((earlier.quantity or 0.0) if earlier else 0.0)
        merged[line.product_id] = EventLine(line.product_id, quantity, line.unit_price)
    return tuple(merged.values())


class EventsBody(BaseModel):
    """1 to 1,000 events; each is validated on its own."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra=examples({"events": [PURCHASE_EXAMPLE, VIEW_EXAMPLE]})
    )

    # Documented as events, or anything: each is validated on its own, later.
    events: Annotated[
        list[SkipValidation[EventBody | Any]],
        Field(
            min_length=1,
            max_length=MAX_EVENTS,
            description="The events. One that is invalid is listed under `rejected`.",
            examples=[[VIEW_EXAMPLE]],
        ),
    ]


class EventProblem(AnswerModel):
    """A problem with one field of an event."""

    model_config = ConfigDict(
        json_schema_extra=examples({"field": "time", "problem": "lies before 1970"})
    )
    field: str = Field(description="Name of the field.")
    problem: str = Field(description="What is wrong with its value.")


class Rejected(AnswerModel):
    """An event that was not taken."""

    model_config = ConfigDict(json_schema_extra=examples(REJECTED_EXAMPLE))
    index: int = Field(description="Position of the event in the request, from 0.")
    event_id: str | None = Field(description="Id of the event, if it has one.")
    errors: list[EventProblem] = Field(description="What is wrong with it.")


class EventsAnswer(AnswerModel):
    """An account of the events. Each is accepted, repeated or rejected."""

    model_config = ConfigDict(
        json_schema_extra=examples({"accepted": 1, "repeated": [], "rejected": [REJECTED_EXAMPLE]})
    )
    accepted: int = Field(description="Number of new events; they are durable now.")
    repeated: list[int] = Field(
        description="Positions of events that were stored before. Nothing changed."
    )
    rejected: list[Rejected] = Field(description="Events that were not taken.")


class EventOptions(PagingOptions):
    """A page of the newest events, and which of them."""

    kind: Annotated[
        Literal[KINDS] | None,  # type: ignore[valid-type]
        Field(description="Only events of this kind.", examples=["purchase"]),
    ] = None
    customer_id: Annotated[
        Id | None,
        Field(
            description="Only events of this customer, with those of visits before they logged in.",
            examples=["2034"],
        ),
    ] = None
    session_id: Annotated[
        Id | None, Field(description="Only events of this visit.", examples=["s-1"])
    ] = None
    product_id: Annotated[
        Id | None, Field(description="Only events with this product.", examples=["1082185"])
    ] = None

    def choice(self) -> EventChoice:
        """Return the choice in the words of the store."""
        kind = None if self.kind is None else KINDS.index(self.kind)
        return EventChoice(kind, self.customer_id, self.session_id, self.product_id)


class ReportedLine(AnswerModel):
    """A product of an event."""

    model_config = ConfigDict(json_schema_extra=examples(REPORTED_LINE))
    product_id: str = Field(description="Product that it happened to.")
    title: str | None = Field(description="Its title, where the served model knows it.")
    quantity: float | None = Field(description="Number of pieces, of an order.")
    unit_price: float | None = Field(description="Price of one piece, of an order.")


class ReportedEvent(AnswerModel):
    """An event as the store holds it."""

    model_config = ConfigDict(json_schema_extra=examples(REPORTED_EXAMPLE))
    number: int = Field(description="Number in the store; later ones are larger.")
    event_id: str = Field(
        description="Id of the event. Of what a browser reported, a hash of the id it chose."
    )
    kind: str = Field(description="What happened.")
    time: datetime = Field(description="When it happened.")
    reported_by: str = Field(
        description="`shop`: with a key. `customer`: by a customer's token or a link in a mail. "
        "`late`: by a token, an order more than a day old, which counts for that customer alone."
    )
    customer_id: str | None = Field(description="Customer who did it.")
    session_id: str | None = Field(description="Visit in which it happened.")
    order_id: str | None = Field(description="Order of a purchase or a return.")
    lines: list[ReportedLine] = Field(description="Products that it happened to.")
    currency: str | None = Field(description="Currency of the prices.")
    market: str | None = Field(description="Market in which it happened.")
    placement: str | None = Field(description="Placement of the slate that led to it.")
    recommendation_id: str | None = Field(description="Id of the slate that led to it.")
    rating: float | None = Field(description="Rating, 1 to 5 stars.")
    words: str | None = Field(description="What the customer wrote about the product.")


class NewestEvents(AnswerModel):
    """A page of events."""

    model_config = ConfigDict(
        json_schema_extra=examples({"events": [REPORTED_EXAMPLE], "next": None})
    )
    events: list[ReportedEvent] = Field(description="The events, those reported last first.")
    next: Next


def describe_event(found: NumberedEvent, find_title: Callable[[str], str | None]) -> dict[str, Any]:
    """Return an event of the store as a ReportedEvent tells it."""
    event = found.event
    told = {
        "number": found.number,
        "event_id": event.event_id,
        "kind": KINDS[event.kind],
        "time": format_timestamp(event.time),
        "reported_by": event.standing.name.lower(),
        "lines": [{**vars(line), "title": find_title(line.product_id)} for line in event.lines],
    }
    return {name: told.get(name, getattr(event, name, None)) for name in ReportedEvent.model_fields}


class RatingTold(AnswerModel):
    """A rating in a customer's own words."""

    model_config = ConfigDict(json_schema_extra=examples(RATING_EXAMPLE))
    time: datetime = Field(description="When it was given.")
    rating: float = Field(description="1 to 5 stars.")
    words: str | None = Field(description="What the customer wrote.")


class RatingsAnswer(AnswerModel):
    """Ratings of a product: the newest of each customer, or of each visit. Nobody is named."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                "product_id": "1082185",
                "count": 12,
                "mean": 4.42,
                "ratings": [RATING_EXAMPLE],
                "next": None,
            }
        )
    )
    product_id: str = Field(description="Id of the product.")
    count: int = Field(description="Number of ratings.")
    mean: float | None = Field(description="Mean number of stars, or null without a rating.")
    ratings: list[RatingTold] = Field(description="Ratings with words, newest first.")
    next: Next


@dataclass(frozen=True)
class ValidatedEvents:
    """Hold the valid events of a call, and the errors of the others."""

    events: list[Event]
    indices: list[int]  # of each event in the call
    rejected: dict[int, list[dict[str, str]]]  # index in the call -> problems


def validate_events(
    bodies: Sequence[Any], now: int, is_signed: Callable[[str], bool] = lambda _: False
) -> ValidatedEvents:
    """Validate each event on its own. `now`: seconds since 1970.

    `is_signed`: tells whether this service has made a recommendation id; by default none.
    """
    validated = ValidatedEvents([], [], {})
    for index, body in enumerate(bodies):
        try:
            event = EventBody.model_validate(body, context=now).event()
        except ValidationError as error:
            validated.rejected[index] = field_problems(error, "event")
        else:
            if event.recommendation_id is None or is_signed(event.recommendation_id):
                validated.events.append(event)
                validated.indices.append(index)
            else:
                validated.rejected[index] = [NOT_SIGNED]
    return validated
