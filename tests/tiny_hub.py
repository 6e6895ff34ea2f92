"""A hub on loopback with one small model, whose bytes it has, for what copies or fetches them."""

import json
import re
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import unquote, urlsplit

MODEL: Final = "tiny/model"
COMMIT: Final = "5" * 40
_CONFIG: Final = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"}
_LARGE: Final = frozenset({".safetensors"})


def _files() -> dict[str, bytes]:
    shards = {f"model-{number}.safetensors": bytes([number]) * (300_000 + number) for number in (1, 2)}
    return {"config.json": json.dumps(_CONFIG).encode(), "code/a b.py": b"pass\n", "README.md": b"#", **shards}


@dataclass
class TinyHub:
    """Large files are sent by another host, as the hub's are. `lies`: it sends these instead.

    `breaks_off`: how many of the next answers with a large file end in the middle; `away`: it answers nobody.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=_files)
    lies: dict[str, bytes] = field(default_factory=dict)
    refuses: Callable[[str], int | None] = lambda _: None
    breaks_off: int = 0
    ranges: bool = True
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def large(self) -> dict[str, bytes]:
        return {path: content for path, content in self.files.items() if path.endswith(tuple(_LARGE))}

    def sent(self) -> list[str]:
        """The files that it was asked for, by the address under which their content is."""
        found = (re.search(r"/(?:cdn|resolve/\w+)/(.+)", path) for path, _ in self.asked)
        return [unquote(match[1]) for match in found if match]

    def siblings(self) -> list[dict[str, Any]]:
        return [self._sibling(path, content) for path, content in self.files.items()]

    def _sibling(self, path: str, content: bytes) -> dict[str, Any]:
        blob = sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest()
        described = {"rfilename": path, "size": len(content), "blobId": blob}
        if path not in self.large:
            return described
        return described | {"lfs": {"sha256": sha256(content).hexdigest(), "size": len(content), "pointerSize": 135}}

    def answer(self, target: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        path = unquote(urlsplit(target).path)
        self.asked.append((path, headers))
        if status := self.refuses(path):
            return status, {}, b""
        if path == f"/api/models/{MODEL}" or re.fullmatch(rf"/api/models/{MODEL}/revision/(main|v1|{COMMIT})", path):
            info = {"id": MODEL, "sha": COMMIT, "pipeline_tag": "text-generation", "config": _CONFIG, "gated": False}
            return 200, {"Content-Type": "application/json"}, json.dumps(info | {"siblings": self.siblings()}).encode()
        if path.startswith("/api/models/"):
            code = "RevisionNotFound" if f"/{MODEL}/" in path else "RepoNotFound"
            return 404, {"X-Error-Code": code}, b"{}"
        name = path.partition(f"/resolve/{COMMIT}/")[2] or path.partition("/cdn/")[2]
        if name in self.large and "/resolve/" in path:
            return 302, {"Location": self.url.replace("127.0.0.1", "localhost") + f"/cdn/{name}"}, b""
        content = self.lies.get(name, self.files.get(name, b""))
        if self.ranges and (ranged := re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))):
            begin = int(ranged[1])
            return 206, {"Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"}, content[begin:]
        return 200, {}, content


@contextmanager
def tiny_hub() -> Generator[TinyHub]:
    hub = TinyHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(hub: TinyHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more, content = hub.answer(self.path, headers)
            self.send_response(status)
            for name, value in {**more, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if hub.breaks_off and "/cdn/" in self.path:
                hub.breaks_off -= 1
                content, self.close_connection = content[: len(content) // 2], True
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    return Handler
