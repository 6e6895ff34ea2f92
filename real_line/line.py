"""The whole line while it runs: the machine, the stack, and what was found out with them."""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

import httpx

from coldstart.api_client import ApiProblem
from real_line.addresses import MACHINE
from real_line.machine import Machine
from real_line.stack import Stack
from real_line.versions import Version
from real_line.waiting import until
from shared.description import InstanceView
from shared.lifecycle.groups import GROUPS, StatusGroup
from shared.lifecycle.status import Status
from shared.worker_tls import client_context

WORKER_PORT: Final = 8000
CONTAINER: Final = "coldstart-worker"
Answer = TypeVar("Answer")
_STALLED: Final = "The event stream does not answer"
_STALL_S: Final = 60


class Wrong(Exception):
    """The line does not do what it has to; the message says what was seen."""


@dataclass(frozen=True)
class Result:
    """`seen` says what was seen, or what was wrong."""

    scene: str
    check: str
    passed: bool
    seconds: float
    seen: str


@dataclass
class Line:
    """`played`: moments by scene; `durations`: seconds by scene and step; `differences` of the workers by request."""

    version: Version
    machine: Machine
    stack: Stack
    log: Path
    results: list[Result] = field(default_factory=list)
    durations: dict[str, dict[str, float]] = field(default_factory=dict)
    differences: dict[str, str] = field(default_factory=dict)
    played: dict[str, str] = field(default_factory=dict)
    scene: str = ""

    def check(self, what: str, look: Callable[[], object]) -> bool:
        """Does `look`, which returns what it saw or raises; returns whether it passed. The line goes on either way."""
        began = time.monotonic()
        try:
            passed, seen = True, str(look() or "")
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the result
            passed, seen = False, f"{type(error).__name__}: {error}"
            with self.log.open("a") as log:
                log.write(f"\n{what}\n{traceback.format_exc()}")
        seconds = time.monotonic() - began
        self.results.append(Result(self.scene, what, passed, seconds, seen))
        print(f"  {'ok  ' if passed else 'FAIL'} {seconds:6.1f} s  {what}: {seen[:200]}", flush=True)
        return passed

    def play(self, name: str, scene: "Callable[[Line], None]") -> None:
        """Plays one scene. What it raises itself is a failed check, too."""
        self.scene = name
        self.played[name] = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        print(f"{name}:", flush=True)
        self.check("the scene is played to its end", lambda: scene(self))

    def launch(self, model: str, **wish: Any) -> "Launch":
        """Requests an instance of `model` with these fields of POST /instances besides."""
        body = {"model": model, "provider": "machines", **wish}
        return Launch(self, UUID(self.stack.api.post("/instances", body)["id"]))


def answered(ask: Callable[[], Answer]) -> Answer:
    """What `ask` returns, once the event stream answers: on a busy disk it may stall. Raises ApiProblem, TooLate."""

    def asked() -> tuple[Answer] | None:
        try:
            return (ask(),)
        except ApiProblem as problem:
            if problem.title != _STALLED:
                raise
            return None

    found = until(asked, "an answer of the event stream", _STALL_S)
    assert found is not None
    return found[0]


def running(worker: httpx.Client) -> float:
    """Requests that the engine works on, by its own count."""
    told = worker.get("/metrics").raise_for_status().text
    counts = (line.split()[-1] for line in told.splitlines() if line.startswith("vllm:num_requests_running{"))
    return sum(map(float, counts))


@dataclass(frozen=True)
class Launch:
    """One instance on the line."""

    line: Line
    id: UUID

    @property
    def path(self) -> str:
        return f"/instances/{self.id}"

    def look(self) -> InstanceView:
        return answered(lambda: self.line.stack.api.instance(self.id))

    def timeline(self) -> list[dict[str, Any]]:
        """Rows of `GET /instances/{id}/timeline`, oldest first."""
        return answered(lambda: list(self.line.stack.api.pages(f"{self.path}/timeline", limit=100)))

    def becomes(self, *statuses: Status, within_s: float) -> InstanceView:
        """Waits for one of these. Raises Wrong if it fails or ends otherwise, TooLate if nothing happens."""

        def seen() -> InstanceView | None:
            instance = self.look()
            if instance.status in statuses:
                return instance
            if GROUPS[instance.status] in (StatusGroup.FAILED, StatusGroup.GONE):
                raise Wrong(f"{instance.status}: {instance.error}")
            return None

        found = until(seen, f"{' or '.join(statuses)}", within_s)
        assert found is not None
        return found

    def reaches(self, phase: str, within_s: float) -> None:
        """Waits until the install has begun this phase in the present attempt."""
        until(lambda: phase in self.phases(), f"phase {phase}", within_s)

    def phases(self) -> list[str]:
        """Phases of the present attempt, in the order in which they were recorded."""
        attempt = self.look().attempt
        rows = self.timeline()
        return [
            row["data"]["phase"]
            for row in rows
            if row["type"] == "SshInstallPhaseReached" and row["data"]["attempt"] == attempt
        ]

    def worker(self) -> httpx.Client:
        """A client of the worker itself, with the key and the certificate that the product has for this attempt."""
        secrets, attempt = self.line.stack.secrets, self.look().attempt
        return httpx.Client(
            base_url=f"https://{MACHINE}:{WORKER_PORT}",
            headers={"Authorization": f"Bearer {secrets.worker_api_key(self.id, attempt)}"},
            verify=client_context(secrets.worker_certificates(self.id, attempt)),
            timeout=60,
        )

    def ask(self, path: str, body: dict[str, Any], timeout_s: float = 60) -> httpx.Response:
        """One request through the router."""
        reach = self.line.stack.reach
        headers = {"Authorization": f"Bearer {reach.admin_key}"}
        return httpx.post(f"{reach.api_url}{path}", json=body, headers=headers, timeout=timeout_s)
