"""The offers of a shop stand in files of slates, and a single-use code is given once."""

import csv
import itertools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from models.data.customers import NO, PERSONALIZE_EMAIL
from models.data.segments import Segment
from service.store import consents, erasure
from service.store.offers import OFFERS, add_codes, count_codes, give_code
from service.store.store import Store
from tests.support.corner_shop import NOW, run, train, unmeasured, write
from tests.support.segments import write_segments
from tests.support.store_server import KINDS, new_store

pytestmark = pytest.mark.slow

Capture = pytest.CaptureFixture[str]
PEOPLE = [f"c{number % 60:02}{number // 60 or ''}" for number in range(2_500)]  # five parts
COLUMNS = ["offer", "offer_text", "offer_code", "offer_until"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("offering")
    assert train(folder) == 0
    write_segments(folder / "registry", c01=Segment.CONNECTED, c02=Segment.CONNECTED)
    write(folder, PEOPLE, header="customer_id", name="all.csv")
    return folder


class OfferDesk:
    """The store of a shop that makes offers."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.store = Store(url, folder / "run")

    def offers(self, offer_id: str, *codes: str, **document: Any) -> None:
        body = {"text": {"en": "Thank you", "de": "Danke"}, **document}
        if codes:
            body["single_use"] = True
        self.store.write(
            lambda change: OFFERS.put(change, offer_id, body, time=1, actor="")
        ).result(10)
        self.store.write(partial(add_codes, offer_id=offer_id, codes=codes)).result(10)

    def gives(self, offer_id: str, customer: str) -> str | None:
        give = partial(give_code, offer_id=offer_id, customer_id=customer, time=2, erased=0)
        return self.store.write(give).result(30)

    def hears_no(self, customer: str) -> None:
        refuse = partial(
            consents.give, customer_id=customer, values={PERSONALIZE_EMAIL: NO}, time=NOW
        )
        self.store.write(refuse).result(10)

    def forgets(self, customer: str) -> None:
        self.store.write(lambda change: erasure.erase(change, customer, NOW)).result(10)


@pytest.fixture(params=KINDS)
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OfferDesk]:
    opened = OfferDesk(new_store(request.param, tmp_path), tmp_path)
    yield opened
    opened.store.close()


def export(shop: Path, output: Path, *more: object) -> list[str]:
    options = ("--registry", shop / "registry", "--config", shop / "shop.toml", "-n", 3)
    return [str(word) for word in ("export", *options, "--output", output, *more)]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def codes_in(path: Path) -> dict[str, str]:
    return {row["customer_id"]: row["offer_code"] for row in rows_of(path)}


def test_a_file_has_the_offers_where_it_is_asked_to(
    shop: Path, desk: OfferDesk, tmp_path: Path, capsys: Capture
) -> None:
    desk.offers("a", code="TEN", segments=["connected"], ends="2027-01-01T00:00:00Z")
    desk.offers("b", placements=["email"])
    desk.offers("c", placements=["home"], order=0)
    desk.offers("d", occasions=["win_back"], order=0)
    output, list_ = tmp_path / "slates.csv", write(tmp_path, ["c01", "c03"], header="customer_id")
    options = ("--recipients", list_, "--layout", "wide", "--store", desk.url)
    assert run(*export(shop, output, *options)) == 0
    without = rows_of(output)
    assert run(*export(shop, output, *options, "--offers", "--locale", "de_AT")) == 0
    assert "; 2 with an offer" in capsys.readouterr().err
    rows = rows_of(output)
    assert list(rows[0]) == [*without[0], *COLUMNS]
    offers = [[row.pop(name) for name in COLUMNS] for row in rows]
    assert offers == [["a", "Danke", "TEN", "2027-01-01T00:00:00Z"], ["b", "Danke", "", ""]]
    assert rows == without
    long = ("--recipients", list_, "--store", desk.url, "--offers")
    assert run(*export(shop, output, *long)) == 0
    assert [row["offer"] for row in rows_of(output)] == ["a"] * 3 + ["b"] * 3
    assert run(*export(shop, output, "--offers")) == 2
    assert "--offers: offers are in the service's store" in capsys.readouterr().err


def test_a_recipient_gets_the_code_that_the_service_gave_them_and_everyone_one_of_their_own(
    shop: Path, desk: OfferDesk, tmp_path: Path
) -> None:
    desk.offers("thanks", "A", "B", "C", "D")
    desk.offers("z")  # stands where no code is left
    own = desk.gives("thanks", "c02")
    people = ["c01", "c02", "c03", "c04", "c05", "c06", "c07"]
    desk.hears_no("c03")
    desk.forgets("c04")
    output, list_ = tmp_path / "slates.csv", write(tmp_path, people, header="customer_id")
    options = ("--recipients", list_, "--layout", "wide", "--store", desk.url, "--offers")
    for _ in range(2):
        assert run(*export(shop, output, *options)) == 0
        given = codes_in(output)
        assert given == {
            "c01": "B", "c02": own, "c03": "", "c04": "", "c05": "C", "c06": "D", "c07": "",
        }  # fmt: skip
        assert [row["offer"] for row in rows_of(output)][-1] == "z"
    assert desk.gives("thanks", "c05") == "C"
    assert desk.store.read(count_codes)["thanks"] == (4, 0)


def test_no_code_is_given_to_who_has_no_row(shop: Path, desk: OfferDesk, tmp_path: Path) -> None:
    desk.offers("thanks", "A", "B")
    output, list_ = tmp_path / "slates.csv", write(tmp_path, ["c01"], header="customer_id")
    options = ("--recipients", list_, "--store", desk.url, "--offers")
    nothing = ("--filter", 'product.id == "p1" && product.id == "p2"')
    assert run(*export(shop, output, *options, *nothing)) == 0
    assert rows_of(output) == []
    assert desk.store.read(count_codes)["thanks"] == (0, 2)


def test_no_code_is_lost_or_given_twice_where_an_export_is_killed_beside_the_service(
    shop: Path, desk: OfferDesk, tmp_path: Path
) -> None:
    desk.offers("thanks", *[f"X{number:04}" for number in range(3_000)])
    output = tmp_path / "slates.csv"
    recipients = ("--recipients", shop / "all.csv", "--layout", "wide")
    command = export(shop, output, *recipients, "--store", desk.url, "--offers")
    over, served = threading.Event(), dict[str, set[str | None]]()

    def serve() -> None:
        """Give codes to the same customers meanwhile, as a worker of the service does."""
        for number in itertools.count():
            if over.is_set():
                return
            customer = PEOPLE[number * 7 % len(PEOPLE)]
            served.setdefault(customer, set()).add(desk.gives("thanks", customer))
            time.sleep(0.02)

    service = threading.Thread(target=serve)
    service.start()
    try:
        for number in (0, 1):
            kill_after(command, tmp_path / ".slates.csv.parts" / f"{number:06}")
            command = [*command, "--resume"]
        assert run(*command) == 0
    finally:
        over.set()
        service.join()
    filed = codes_in(output)
    assert all(filed.values())
    assert len(set(filed.values())) == len(filed) == 2_500
    assert all(codes == {filed[customer]} for customer, codes in served.items())
    assert desk.store.read(count_codes)["thanks"] == (2_500, 500)


def test_who_refuses_or_is_erased_while_the_file_is_written_gets_no_code(
    shop: Path, desk: OfferDesk, tmp_path: Path
) -> None:
    desk.offers("thanks", *[f"X{number:04}" for number in range(3_000)])
    output = tmp_path / "slates.csv"
    recipients = ("--recipients", shop / "all.csv", "--layout", "wide")
    command = export(shop, output, *recipients, "--store", desk.url, "--offers")
    first = tmp_path / ".slates.csv.parts" / "000000"
    process = begin(command, first)
    process.send_signal(signal.SIGSTOP)
    desk.hears_no(PEOPLE[-1])
    desk.forgets(PEOPLE[-2])
    process.send_signal(signal.SIGCONT)
    assert process.wait(120) == 0
    filed = codes_in(output)
    assert [filed[who] for who in PEOPLE[-2:]] == ["", ""]
    assert desk.store.read(count_codes)["thanks"] == (2_498, 502)


def begin(command: list[str], part: Path) -> subprocess.Popen[bytes]:
    whole = [sys.executable, "-m", "training", *command]
    process = subprocess.Popen(whole, stderr=subprocess.DEVNULL, env=unmeasured())
    deadline = time.monotonic() + 60
    while not part.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    return process


def kill_after(command: list[str], part: Path) -> None:
    process = begin(command, part)
    process.kill()
    assert process.wait(30) == -signal.SIGKILL
