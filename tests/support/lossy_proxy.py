"""What lies between a client and the service: it passes calls on, loses them, or their answers."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Mishap(StrEnum):
    """What happens to a call."""

    LOST = "the call does not arrive"
    UNANSWERED = "the call arrives, and its answer does not"
    BUSY = "503, come back in a second"
    GARBLED = "200, with a page of somebody else"


class LossyProxy(ThreadingHTTPServer):
    """Pass calls on to a port of this machine, but for the mishaps that wait, one a call."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = port
        self.mishaps: list[Mishap] = []
        self.calls: list[str] = []  # method and path of each, in their order

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: LossyProxy

    def _pass(self) -> None:
        mishaps = self.server.mishaps
        mishap = mishaps.pop(0) if mishaps and self.command != "OPTIONS" else None
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.calls.append(f"{self.command} {self.path}")
        self.close_connection = True
        if mishap is Mishap.LOST:
            return
        if mishap is Mishap.BUSY:
            self._answer(503, {"Retry-After": "1", "Content-Type": "text/html"}, b"<p>Busy</p>")
            return
        if mishap is Mishap.GARBLED:
            self._answer(200, {"Content-Type": "text/html"}, b"<p>Log in</p>")
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.server.target, timeout=20)
        headers = {name: value for name, value in self.headers.items() if name != "Host"}
        connection.request(self.command, self.path, content or None, headers)
        answered = connection.getresponse()
        answer = answered.read()
        connection.close()
        if mishap is not Mishap.UNANSWERED:
            self._answer(answered.status, dict(answered.getheaders()), answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _pass  # noqa: N815

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def between(port: int) -> Iterator[LossyProxy]:
    """Run a proxy before a port."""
    with LossyProxy(port) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
