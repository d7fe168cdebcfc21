"""What a shop's slates show, as its pages would ask for them."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

EVERYWHERE = (
    "/v1/customers/c00/recommendations",
    "/v1/customers/stranger/recommendations",
    "/v1/popular",
    "/v1/products/baguette/similar",
)


def slate(
    client: TestClient, path: str = "/v1/customers/c00/recommendations", **options: Any
) -> list[dict[str, Any]]:
    """Asked twice, so that the answer to the next one would come from the cache."""
    first, second = (client.get(path, params={"n": 40, **options}) for _ in range(2))
    assert first.status_code == 200
    assert first.content == second.content
    recommendations: list[dict[str, Any]] = first.json()["recommendations"]
    return recommendations


def shown(
    client: TestClient, path: str = "/v1/customers/c00/recommendations", **options: Any
) -> list[str]:
    return [product["id"] for product in slate(client, path, **options)]


def refused(answered: Any, status: int = 422) -> list[str]:
    """The fields that a problem document names."""
    assert (answered.status_code, answered.headers["content-type"]) == (
        status,
        "application/problem+json",
    )
    return [error["field"] for error in answered.json()["errors"]]
