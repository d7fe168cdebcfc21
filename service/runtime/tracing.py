"""Traces of some requests over OTLP. Nothing about a person stands in a span.

A request that is not sampled costs a random number: no span is made for it, nor for its steps.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, TypeVar

from models.steps import watcher
from service.runtime.logs import current_trace

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Tracer, TracerProvider

T = TypeVar("T")
TRACE_PARENT: Final = b"traceparent"
LOW_BITS: Final = 1 << 64  # of a trace's id, by which it is sampled, as other services do
NEEDS: Final = "traces need OpenTelemetry: pip install 'regulars[telemetry]'"


class MissingTelemetryError(Exception):
    """Traces are asked for, and what sends them is not installed."""


class Tracing:
    """A tracer of a process that sends the spans of a share of its requests."""

    def __init__(self, endpoint: str, share: float) -> None:
        """Begin to send to a collector. Raises MissingTelemetryError."""
        self._provider = _make_provider(endpoint)
        self._tracer: Tracer = self._provider.get_tracer("regulars")  # type: ignore[assignment]
        self._share = share

    def is_sampled(self, headers: Sequence[tuple[bytes, bytes]]) -> bool:
        """Tell whether a request is traced: by the trace that it belongs to, or by chance."""
        trace_id = _trace_id_of(headers)
        if trace_id is None:
            return random.random() < self._share  # noqa: S311 - nothing secret
        return trace_id % LOW_BITS < self._share * LOW_BITS

    @contextmanager
    def request(self, method: str, headers: Sequence[tuple[bytes, bytes]]) -> Iterator[Any]:
        """Trace a request; every step in it becomes a span below this one."""
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        given = dict(headers).get(TRACE_PARENT, b"")
        parent = TraceContextTextMapPropagator().extract({"traceparent": given.decode("latin-1")})
        # What an exception says may hold an id
        start = partial(
            self._tracer.start_as_current_span,
            record_exception=False,
            set_status_on_exception=False,
        )
        with start(method, parent, kind=SpanKind.SERVER) as span:
            watched = watcher.set(start)
            trace_id = f"{span.get_span_context().trace_id:032x}"
            traced = current_trace.set(trace_id)
            try:
                yield span
            finally:
                watcher.reset(watched)
                current_trace.reset(traced)

    def close(self) -> None:
        """Send what waits."""
        self._provider.shutdown()


def describe(span: Any, method: str, route: str, status: int, shop: str) -> None:
    """Name the span of a request by its route, which holds no id."""
    span.update_name(f"{method} {route}")
    span.set_attributes(
        {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
            "regulars.shop": shop,
        }
    )


def in_this_trace(work: Callable[[], T]) -> Callable[[], T]:
    """Return work that belongs to the trace of this request also in another thread."""
    if watcher.get() is None:
        return work
    return partial(copy_context().run, work)


def check_telemetry(endpoint: str | None) -> None:
    """Raise MissingTelemetryError where traces are asked for and cannot be sent."""
    if endpoint is not None and find_spec("opentelemetry.exporter") is None:
        raise MissingTelemetryError(NEEDS)


def start_tracing(endpoint: str | None, share: float) -> Tracing | None:
    """Return what traces requests, None where it is off. Raises MissingTelemetryError."""
    return None if endpoint is None else Tracing(endpoint, share)


def _trace_id_of(headers: Sequence[tuple[bytes, bytes]]) -> int | None:
    for name, value in headers:
        if name == TRACE_PARENT:
            try:
                return int(value.split(b"-")[1], 16)
            except (ValueError, IndexError):
                return None
    return None


def _make_provider(endpoint: str) -> TracerProvider:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON
    except ModuleNotFoundError as error:
        raise MissingTelemetryError(NEEDS) from error
    # No detectors: the command line and the environment of the process are nobody's business.
    resource = Resource({"service.name": "regulars", "service.version": version("regulars")})
    provider = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
