"""A Hugging Face hub with the models: what the control plane asks about a model, and the files that machines download.

`python -m real_line.hub PORT FILES FOLDER BYTES_PER_SECOND`. Paths and headers are those that `huggingface_hub` 0.36 to
2.4 asks for and reads (`huggingface_hub.hf_api`, `huggingface_hub.file_download`). Large files come from another host,
which is this program by another name: FILES is its URL.
"""

import asyncio
import hashlib
import json
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, Final

from aiohttp import web

CHAT: Final = "real-line/chat"
EMBEDDING: Final = "real-line/embedding"
LARGE: Final = "real-line/large"
_TASKS: Final = {CHAT: "text-generation", EMBEDDING: "sentence-similarity", LARGE: "text-generation"}
_CHUNKS_A_SECOND: Final = 10


@dataclass(frozen=True)
class File:
    """`blob` is git's id of what git has: the file, or of a file of LFS the pointer to it, which has a `sha256`."""

    path: Path
    bytes: int
    blob: str
    sha256: str | None
    pointer_bytes: int = 0

    @classmethod
    def at(cls, path: Path) -> "File":
        size = path.stat().st_size
        if path.suffix != ".safetensors":
            return cls(path, size, _git_blob(path.read_bytes()), None)
        with path.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
        return cls(path, size, _git_blob(pointer), sha256, len(pointer))

    @property
    def etag(self) -> str:
        return f'"{self.sha256 or self.blob}"'

    def lfs(self, name: str) -> dict[str, Any]:
        """What the hub adds for a file of LFS, with its SHA-256 by that name."""
        if self.sha256 is None:
            return {}
        return {"lfs": {name: self.sha256, "size": self.bytes, "pointerSize": self.pointer_bytes}}


def _git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Repository:
    """A model in a folder; its revision is the digest of its files."""

    id: str
    folder: Path

    @cached_property
    def files(self) -> dict[str, File]:
        return {path.name: File.at(path) for path in sorted(self.folder.iterdir())}

    @cached_property
    def revision(self) -> str:
        listed = json.dumps({name: file.blob for name, file in self.files.items()})
        return hashlib.sha1(listed.encode(), usedforsecurity=False).hexdigest()

    @cached_property
    def properties(self) -> dict[str, Any]:
        """What `expand` may ask for, by the hub's names."""
        config = json.loads((self.folder / "config.json").read_text())
        parameters = self._parameters()
        return {
            "author": self.id.partition("/")[0],
            "sha": self.revision,
            "private": False,
            "gated": False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "library_name": "transformers",
            "tags": ["transformers", "safetensors", config["model_type"]],
            "pipeline_tag": _TASKS[self.id],
            "config": {"architectures": config["architectures"], "model_type": config["model_type"]},
            "createdAt": "2026-01-01T00:00:00.000Z",
            "lastModified": "2026-01-01T00:00:00.000Z",
            "safetensors": {"parameters": dict(parameters), "total": parameters.total()},
            "siblings": [{"rfilename": name} for name in self.files],
        }

    def _parameters(self) -> Counter[str]:
        """Numbers of each type, as the headers of the safetensors files tell them."""
        found: Counter[str] = Counter()
        for path in self.folder.glob("*.safetensors"):
            with path.open("rb") as file:
                header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            for tensor in (value for name, value in header.items() if name != "__metadata__"):
                found[tensor["dtype"]] += prod(tensor["shape"])
        return found


class Hub:
    """Everybody may read everything. A file comes at `rate` bytes per second, so that a download can be watched.

    `files` is the URL of the host that has the files of LFS.
    """

    def __init__(self, models: Path, files: str, rate: int) -> None:
        self._files = files
        self._repositories = {name: Repository(name, models / name.partition("/")[2]) for name in _TASKS}
        self._rate = rate
        for repository in self._repositories.values():
            repository.files  # noqa: B018 - takes seconds, which no request shall wait

    def app(self) -> web.Application:
        app = web.Application()
        model = "/api/models/{owner}/{name}"
        file = "/{owner}/{name}/resolve/{revision}/{path:.+}"
        app.add_routes(
            [
                web.get(f"{model}/auth-check", self.auth_check),
                web.get(f"{model}/tree/{{revision}}", self.tree),
                web.get(f"{model}/revision/{{revision}}", self.info),
                web.get(model, self.info),
                web.get(file, self.file, allow_head=False),
                web.head(file, self.file),
                web.get("/lfs/{owner}/{name}/{path}", self.stored, allow_head=False),
            ]
        )
        return app

    async def auth_check(self, request: web.Request) -> web.Response:
        self._asked(request)
        return web.json_response({})

    async def info(self, request: web.Request) -> web.Response:
        repository = self._asked(request)
        wanted = request.query.getall("expand", list(repository.properties))
        shown = {name: value for name, value in repository.properties.items() if name in wanted}
        if request.query.get("blobs"):
            shown["siblings"] = [
                {"rfilename": name, "size": file.bytes, "blobId": file.blob, **file.lfs("sha256")}
                for name, file in repository.files.items()
            ]
        return web.json_response({"_id": repository.revision[:24], "id": repository.id, **shown})

    async def tree(self, request: web.Request) -> web.Response:
        repository = self._asked(request)
        return web.json_response(
            [
                {"type": "file", "path": name, "oid": file.blob, "size": file.bytes, **file.lfs("oid")}
                for name, file in repository.files.items()
            ]
        )

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A file of LFS is elsewhere."""
        repository, file = self._asked(request), self._file(request)
        headers = {"X-Repo-Commit": repository.revision, "ETag": file.etag}
        if file.sha256 is None:
            return await self._sent(request, file, headers)
        linked = {"X-Linked-ETag": file.etag, "X-Linked-Size": str(file.bytes)}
        place = f"{self._files}/lfs/{repository.id}/{file.path.name}"
        return web.Response(status=302, headers={**headers, **linked, "Location": place})

    async def stored(self, request: web.Request) -> web.StreamResponse:
        file = self._file(request)
        return await self._sent(request, file, {"ETag": file.etag})

    async def _sent(self, request: web.Request, file: File, headers: dict[str, str]) -> web.StreamResponse:
        """The whole file, or what a Range header asks for."""
        asked = request.http_range
        begin, end = asked.start or 0, min(asked.stop or file.bytes, file.bytes)
        if begin > max(file.bytes - 1, 0):
            raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{file.bytes}"})
        whole = begin == 0 and asked.stop is None
        answer = web.StreamResponse(status=200 if whole else 206, headers={**headers, "Accept-Ranges": "bytes"})
        answer.content_length = end - begin
        if not whole:
            answer.headers["Content-Range"] = f"bytes {begin}-{end - 1}/{file.bytes}"
        await answer.prepare(request)
        if request.method == "GET":
            await self._write(answer, file, begin, end)
        return answer

    async def _write(self, answer: web.StreamResponse, file: File, begin: int, end: int) -> None:
        step = max(self._rate // _CHUNKS_A_SECOND, 1)
        with file.path.open("rb") as content:
            content.seek(begin)
            for at in range(begin, end, step):
                chunk = await asyncio.to_thread(content.read, min(step, end - at))
                await answer.write(chunk)
                await asyncio.sleep(len(chunk) / self._rate)

    def _file(self, request: web.Request) -> File:
        try:
            return self._asked(request).files[request.match_info["path"]]
        except KeyError:
            raise _missing("EntryNotFound", "Entry not found") from None

    def _asked(self, request: web.Request) -> Repository:
        name = f"{request.match_info['owner']}/{request.match_info['name']}"
        if name not in self._repositories:
            raise _missing("RepoNotFound", "Repository not found")
        repository = self._repositories[name]
        if request.match_info.get("revision", "main") not in ("main", repository.revision):
            raise _missing("RevisionNotFound", "Invalid rev id")
        return repository


def _missing(code: str, message: str) -> web.HTTPNotFound:
    return web.HTTPNotFound(
        text=json.dumps({"error": message}),
        content_type="application/json",
        headers={"X-Error-Code": code, "X-Error-Message": message},
    )


if __name__ == "__main__":
    port, files, folder, rate = sys.argv[1:]
    web.run_app(Hub(Path(folder), files, int(rate)).app(), port=int(port), print=None)
