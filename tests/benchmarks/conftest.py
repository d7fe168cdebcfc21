"""The small shop of the service's tests, to be measured."""

from tests.service.conftest import shop

__all__ = ["shop"]
