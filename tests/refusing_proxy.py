"""A proxy that lets nobody through, for clients that must say that it was the proxy."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Refusal(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 403 Not with us\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@contextmanager
def refusing_proxy() -> Iterator[str]:
    """Yields its URL."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Refusal) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
