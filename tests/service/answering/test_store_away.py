"""The store goes away in the middle of an answer: the answer goes out all the same, and says so."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from models.artifact.registry import Registry
from models.data.ids import Strings
from models.recommender import Recommender
from models.rules.preferences import Preference, Preferences
from tests.support.mail_client import patch
from tests.support.service_shop import Browse, Shop, wait_until
from tests.support.store_server import away, new_store, operator

WAITING = (
    "SELECT pid FROM pg_stat_activity"
    " WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


@pytest.mark.parametrize(
    "address",
    [
        "/v1/customers/c00/recommendations",
        "/v1/customers/c00/recommendations?placement=email&campaign=spring",
        "/v1/popular",
        "/v1/feeds/popular.json",
        "/v1/customers/c00/recommendations.html",
    ],
)
def test_a_connection_that_is_cut_between_two_reads_is_no_error(
    browse: Browse, tmp_path: Path, address: str
) -> None:
    url = new_store("postgresql", tmp_path)
    client = browse(database_url=url)
    assert (
        client.get("/v1/customers/c00/recommendations?placement=email&campaign=spring").status_code
        == 200
    )
    with operator(url) as holding, operator(url) as cutting, ThreadPoolExecutor(1) as caller:

        def cut() -> int:
            cutting.rollback()
            return len(
                cutting.execute(
                    text(f"SELECT pg_terminate_backend(pid) FROM ({WAITING}) AS waiting")
                ).all()
            )

        cuts = 0
        for price in count(2):  # until the products were not read already by what follows the store
            patch(client, "bread", price=price)
            holding.execute(text("LOCK TABLE products IN ACCESS EXCLUSIVE MODE"))
            answered = caller.submit(client.get, address)
            while not answered.done():
                cuts += cut()
                time.sleep(0.01)
            answer = answered.result()
            holding.rollback()
            if cuts:
                break
        assert answer.status_code == 200
        if address.endswith(("recommendations", "spring")):
            assert answer.json()["fallback_reason"] == "store_unavailable"
    wait_until(
        lambda: client.get("/v1/customers/c01/recommendations").json()["fallback_reason"] is None
    )


def test_who_has_said_no_is_not_personalised_while_the_store_is_away(
    browse: Browse, tmp_path: Path
) -> None:
    url = new_store("postgresql", tmp_path)
    here, elsewhere = (
        browse(database_url=url, runtime_dir=tmp_path / host) for host in ("here", "elsewhere")
    )
    here.put(
        "/v1/customers/c00/consent", json={"personalize_web": False, "personalize_email": False}
    )
    viewed = {
        "event_id": "1",
        "kind": "view",
        "time": "2025-06-29T10:00:00Z",
        "product_id": "bread",
    }
    here.post("/v1/events", json={"events": [{**viewed, "customer_id": "c01"}]})

    def read_slate(
        client: TestClient, customer_id: str, options: str = ""
    ) -> tuple[str, str | None]:
        answer = client.get(f"/v1/customers/{customer_id}/recommendations{options}").json()
        return answer["strategy"], answer["fallback_reason"]

    for client in (here, elsewhere):
        wait_until(lambda: read_slate(client, "c00") == ("not_personalized", "no_consent"))  # noqa: B023
    with away(url):
        # What was said nobody can tell now; of who said nothing all that counts is in the model.
        for client in (here, elsewhere):
            for customer_id, strategy in (
                ("c00", "popular"),
                ("c01", "personal"),
                ("c02", "personal"),
            ):
                for options in ("?n=9", "?n=9&placement=email", "?campaign=spring"):
                    assert read_slate(client, customer_id, options) == (
                        strategy,
                        "store_unavailable",
                    )


def publish_preferences(root: Path, said: dict[str, Preferences]) -> None:
    """Publish the active version once more, as if training had read these in the store."""
    registry = Registry(root)
    recommender = Recommender.load(registry.path(str(registry.active())))
    customers = recommender.model.customers
    texts = [said[name].pack() if name in said else "" for name in customers.ids]
    model = replace(recommender.model, customers=replace(customers, preferences=Strings.of(texts)))
    registry.publish(model, replace(recommender.manifest, created=recommender.manifest.created + 1))


def test_what_training_has_read_of_what_customers_say_holds_while_the_store_is_away(
    browse: Browse, own_shop: Shop, tmp_path: Path
) -> None:
    coffee, toys = Preference("category", ("coffee",)), Preference("category", ("toys",))
    learned = Preferences(likes=(coffee,), avoids=(toys,))
    publish_preferences(own_shop.root, {"c03": learned, "c04": learned})
    url = new_store("postgresql", tmp_path)
    client = browse(own_shop.root, database_url=url)
    client.put("/v1/customers/c04/consent", json={"personalize_web": False})

    sizes = count(40)  # another question each time, which no cache answers

    def ask(customer_id: str) -> tuple[set[str], set[str]]:
        options = {"n": next(sizes), "repeat": "include"}
        path = f"/v1/customers/{customer_id}/recommendations"
        products = client.get(path, params=options).json()["recommendations"]
        return tuple({product[name] for product in products} for name in ("category", "source"))  # type: ignore[return-value]

    categories, sources = ask("c03")
    assert ("toys" in categories, "liked" in sources) == (False, True)
    with away(url):
        # They may have taken back what they like
        categories, sources = ask("c03")
        assert ("toys" in categories, "liked" in sources) == (False, False)
        categories, sources = ask("c04")  # and their consent
        assert ("toys" in categories, sources <= {"popular", "fill"}) == (True, True)
        page = {"customer_id": "c03", "parts": [{"kind": "similar", "product_id": "kite"}]}
        (part,) = client.post("/v1/pages", json=page).json()["parts"]
        shown = {product["category"] for product in part["answer"]["recommendations"]}
        assert shown
        assert "toys" not in shown
        assert client.get("/v1/customers/c03/preferences").status_code == 503
        refused = client.put("/v1/customers/c03/preferences", json={})
        assert refused.status_code == 503
    wait_until(lambda: "liked" in ask("c03")[1])
