"""A SOCKS5 proxy (RFC 1928) on loopback: whatever address it is asked for, it leads to one server, or refuses."""

import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

DOMAIN = 3
NOT_ALLOWED, NONSENSE = 2, 99
_LENGTHS = {1: 4, 4: 16}
_FAMILIES = {1: socket.AF_INET, 4: socket.AF_INET6}


@dataclass
class SocksProxy:
    """`asked` are the hosts and ports as clients gave them. A host that is a name comes with its type, DOMAIN."""

    leads_to: tuple[str, int]
    reply: int = 0
    login: tuple[str, str] | None = None
    port: int = 0
    asked: list[tuple[int, str, int]] = field(default_factory=list)

    def url(self, scheme: str) -> str:
        login = "" if self.login is None else ":".join(map(quote, self.login)) + "@"
        return f"{scheme}://{login}127.0.0.1:{self.port}"


@contextmanager
def socks_proxy(
    leads_to: str = "http://127.0.0.1:1", *, reply: int = 0, login: tuple[str, str] | None = None
) -> Iterator[SocksProxy]:
    """`leads_to` is a server's URL. `reply` other than 0 refuses each connection (RFC 1928, 6)."""
    parts = urlsplit(leads_to)
    proxy = SocksProxy((parts.hostname or "", parts.port or 80), reply, login)

    class Connection(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            _, methods = self.rfile.read(2)
            offered = self.rfile.read(methods)
            if not self._lets_in(offered):
                return
            _, _, _, kind = self.rfile.read(4)
            host = self.rfile.read(_LENGTHS[kind] if kind in _LENGTHS else self.rfile.read(1)[0])
            (port,) = struct.unpack("!H", self.rfile.read(2))
            name = socket.inet_ntop(_FAMILIES[kind], host) if kind in _FAMILIES else host.decode()
            proxy.asked.append((kind, name, port))
            self.wfile.write(bytes((5, proxy.reply, 0, 1)) + bytes(6))
            if proxy.reply == 0:
                self._relay()

        def _lets_in(self, offered: bytes) -> bool:
            if proxy.login is None:
                self.wfile.write(b"\x05\x00")
                return True
            if 2 not in offered:
                self.wfile.write(b"\x05\xff")
                return False
            self.wfile.write(b"\x05\x02")
            self.rfile.read(1)
            given = tuple(self.rfile.read(self.rfile.read(1)[0]).decode() for _ in range(2))
            self.wfile.write(bytes((1, given != proxy.login)))
            return given == proxy.login

        def _relay(self) -> None:
            with socket.create_connection(proxy.leads_to, timeout=30) as server:
                answers = threading.Thread(target=_copy, args=(server, self.connection))
                answers.start()
                _copy(self.connection, server)
                answers.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection) as server:
        proxy.port = server.server_address[1]
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            serving.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
