"""Traces of a share of the requests: what took how long, and nothing about a person."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from models.steps import UNWATCHED, step, watcher
from service.runtime.logs import JsonLines, current_trace
from service.runtime.tracing import Tracing
from tests.support.keyed_service import FIRST_KEY
from tests.support.service_shop import Browse

pytestmark = pytest.mark.slow
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = {"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}
STEPS = {"authentication", "cache", "store", "candidates", "ranking", "rules"}


class Collector:
    """A collector on loopback that keeps what it is sent."""

    def __init__(self) -> None:
        collector, self.requests = self, list[ExportTraceServiceRequest]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever)
        self._thread.start()

    def spans(self) -> list[Any]:
        scopes = [
            scope for one in self.requests for r in one.resource_spans for scope in r.scope_spans
        ]
        return [span for scope in scopes for span in scope.spans]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    opened = Collector()
    yield opened
    opened.close()


def traced(browse: Browse, collector: Collector, share: float, **headers: str) -> list[Any]:
    """Return the spans of one call that was answered, once the service has ended."""
    settings = {"api_key": FIRST_KEY, "otlp_endpoint": collector.url, "trace_share": share}
    client = browse(**settings)
    headers["Authorization"] = f"Bearer {FIRST_KEY}"
    answer = client.get("/v1/customers/c00/recommendations", headers=headers)
    assert answer.status_code == 200
    client.get("/v1/customers/c01/explain?product_id=bread", headers=headers)
    client.put("/v1/customers/c02/consent", json={"personalize_web": False}, headers=headers)
    client.get("/v1/nothing/c03?customer=c03", headers=headers)
    client.__exit__(None, None, None)
    return collector.spans()


def test_every_step_of_an_answer_is_a_span_below_its_request(
    browse: Browse, collector: Collector
) -> None:
    spans = traced(browse, collector, 1, **PARENT)
    (root,) = [
        span for span in spans if span.name == "GET /v1/customers/{customer_id}/recommendations"
    ]
    assert root.trace_id.hex() == TRACE_ID
    below = {span.name for span in spans if span.parent_span_id == root.span_id}
    assert below == STEPS
    assert all(span.end_time_unix_nano > span.start_time_unix_nano for span in spans)


def test_nothing_about_a_person_stands_in_any_attribute(
    browse: Browse, collector: Collector
) -> None:
    traced(browse, collector, 1)
    said = []
    for request in collector.requests:
        for resource in request.resource_spans:
            said += [(pair.key, str(pair.value)) for pair in resource.resource.attributes]
    for span in collector.spans():
        assert not span.events
        assert not span.links
        said += [("name", span.name), ("status", span.status.message)]
        said += [(pair.key, str(pair.value)) for pair in span.attributes]
    assert {name for name, _ in said} == {
        "name",
        "status",
        "service.name",
        "service.version",
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "regulars.shop",
    }
    told = " ".join(value for _, value in said)
    for secret in ("c00", "c01", "c02", "c03", "bread", FIRST_KEY):
        assert secret not in told


def test_a_share_is_sampled_and_by_the_trace_where_a_request_belongs_to_one(
    browse: Browse, collector: Collector
) -> None:
    assert traced(browse, collector, 0) == []
    tracing = Tracing(collector.url, 0.25)
    try:
        sampled = sum(tracing.is_sampled([]) for _ in range(10_000))
        assert 2_200 < sampled < 2_800
        low, high = (f"00-{'0' * 16}{digits * 16}-{'1' * 16}-01".encode() for digits in "3f")
        assert tracing.is_sampled([(b"traceparent", low)])
        assert not tracing.is_sampled([(b"traceparent", high)])
        assert not tracing.is_sampled([(b"traceparent", high)])
    finally:
        tracing.close()


def test_a_line_of_the_log_carries_the_id_of_its_trace(collector: Collector) -> None:
    record = logging.LogRecord("regulars", logging.INFO, "", 0, "done", (), None)
    tracing = Tracing(collector.url, 1)
    with tracing.request("GET", [(b"traceparent", PARENT["traceparent"].encode())]):
        assert json.loads(JsonLines().format(record))["trace_id"] == TRACE_ID
    tracing.close()
    assert "trace_id" not in json.loads(JsonLines().format(record))
    assert current_trace.get() == ""


def test_what_is_not_traced_makes_no_span_for_its_steps() -> None:
    assert watcher.get() is None
    assert step("cache") is UNWATCHED
