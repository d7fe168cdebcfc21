"""Many recipients in one call: each is judged and answered on its own, so that a bad one costs no other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, SkipValidation, ValidationError

from service.errors import Invalid, field_problems
from service.schemas.parameters import CustomerOptions, Excluded, Id, Locale, Name, ParameterModel

MOST_RECIPIENTS: Final = 1000  # in a call


class Recipient(ParameterModel):
    """Whom a slate is for, and what holds for them alone."""

    model_config = ConfigDict(strict=True)
    customer_id: Id
    order_id: Annotated[Id | None, Field(description="the order that this mail is about")] = None
    exclude: Annotated[Excluded, Field(description="besides what is excluded for all")] = ()
    market: Annotated[Name | None, Field(description="in the place of the one for all")] = None
    locale: Annotated[Locale | None, Field(description="in the place of the one for all")] = None

    def options(self, common: CustomerOptions) -> CustomerOptions:
        """Those of the call, with what this recipient says instead."""
        own: dict[str, Any] = {
            name: getattr(self, name) for name in ("order_id", "market", "locale")
        }
        changed = {name: value for name, value in own.items() if value is not None}
        return common.model_copy(
            update=changed | {"exclude": tuple(sorted({*common.exclude, *self.exclude}))}
        )


class BatchOptions(CustomerOptions):
    """1 to 1,000 recipients, and the options of all their slates."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "recipients": [
                        {"customer_id": "2034"},
                        {"customer_id": "811", "exclude": ["1082185"]},
                    ],
                    "n": 4,
                    "placement": "email",
                    "campaign": "spring",
                }
            ]
        },
    )
    exclude: Annotated[
        Excluded, Field(description="products that must not be shown to anyone")
    ] = ()
    # Documented as recipients, or anything: they are judged one by one.
    recipients: Annotated[
        list[SkipValidation[Recipient | Any]],
        Field(
            min_length=1,
            max_length=MOST_RECIPIENTS,
            description="whatever is no recipient gets a problem",
        ),
    ]

    def common(self) -> CustomerOptions:
        return CustomerOptions.model_construct(
            **{name: getattr(self, name) for name in CustomerOptions.model_fields}
        )


def judged(options: BatchOptions) -> Iterator[tuple[str, CustomerOptions] | Invalid]:
    """Customer and options of each recipient, in their order, or what is wrong with it."""
    common = options.common()
    for given in options.recipients:
        try:
            recipient = Recipient.model_validate(given)
        except ValidationError as error:
            yield _problem(given, error.errors(include_url=False, include_input=False))
        else:
            yield recipient.customer_id, recipient.options(common)


def _problem(given: Any, errors: list[Any]) -> Invalid:
    if isinstance(given, dict):
        told = field_problems(errors)
    else:
        told = [{"field": "recipient", "problem": "should be a JSON object"}]
    return Invalid(
        "; ".join(f"{one['field']}: {one['problem']}" for one in told[:5]), errors=told[:100]
    )
