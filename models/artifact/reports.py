"""Pages of reports in a registry, and the customers whom some of them show.

registry/reports/VERSION.html   what the training of a version has measured
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Final

from models.artifact.atomic import atomic_write

REPORTS: Final = "reports"
REFUSED: Final = "refused"  # name of the report of the newest training that published nothing
# A customer on a page; the page escapes every text, so none in it looks like an end of it.
CARD: Final = re.compile(r'<details class="card"(?:(?!</details>)[\s\S])*</details>\n?')
CUSTOMER_ID: Final = re.compile(r"<bdi>([\s\S]*?)</bdi>")


@dataclass(frozen=True)
class ReportWithCustomer:
    """Name a report that showed a customer, and tell whether it still does."""

    name: str
    erased: bool  # False: the page cannot be written


def report_path(registry: Path, name: str) -> Path:
    """Return the path of a report: of a version, or of the newest that was refused."""
    return registry / REPORTS / f"{name}.html"


def list_reports(registry: Path) -> list[tuple[str, int]]:
    """Return the name of every report, and when it was written in seconds since 1970."""
    found = []
    for path in (registry / REPORTS).glob("*.html"):
        with suppress(OSError):  # pruned in this moment
            found.append((path.stem, int(path.stat().st_mtime)))
    return found


def erase_from_reports(registry: Path, customer_id: str) -> list[ReportWithCustomer]:
    """Take a customer out of the reports of a registry; return those that showed them."""
    found = []
    for path in sorted((registry / REPORTS).glob("*.html")):
        try:
            page = path.read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            continue  # pruned in this moment, or no report of ours
        rest = CARD.sub(lambda card: "" if _shows(card[0], customer_id) else card[0], page)
        if rest != page:
            found.append(ReportWithCustomer(path.name, _replace(path, rest)))
    return found


def _shows(card: str, customer_id: str) -> bool:
    shown = CUSTOMER_ID.search(card)
    return shown is not None and unescape(shown[1]) == customer_id


def _replace(path: Path, page: str) -> bool:
    try:
        with atomic_write(path, durable=True) as stream:
            stream.write(page.encode())
    except OSError:
        return False
    return True
