"""The filter that Klaviyo adds to Django's templates."""

from collections.abc import Mapping
from typing import Any

from django.template import Library

register = Library()


@register.filter
def lookup(properties: Mapping[str, Any], name: str) -> Any:
    return properties.get(name)
