"""A receipt names the models that still hold the history of a customer who was erased."""

from dataclasses import replace

from models.artifact.registry import Registry
from models.artifact.reports import ReportWithCustomer
from models.data.timestamps import format_timestamp
from service.model.erasure_receipt import Traces, build_receipt, find_versions_with
from service.store.erasure import Erasure
from tests.support.expected_answers import another_version
from tests.support.service_shop import Shop
from tests.support.shop import REGULAR, moment

NO_TRACES = Traces([], [])


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
    erasure = Erasure({"events": 3, "mails": 0}, None)
    receipt = build_receipt(REGULAR, erasure, Traces([(new, 0), (old, 0)], []), moment(31), 300)
    assert (receipt["customer_id"], receipt["known"]) == (REGULAR, True)
    assert receipt["deleted"] == {"events": 3, "mails": 0}
    assert receipt["forgotten"] == format_timestamp(moment(31))
    # The older one is served still: it goes with the next training.
    assert [version["pruned_by"] for version in receipt["versions_with_history"]] == [
        format_timestamp(moment(50)),
        format_timestamp(moment(31)),
    ]
    assert receipt["last_pruned_by"] == format_timestamp(moment(50))


def test_a_receipt_for_nobody_says_that_nothing_was_known(shop: Shop) -> None:
    manifest = shop.model.recommender.manifest
    nothing, again = Erasure({"events": 0}, None), Erasure({"events": 0}, moment(2))
    receipt = build_receipt("c00/", nothing, NO_TRACES, moment(31), 300)
    assert (receipt["known"], receipt["last_pruned_by"]) == (False, None)
    assert "Nothing was known under this id" in receipt["text"]
    second = build_receipt(REGULAR, again, NO_TRACES, moment(31), 300)
    assert (second["known"], second["forgotten"]) == (False, format_timestamp(moment(2)))
    assert f"it was erased on {format_timestamp(moment(2))}" in second["text"]
    # A row in the store or a version on disk is enough to have been known.
    assert build_receipt(REGULAR, Erasure({"events": 1}, None), NO_TRACES, moment(31), 300)["known"]
    version, page = Traces([(manifest, 0)], []), Traces([], [ReportWithCustomer("a.html", False)])
    assert build_receipt(REGULAR, again, version, moment(31), 300)["known"]
    receipt = build_receipt(REGULAR, again, page, moment(31), 300)
    assert (receipt["known"], receipt["reports"]) == (True, [{"report": "a.html", "erased": False}])


def test_a_version_that_a_mailing_needs_is_promised_to_go_after_the_mailing(shop: Shop) -> None:
    manifest = replace(shop.model.recommender.manifest, created=moment(0))
    pinned = Traces([(manifest, moment(90))], [])
    receipt = build_receipt(REGULAR, Erasure({"events": 3}, None), pinned, moment(31), 300)
    assert receipt["last_pruned_by"] == format_timestamp(moment(90))
