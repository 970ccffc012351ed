"""Owns a site of somebody else: another origin on the same machine, which serves one page."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Foreign(ThreadingHTTPServer):
    """A site that serves one page, whatever is asked for."""

    daemon_threads = True
    page = ""


class _Handler(BaseHTTPRequestHandler):
    server: Foreign

    def do_GET(self) -> None:
        """Answer with the page."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.server.page.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class calls it so
        """Say nothing."""


@contextmanager
def foreign_site() -> Iterator[Foreign]:
    """One, on a port of its own."""
    server = Foreign(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
