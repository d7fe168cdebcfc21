"""Make the pictures: the demonstration shop, an order with its mail, the console, and a report.

    python -m benchmarks.pictures --registry registry

Starts a service on loopback with a store of its own, walks through its shop in a headless Chromium,
which must be on the PATH (`apt-get install chromium`), and writes PNG files to docs/pictures. The
letters are those of the machine.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.service_process import server

ROOT: Final = Path(__file__).parent.parent
PICTURES: Final = ROOT / "docs" / "pictures"
WIDTH: Final = 1120
PRODUCT: Final = "1082185"  # bananas
CUSTOMER: Final = "2034"


def newest_report(registry: Path) -> Path:
    """Return the report written last."""
    reports = sorted((registry / "reports").glob("*.html"))
    if not reports:
        raise SystemExit(f"error: {registry} holds no report; train a version first")
    return reports[-1]


def picture(page: Page, name: str, height: int) -> None:
    """Write the top of a page as a picture."""
    target = PICTURES / name
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.screenshot(path=target, animations="disabled")
    print(f"{target.relative_to(ROOT)} was written, {target.stat().st_size // 1000} KB")


def picture_shop(page: Page, address: str) -> None:
    """Write the home of the shop, and an order of what goes together with its mail."""
    page.goto(f"{address}/demo")
    expect(page.locator(".card--blank")).to_have_count(0)
    picture(page, "shop.png", 940)
    page.goto(f"{address}/demo?product={PRODUCT}")
    page.locator(".unit button").first.click()
    expect(page.locator("#count")).to_have_text("2")
    page.get_by_role("link", name="Basket").click()
    page.get_by_role("button", name="Place the order").click()
    expect(page.locator(".mail")).to_be_visible()
    picture(page, "order.png", 780)


def picture_console(page: Page, address: str) -> None:
    """Write why a customer sees what, in the console."""
    page.goto(f"{address}/console/customers?id={CUSTOMER}")
    page.locator(".explained summary").first.click()
    picture(page, "console.png", 940)


def make_pictures(browser: Browser, registry: Path) -> None:
    """Write all pictures."""
    page = browser.new_page(viewport={"width": WIDTH, "height": 780})
    with tempfile.TemporaryDirectory() as folder:
        settings = {"runtime_dir": folder, "database_url": f"sqlite:///{folder}/store.db"}
        with server(registry, demo="true", console="true", **settings) as (port, _, _):
            picture_shop(page, f"http://127.0.0.1:{port}")
            picture_console(page, f"http://127.0.0.1:{port}")
    page.goto(newest_report(registry).resolve().as_uri())
    picture(page, "report.png", 900)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--registry", type=Path, required=True)
    registry = parser.parse_args().registry
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("error: there is no chromium on the PATH; try: apt-get install chromium")
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium)
        make_pictures(browser, registry)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
