"""A Hugging Face hub with the two small models: what the api asks about a model, and the files that vLLM downloads.

`python -m real_line.hub HOST PORT FOLDER BYTES_PER_SECOND`. Paths and headers are those that `huggingface_hub` 0.36 to
2.4 asks for and reads (`huggingface_hub.hf_api`, `huggingface_hub.file_download`).
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
_TASKS: Final = {CHAT: "text-generation", EMBEDDING: "sentence-similarity"}
_CHUNKS_A_SECOND: Final = 10


@dataclass(frozen=True)
class Repository:
    """A model in a folder; its revision is the digest of its files."""

    id: str
    folder: Path

    @cached_property
    def files(self) -> dict[str, str]:
        """Digests by name."""
        return {path.name: hashlib.sha1(path.read_bytes()).hexdigest() for path in sorted(self.folder.iterdir())}  # noqa: S324 - as git

    @cached_property
    def revision(self) -> str:
        return hashlib.sha1(json.dumps(self.files).encode()).hexdigest()  # noqa: S324 - as git

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

    def size(self, name: str) -> int:
        """Of one of its files, in bytes."""
        return (self.folder / name).stat().st_size

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
    """Everybody may read everything. Files come at `rate` bytes per second, so that a download can be watched."""

    def __init__(self, models: Path, rate: int) -> None:
        self._repositories = {name: Repository(name, models / name.partition("/")[2]) for name in _TASKS}
        self._rate = rate

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
            shown["siblings"] = [{"rfilename": name, "size": repository.size(name)} for name in repository.files]
        return web.json_response({"_id": repository.revision[:24], "id": repository.id, **shown})

    async def tree(self, request: web.Request) -> web.Response:
        repository = self._asked(request)
        return web.json_response(
            [
                {"type": "file", "path": name, "oid": digest, "size": repository.size(name)}
                for name, digest in repository.files.items()
            ]
        )

    async def file(self, request: web.Request) -> web.StreamResponse:
        """The whole file, or from the place in a Range header on."""
        repository = self._asked(request)
        name = request.match_info["path"]
        if name not in repository.files:
            raise _missing("EntryNotFound", "Entry not found")
        content = await asyncio.to_thread((repository.folder / name).read_bytes)
        begin = request.http_range.start or 0
        headers = {
            "X-Repo-Commit": repository.revision,
            "ETag": f'"{repository.files[name]}"',
            "Accept-Ranges": "bytes",
            "Content-Length": str(len(content) - begin),
        }
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        answer = web.StreamResponse(status=206 if begin else 200, headers=headers)
        await answer.prepare(request)
        step = max(self._rate // _CHUNKS_A_SECOND, 1)
        for at in range(begin, len(content), step) if request.method == "GET" else ():
            await answer.write(content[at : at + step])
            await asyncio.sleep(len(content[at : at + step]) / self._rate)
        return answer

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
    host, port, folder, rate = sys.argv[1:]
    web.run_app(Hub(Path(folder), int(rate)).app(), host=host, port=int(port), print=None)
