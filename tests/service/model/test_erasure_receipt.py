"""A receipt names the models that still hold the history of a customer who was erased."""

from dataclasses import replace

from models.artifact.registry import Registry
from models.data.timestamps import format_timestamp
from service.model.erasure_receipt import build_receipt, find_versions_with
from tests.support.expected_answers import another_version
from tests.support.service_shop import Shop
from tests.support.shop import REGULAR, moment


def test_versions_that_know_a_customer_are_found_and_a_damaged_one_is_passed_over(
    own_shop: Shop,
) -> None:
    registry = Registry(own_shop.root)
    later = another_version(own_shop.root)
    assert [manifest.version for manifest in find_versions_with(registry, REGULAR)] == [
        later,
        own_shop.model.version,
    ]
    assert find_versions_with(registry, "nobody") == []
    (registry.path(later) / "manifest.json").write_text("{")
    assert [manifest.version for manifest in find_versions_with(registry, REGULAR)] == [
        own_shop.model.version
    ]


def test_a_receipt_says_what_went_and_when_the_last_version_goes(shop: Shop) -> None:
    manifest = shop.model.recommender.manifest
    old, new = replace(manifest, created=moment(0)), replace(manifest, created=moment(20))
    receipt = build_receipt({"events": 3}, [new, old], moment(31), 300)
    assert receipt["deleted"] == {"events": 3}
    assert receipt["forgotten"] == format_timestamp(moment(31))
    # The older one is served still: it goes with the next training.
    assert [version["pruned_by"] for version in receipt["versions_with_history"]] == [
        format_timestamp(moment(50)),
        format_timestamp(moment(31)),
    ]
    assert receipt["last_pruned_by"] == format_timestamp(moment(50))
    assert build_receipt({}, [], moment(31), 300)["last_pruned_by"] is None
