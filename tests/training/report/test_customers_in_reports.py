"""Customers are taken out of the reports that show them, and of no other's place in them."""

import os
from dataclasses import replace
from pathlib import Path

from models.artifact.reports import ReportWithCustomer, erase_from_reports, report_path
from tests.support.measured_shop import SHOP
from training.report.data import ExampleCustomer, ExampleProduct, ExampleSlot, OwnedProduct
from training.report.render import write_report

ODD_ID = '<a href="x">&amp;\'</details>\n'


def customer(customer_id: str, title: str) -> ExampleCustomer:
    product = ExampleProduct("1", title)
    return ExampleCustomer(
        customer_id, (OwnedProduct(product, 3, 4.0),), (ExampleSlot(product, "", ""),), (product,)
    )


def write_reports(registry: Path) -> None:
    shown = (customer("anna", "kite"), customer(ODD_ID, "anna"), customer("bert", "</details>"))
    write_report(report_path(registry, "first"), replace(SHOP, customers=shown))
    write_report(report_path(registry, "second"), replace(SHOP, customers=shown[:1]))
    write_report(report_path(registry, "third"), replace(SHOP, customers=()))


def test_an_erased_customer_is_in_no_report_and_everybody_else_still_is(tmp_path: Path) -> None:
    write_reports(tmp_path)
    reports = [ReportWithCustomer("first.html", True), ReportWithCustomer("second.html", True)]
    assert erase_from_reports(tmp_path, "anna") == reports
    left = (customer(ODD_ID, "anna"), customer("bert", "</details>"))
    write_report(tmp_path / "expected.html", replace(SHOP, customers=left))
    page = report_path(tmp_path, "first").read_bytes()
    assert b"kite" not in page
    assert page.count(b'class="card"') == 2
    assert b"Customer <bdi>anna</bdi>" not in report_path(tmp_path, "second").read_bytes()
    assert erase_from_reports(tmp_path, "anna") == []


def test_a_customer_is_found_in_a_report_whatever_their_id(tmp_path: Path) -> None:
    write_reports(tmp_path)
    assert erase_from_reports(tmp_path, "ann") == erase_from_reports(tmp_path, "kite") == []
    assert erase_from_reports(tmp_path, ODD_ID) == [ReportWithCustomer("first.html", True)]
    page = report_path(tmp_path, "first").read_text()
    assert [page.count(f"Customer <bdi>{name}</bdi>") for name in ("anna", "bert")] == [1, 1]
    assert page.count('class="card"') == 2


def test_a_report_that_cannot_be_written_is_named_as_not_erased(tmp_path: Path) -> None:
    write_reports(tmp_path)
    in_the_way = report_path(tmp_path, "first").with_name(f".first.html.{os.getpid()}")
    in_the_way.mkdir()  # where the new page would be written
    assert erase_from_reports(tmp_path, "bert") == [ReportWithCustomer("first.html", False)]
    assert "bert" in report_path(tmp_path, "first").read_text()


def test_a_registry_without_reports_shows_nobody(tmp_path: Path) -> None:
    assert erase_from_reports(tmp_path, "anna") == []
    report_path(tmp_path, "x").parent.mkdir()
    report_path(tmp_path, "x").write_bytes(b"\xff")
    assert erase_from_reports(tmp_path, "anna") == []
