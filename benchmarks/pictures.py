"""Make the pictures of the README: one customer's slate with its reasons, and the top of a report.

    python -m benchmarks.pictures --registry registry --customer 2034

Starts a service on loopback and a headless Chromium, which must be on the PATH
(`apt-get install chromium`), and writes PNG files to docs/pictures.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment

from tests.support.service_process import server
from tests.support.store_clients import Caller

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
WIDTH = 1000
TITLES = {"Buy again": "include", "New for you": "exclude"}  # and what becomes of what was bought
SLATE = """
<!doctype html><meta charset="utf-8">
<style>
  body { margin: 0; padding: 28px; width: {{ width - 56 }}px; background: #fdfcfa; color: #20262e;
    font: 15px/1.4 system-ui, "DejaVu Sans", sans-serif; }
  h1 { font-size: 19px; margin: 0 0 12px; }
  ol { display: grid; grid-template-columns: repeat(4, 1fr); gap: 14px; margin: 0 0 22px;
    padding: 0;    list-style: none; }
  li { background: #fff; border: 1px solid #d8d5ce; border-radius: 10px; padding: 14px;
    display: flex; flex-direction: column; }
  .tile { border-radius: 7px; height: 54px; color: #fff; font-weight: 600; font-size: 13px;
    display: flex; align-items: center; justify-content: center; text-align: center;
    padding: 0 8px; }
  b { margin: 10px 0 2px; font-size: 14px; min-height: 40px; } .price { color: #20262e; }
  .why { margin-top: auto; padding-top: 10px; color: #0f6f78; font-size: 13.5px; }
  code { color: #828c99; font-size: 12px; }
</style>
{% for title, slate in slates.items() %}
<h1>{{ title }}</h1>
<ol>
{% for product in slate.recommendations %}
<li><div class="tile" style="background: hsl({{ hue(product.category) }} 38% 42%)">
{{ product.category }}</div>
<b>{{ product.title }}</b><span class="price">{{ product.price_text }}</span>
<span class="why">{{ product.reason.text }}</span><code>{{ product.source }}</code></li>
{% endfor %}
</ol>
{% endfor %}
"""


def slate_page(registry: Path, customer: str) -> str:
    """Return a page that shows two slates of one customer as the service answers them."""
    address = f"/v1/customers/{quote(customer, safe='')}/recommendations?n=4&placement=home"
    slates = {}
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{folder}/store.db"
        with server(registry, runtime_dir=folder, database_url=store) as (port, _, _):
            caller = Caller(port)
            for title, repeat in TITLES.items():
                status, slates[title] = caller("GET", f"{address}&repeat={repeat}")
                if status != 200:
                    raise SystemExit(f"error: {status} {slates[title]}")
    template = Environment(autoescape=True).from_string(SLATE)
    return template.render(slates=slates, hue=hue, width=WIDTH)


def hue(category: str | None) -> int:
    """Return a colour that is always the same for a category, in degrees."""
    return sum(map(ord, category or "")) * 47 % 360


def newest_report(registry: Path) -> Path:
    """Return the report written last."""
    reports = sorted((registry / "reports").glob("*.html"))
    if not reports:
        raise SystemExit(f"error: {registry} holds no report; train a version first")
    return reports[-1]


def picture(page: Path, target: Path, height: int) -> None:
    """Write the top of a page as a picture."""
    browser = shutil.which("chromium")
    if browser is None:
        raise SystemExit("error: there is no chromium on the PATH; try: apt-get install chromium")
    options: list[Any] = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    options += [f"--window-size={WIDTH},{height}", f"--screenshot={target}", page.as_uri()]
    subprocess.run([browser, *options], check=True, stderr=subprocess.DEVNULL)
    print(f"{target.relative_to(PICTURES.parent.parent)} was written")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--registry", type=Path, required=True)
    parser.add_argument("--customer", default="2034", help="whose slate is shown (default 2034)")
    arguments = parser.parse_args()
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "slate.html"
        page.write_text(slate_page(arguments.registry, arguments.customer))
        picture(page, PICTURES / "slate.png", 620)
    picture(newest_report(arguments.registry).resolve(), PICTURES / "report.png", 900)
    return 0


if __name__ == "__main__":
    sys.exit(main())
