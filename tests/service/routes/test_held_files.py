"""Files that are sent from memory are whole, known by their ETag, and wait for slow readers."""

import asyncio

from starlette.testclient import TestClient

SCRIPT = "/docs/assets/swagger-ui-bundle.js"


def test_a_file_is_sent_whole_with_its_length_and_type(client: TestClient) -> None:
    answer = client.get(SCRIPT)
    assert answer.headers["content-type"].startswith("text/javascript")
    assert len(answer.content) == int(answer.headers["content-length"]) > 1_000_000
    assert client.head(SCRIPT).headers["content-length"] == answer.headers["content-length"]


def test_who_has_the_file_is_told_so(client: TestClient) -> None:
    for path in (SCRIPT, "/openapi.json"):
        etag = client.get(path).headers["etag"]
        assert client.get(path, headers={"If-None-Match": etag}).status_code == 304
        assert client.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


def test_a_file_that_is_not_of_the_page_is_not_found(client: TestClient) -> None:
    assert client.get("/docs/assets/nothing.js").status_code == 404
    assert client.get("/docs/assets/../docs_page.py").status_code == 404


def test_no_more_than_a_piece_waits_for_a_reader(client: TestClient) -> None:
    sizes = []

    async def read() -> None:
        scope = {
            "type": "http",
            "method": "GET",
            "path": SCRIPT,
            "raw_path": SCRIPT.encode(),
            "query_string": b"",
            "headers": [],
        }

        async def receive() -> dict[str, object]:
            await asyncio.Event().wait()  # the reader stays
            return {"type": "http.disconnect"}

        async def send(message: dict[str, object]) -> None:
            body = message.get("body", b"")
            assert isinstance(body, bytes)
            sizes.append(len(body))

        await client.app(scope, receive, send)  # type: ignore[arg-type]

    asyncio.run(read())
    assert sum(sizes) > 1_000_000
    assert max(sizes) <= 65_536
