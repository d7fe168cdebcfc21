"""What a caller may report: each event is judged on its own, so that one bad one costs no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from service.schemas.parameters import NO_NUL, Id
from service.store.events import Event, EventLine

MOST_EVENTS: Final = 1000  # in a call
MOST_LINES: Final = 1000  # in an order
MOST_SHOWN: Final = 100  # in an exposure
STARS: Final = {"up": 5.0, "down": 1.0}
FIRST: Final = 0  # 1970
ORDERS: Final = frozenset({"purchase", "return"})


def aware_moment(value: Any, info: ValidationInfo) -> int:
    """Seconds since 1970 of an ISO 8601 time that names its zone, at most a day ahead of the service's clock."""
    if not isinstance(value, str):
        raise ValueError("should be an ISO 8601 time, as text")
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("should be an ISO 8601 time, like 2026-11-22T09:30:00+01:00") from None
    if parsed.tzinfo is None:
        raise ValueError("should name its zone, like 2026-11-22T09:30:00+01:00 or …Z")
    seconds = int(parsed.timestamp())
    if seconds < FIRST:
        raise ValueError("lies before 1970")
    if info.context is not None and seconds > info.context + DAY:
        raise ValueError("lies more than a day in the future")
    return seconds


def stars(value: Any) -> Any:
    """A thumb as stars. True is no thumb: as a number it would be one star."""
    if isinstance(value, bool):
        raise ValueError('should be 1 to 5 stars, "up" or "down"')
    return STARS.get(value, value) if isinstance(value, str) else value


SINCE_1970: Final = {
    "type": "string",
    "format": "date-time",
    "pattern": "^(19[7-9][0-9]|[2-9][0-9]{3})-",
}
Time = Annotated[int, BeforeValidator(aware_moment), WithJsonSchema(SINCE_1970)]
Amount = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Placement = Annotated[str, Field(pattern="^[a-z0-9_-]{1,50}$")]
Stars = Annotated[
    float,
    Field(ge=1, le=5, allow_inf_nan=False),
    BeforeValidator(
        stars, json_schema_input_type=Annotated[float, Field(ge=1, le=5)] | Literal["up", "down"]
    ),
]


class LineBody(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    product_id: Id
    quantity: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = 1.0
    unit_price: Amount | None = None


class EventBody(BaseModel):
    """One thing that happened. `lines` for a purchase or a return, `product_ids` for an exposure, else `product_id`."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "event_id": "order-1001",
                    "kind": "purchase",
                    "time": "2026-11-22T09:30:00Z",
                    "customer_id": "2034",
                    "order_id": "1001",
                    "currency": "USD",
                    "lines": [{"product_id": "1082185", "quantity": 2, "unit_price": 1.29}],
                },
                {
                    "event_id": "v-77",
                    "kind": "view",
                    "time": "2026-11-22T09:31:00Z",
                    "session_id": "s-1",
                    "product_id": "995242",
                },
            ]
        },
    )
    event_id: Annotated[
        Id, Field(description="made by the caller; the same one again changes nothing")
    ]
    kind: Literal[KINDS]  # type: ignore[valid-type]
    time: Annotated[Time, Field(description="ISO 8601, with its zone")]
    customer_id: Id | None = None
    session_id: Annotated[
        Id | None, Field(description="the visit; belongs to the customer who logs in")
    ] = None
    product_id: Id | None = None
    product_ids: Annotated[
        tuple[Id, ...] | None, Field(max_length=MOST_SHOWN, description="what was shown")
    ] = None
    order_id: Id | None = None
    lines: Annotated[tuple[LineBody, ...] | None, Field(max_length=MOST_LINES)] = None
    currency: Annotated[str | None, Field(pattern="^[A-Z]{3}$")] = None
    market: Id | None = None
    placement: Placement | None = None
    recommendation_id: Annotated[
        str | None, Field(max_length=1000, pattern=NO_NUL, description="the slate that led to it")
    ] = None
    rating: Annotated[Stars | None, Field(description='1 to 5 stars, "up" or "down"')] = None
    words: Annotated[
        str | None,
        Field(
            max_length=5000, pattern=NO_NUL, description="what the customer says about the product"
        ),
    ] = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind in ORDERS:
            _need(self.lines, f"a {self.kind} needs `lines`, with a product_id each")
            _need(self.kind == "return" or self.order_id, "a purchase needs its `order_id`")
        elif self.kind == "exposure":
            _need(
                self.product_ids,
                "an exposure needs `product_ids`, in the order in which they were shown",
            )
        else:
            _need(self.product_id, f"a {self.kind} needs its `product_id`")
        _need(self.kind != "rating" or self.rating is not None, "a rating needs its `rating`")
        known = self.customer_id or self.session_id
        _need(
            known or self.kind == "purchase",
            f"a {self.kind} needs a `customer_id` or a `session_id`",
        )
        return self

    def event(self) -> Event:
        if self.kind in ORDERS:
            lines = _one_a_product(self.lines or ())
        elif self.kind == "exposure":
            lines = tuple(
                EventLine(product_id) for product_id in dict.fromkeys(self.product_ids or ())
            )
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


def _need(condition: object, sentence: str) -> None:
    if not condition:
        raise ValueError(sentence)


def _one_a_product(lines: Sequence[LineBody]) -> tuple[EventLine, ...]:
    """Quantities of one product add up; the last price counts."""
    found: dict[str, EventLine] = {}
    for line in lines:
        before = found.get(line.product_id)
        quantity = line.quantity + ((before.quantity or 0.0) if before else 0.0)
        found[line.product_id] = EventLine(line.product_id, quantity, line.unit_price)
    return tuple(found.values())


class EventsBody(BaseModel):
    """1 to 1,000 events; each is judged on its own."""

    model_config = ConfigDict(extra="forbid")

    # Documented as events, or anything: they are judged one by one.
    events: Annotated[
        list[SkipValidation[EventBody | Any]],
        Field(
            min_length=1,
            max_length=MOST_EVENTS,
            description="whatever is no event comes back under `rejected`",
        ),
    ]


@dataclass(frozen=True)
class Judged:
    events: list[Event]
    places: list[int]  # of each event in the call
    rejected: dict[int, list[Mapping[str, Any]]]  # place in the call -> pydantic's errors


def judge(given: Sequence[Any], now: int) -> Judged:
    """`now`: seconds since 1970."""
    events, places = [], []
    rejected: dict[int, list[Mapping[str, Any]]] = {}
    for place, one in enumerate(given):
        try:
            events.append(EventBody.model_validate(one, context=now).event())
            places.append(place)
        except ValidationError as error:
            rejected[place] = list(error.errors(include_url=False, include_input=False))
    return Judged(events, places, rejected)
