import subprocess
import sys
import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from service.demo import routes
from service.http.authorization import Scope
from service.settings import Settings, SettingsError
from service.signing.customer_tokens import read
from tests.support.keyed_service import make_key, store_of
from tests.support.service_shop import Browse

SIGNING_KEY = "a long random text of this test, nobody's"
PAGE = Path(routes.__file__).parent / "page"


@pytest.fixture
def demo(browse: Browse, tmp_path: Path) -> TestClient:
    store = f"sqlite:///{tmp_path / 'store.db'}"
    return browse(demo=True, signing_key=SIGNING_KEY, database_url=store)


def open_session(client: TestClient, persona: str, **headers: str) -> dict:
    answer = client.post("/demo/session", json={"persona": persona}, headers=headers)
    return answer.json() | {"status_code": answer.status_code}


def test_without_the_setting_there_is_no_demonstration(browse: Browse) -> None:
    client = browse()
    assert client.get("/", follow_redirects=False).headers["location"] == "docs"
    assert client.get("/demo").status_code == 404
    assert client.post("/demo/session", json={"persona": "regular"}).status_code == 404


def test_a_service_without_the_demonstration_does_not_import_it() -> None:
    code = (
        "import sys; from service.app import create; from service.settings import Settings;"
        "create(Settings()); print([name for name in sys.modules if 'service.demo' in name])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_the_start_leads_to_the_shop_and_its_page_runs_nothing_but_its_own_files(
    demo: TestClient,
) -> None:
    assert demo.get("/", follow_redirects=False).headers["location"] == "demo"
    page = demo.get("/demo")
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert "style=" not in page.text
    assert page.text.count("<script") == page.text.count('<script type="module" src=')


def test_every_file_of_the_page_is_sent_with_its_type(demo: TestClient) -> None:
    types = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    files = [path for path in PAGE.iterdir() if path.suffix in types]
    assert len(files) > 5
    for path in files:
        answer = demo.get(f"/demo/{path.name}")
        assert answer.content == path.read_bytes()
        assert answer.headers["content-type"].startswith(types[path.suffix])
    assert demo.get("/demo/shop.html").status_code == 404
    assert demo.get("/demo/..%2Froutes.py").status_code == 404


def test_what_the_page_loads_takes_less_than_150_kb() -> None:
    assert sum(path.stat().st_size for path in PAGE.iterdir()) < 150_000


def test_nothing_of_it_is_public_api(demo: TestClient) -> None:
    assert not [path for path in demo.get("/openapi.json").json()["paths"] if "demo" in path]


def test_a_token_is_for_a_persona_and_opens_what_any_customers_token_opens(
    demo: TestClient,
) -> None:
    session = open_session(demo, "regular")
    claims = read(SIGNING_KEY.encode(), session["token"].encode(), int(time.time()))
    assert claims.customer_id == session["customer_id"]
    bearer = {"Authorization": f"Bearer {session['token']}"}
    own = demo.get(f"/v1/customers/{session['customer_id']}/profile", headers=bearer)
    assert own.json()["known"]["products_bought"] > 5
    assert demo.get("/v1/customers/c00/profile", headers=bearer).status_code == 403


@pytest.mark.parametrize("persona", ["c00", "", None, "Regular"])
def test_nobody_but_the_personae_gets_a_token(demo: TestClient, persona: str | None) -> None:
    assert open_session(demo, persona)["status_code"] == 422
    more = {"persona": "newcomer", "customer_id": "c00"}
    assert demo.post("/demo/session", json=more).status_code == 422


def test_a_page_of_another_origin_gets_no_token(demo: TestClient) -> None:
    assert open_session(demo, "regular", Origin="https://evil.example")["status_code"] == 403
    assert open_session(demo, "regular", Host="evil.example")["status_code"] == 403
    assert demo.get("/demo", headers={"Host": "evil.example"}).status_code == 403


def test_a_service_with_a_key_gives_tokens_to_its_holders_alone(
    demo: TestClient, tmp_path: Path
) -> None:
    make_key(store_of(demo), Scope.READ)
    assert open_session(demo, "regular")["status_code"] == 401
    assert demo.get("/demo").status_code == 401


def test_without_a_signing_key_it_says_what_to_set(browse: Browse, tmp_path: Path) -> None:
    client = browse(demo=True, database_url=f"sqlite:///{tmp_path / 'store.db'}")
    answer = open_session(client, "regular")
    assert (answer["status_code"], "REGULARS_SIGNING_KEY" in answer["detail"]) == (409, True)


def test_before_the_first_training_it_says_so(browse: Browse, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    client = browse(tmp_path / "empty", demo=True, signing_key=SIGNING_KEY)
    assert client.get("/demo").status_code == 200
    assert open_session(client, "regular")["status_code"] == 503


@pytest.mark.parametrize(
    "more",
    [
        {"REGULARS_API_KEY": "a key"},
        {"REGULARS_HOST": "0.0.0.0", "REGULARS_API_KEY": "a key", "REGULARS_UNASKED": "allow"},
    ],
)
def test_it_does_not_start_where_strangers_could_have_customers_forgotten(
    more: dict[str, str],
) -> None:
    with pytest.raises(SettingsError, match="may have them forgotten"):
        Settings.from_environment({"REGULARS_DEMO": "true", **more})


@pytest.mark.parametrize(
    ("name", "value", "stranger"),
    [
        ("ALLOWED_HOSTS", "localhost, shop.internal", "shop.internal"),
        ("ALLOWED_HOSTS", "10.0.0.5", "10.0.0.5"),
        ("CORS_ORIGINS", "http://localhost:3000,https://shop.example", "https://shop.example"),
        ("CORS_ORIGINS", "http://localhost@shop.example", "http://localhost@shop.example"),
    ],
)
def test_it_does_not_start_where_another_machine_is_named(
    name: str, value: str, stranger: str
) -> None:
    with pytest.raises(SettingsError, match=f"this machine alone, and {stranger} is another one"):
        Settings.from_environment({"REGULARS_DEMO": "true", f"REGULARS_{name}": value})
    assert Settings.from_environment({f"REGULARS_{name}": value})


def test_it_starts_where_this_machine_alone_is_named() -> None:
    named = {
        "REGULARS_ALLOWED_HOSTS": "LOCALHOST, 127.0.0.2, [::1]",
        "REGULARS_CORS_ORIGINS": "http://localhost:3000,http://127.0.0.1,http://[::1]:8000",
    }
    assert Settings.from_environment({"REGULARS_DEMO": "true", **named}).demo
