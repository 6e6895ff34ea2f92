"""Simulated workers in this process, asked without a connection."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulator.host.worker.app import Worker
from simulator.host.worker.arguments import parse
from simulator.host.worker.log import Log
from simulator.host.worker.version import version_of

MODEL = "Qwen/Qwen2.5-0.5B-Instruct"
KEY = "a-key"
OLD, RECENT = "0.13.0", "0.32.0"


def a_worker(version: str = RECENT, *arguments: str, model: str = MODEL) -> Worker:
    played = version_of(f"vllm/vllm-openai:v{version}")
    return Worker(parse((model, *arguments), {"VLLM_API_KEY": KEY}, played), Log(played))


@dataclass
class Answered:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def message(self) -> str:
        """Of an error in OpenAI's shape."""
        message: str = self.json["error"]["message"]
        return message

    @property
    def events(self) -> list[Any]:
        """The data of each server-sent event; `[DONE]` as it is."""
        data = [line[6:] for line in self.text.splitlines() if line.startswith("data: ")]
        return [each if each == "[DONE]" else json.loads(each) for each in data]


async def asked(
    worker: Worker, path: str, body: Any = None, *, method: str = "POST", key: str | None = KEY,
    content_type: str | None = "application/json", leaves_after: int | None = None,
    sees: Callable[[str], None] | None = None,
) -> Answered:  # fmt: skip
    """`body` as JSON, unless it is bytes. The client leaves after so many parts of the answer, or stays.

    `sees` is called with each part.
    """
    answered, left = Answered(), asyncio.Event()
    content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    given = {"authorization": f"Bearer {key}" if key else None, "content-type": content_type}
    messages = iter([{"type": "http.request", "body": content}])
    parts = 0

    async def receive() -> dict[str, Any]:
        for message in messages:
            return message
        if leaves_after != 0:
            await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Mapping[str, Any]) -> None:
        nonlocal parts
        if message["type"] == "http.response.start":
            answered.status = message["status"]
            answered.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        part = message["body"].decode()
        answered.text += part
        if sees is not None:
            sees(part)
        parts += 1
        if parts == leaves_after:
            left.set()

    headers = [(name.encode(), value.encode()) for name, value in given.items() if value is not None]
    scope = {"type": "http", "path": path, "method": method, "headers": headers, "client": ("127.0.0.1", 1)}
    await worker(scope, receive, send)
    return answered
