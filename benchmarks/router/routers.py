"""What stands in front of the worker: nothing, nginx, vLLM's router, this router, LiteLLM's proxy.

Each is a Target to be asked.
"""

import asyncio
import shutil
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import httpx

from benchmarks.router.processes import NotStarted, accepts, program
from benchmarks.router.scene import MODEL, OFFERING, ORGANIZATION, instance_at
from coldstart.embedded import servers
from coldstart.stack.processes import Service
from shared.bus.connection import connect
from shared.bus.topology import apply_topology
from shared.lifecycle.transport import WorkerTls
from tests.api.fakes import a_hub, free_port
from tests.api.stage import ADMIN_KEY, Stage, until
from tests.integration.victim import environment_of

ROOT = Path(__file__).parents[2]
OK = 200
WORKERS = ("127.83.12.7", "127.83.12.8", "127.83.12.9")
"""One process has all of these addresses: what is measured is in front of it."""


@dataclass(frozen=True)
class Target:
    name: str
    host: str
    port: int
    key: str = "none"
    pid: int = 0
    model: str = MODEL
    tls_port: int = 0
    """Where it speaks mutual TLS; 0: nowhere."""

    async def answers(self) -> bool:
        body = {"model": self.model, "messages": [{"role": "user", "content": "hello"}]}
        url = f"http://{self.host}:{self.port}/v1/chat/completions"
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {self.key}"}, timeout=30) as client:
            try:
                return (await client.post(url, json=body)).status_code == OK
            except httpx.HTTPError:
                return False


@asynccontextmanager
async def the_worker(folder: Path) -> AsyncGenerator[Target]:
    worker = Target("worker alone", WORKERS[0], free_port(), tls_port=free_port())
    ports = (str(worker.port), str(worker.tls_port))
    command = (sys.executable, "-m", "benchmarks.router.worker", ",".join(WORKERS), *ports)
    async with program(*command, log=folder / "worker.log", serves=accepts(worker.host, worker.port)) as process:
        yield replace(worker, pid=process.pid)


@asynccontextmanager
async def coldstart(
    folder: Path, worker: Target, profile: Path | None = None, *, worker_tls: WorkerTls = "mutual"
) -> AsyncGenerator[Target]:
    """The api as it runs in production, with everything on.

    Three instances to choose from, and an organisation's key with limits, which asks by the organisation's own name.
    """
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(servers(folder, None, None))
        connection = await connect(running.nats_url, "benchmark")
        stack.push_async_callback(connection.close)
        await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=30)
        hub = await stack.enter_async_context(a_hub())
        worker_port = worker.port if worker_tls == "off" else worker.tls_port
        stage = Stage(running.nats_url, running.database_url, connection, hub, stack, worker_port)
        port = free_port()
        settings = stage.settings(
            api_port=port,
            router_staleness_seconds=15.0,
            stream_heartbeat_seconds=1.0,
            worker_silence_seconds=300.0,
            log_level="warning",
        )
        environment = environment_of(settings)
        if profile is not None:
            environment["PROFILE_TO"] = str(profile)
        module = "services.api" if profile is None else "benchmarks.router.profiled"
        service = await stack.enter_async_context(Service(module, environment, folder / "api.log").supervised())
        for host in WORKERS:
            await stage.ready(host, instance_id=instance_at(host), worker_tls=worker_tls)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {ADMIN_KEY}"}, timeout=30
        ) as admin:
            (await admin.post("/models", json={"model": MODEL})).raise_for_status()
            (await admin.post("/organizations", json={"slug": ORGANIZATION})).raise_for_status()
            offered = {"code": OFFERING.partition("/")[2], "model": MODEL}
            (await admin.post(f"/organizations/{ORGANIZATION}/offerings", json=offered)).raise_for_status()
            limited = {
                "name": "benchmark",
                "organization": ORGANIZATION,
                **FAR_LIMITS,
                "allowed_models": [OFFERING],
            }
            key = (await admin.post("/api-keys", json=limited)).raise_for_status().json()
        name = "coldstart" if worker_tls == "mutual" else "coldstart without TLS"
        target = Target(name, "127.0.0.1", port, key["key"], service.pid or 0, OFFERING)
        await until(target.answers)
        await until(partial(all_chosen, target))
        yield target


async def all_chosen(target: Target) -> bool:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {target.key}"}, timeout=30) as client:
        told = await client.get(f"http://{target.host}:{target.port}/models/resolve", params={"model": target.model})
    return [one["eligible"] for one in told.raise_for_status().json()["instances"]] == [True] * len(WORKERS)


FAR_LIMITS = {"requests_per_minute": 1_000_000_000, "tokens_per_minute": 2_000_000_000, "max_concurrent": 100_000}
"""So that everything is counted, and nothing refused."""


@asynccontextmanager
async def nginx(folder: Path, worker: Target) -> AsyncGenerator[Target]:
    """A plain reverse proxy with one process. Raises NotStarted."""
    binary = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if binary is None:
        raise NotStarted("nginx is not installed here (Debian: apt-get install nginx-light)")
    prefix = folder / "nginx"
    prefix.mkdir()
    target = Target("nginx", "127.0.0.1", free_port())
    config = prefix / "nginx.conf"
    config.write_text(f"""
        daemon off;
        master_process off;
        pid {prefix}/nginx.pid;
        error_log {prefix}/error.log warn;
        events {{ worker_connections 8192; }}
        http {{
            access_log off;
            client_body_temp_path {prefix}/body;
            proxy_temp_path {prefix}/proxy;
            keepalive_requests 100000000;
            upstream worker {{
                server {worker.host}:{worker.port};
                keepalive 256;
                keepalive_requests 100000000;
            }}
            server {{
                listen {target.host}:{target.port} backlog=2048;
                location / {{
                    proxy_pass http://worker;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    proxy_buffering off;
                }}
            }}
        }}
    """)
    command = (binary, "-p", prefix, "-c", config, "-e", prefix / "error.log")
    async with program(*command, log=folder / "nginx.log", serves=accepts(target.host, target.port)) as process:
        yield replace(target, pid=process.pid)


@asynccontextmanager
async def vllm_router(folder: Path, worker: Target) -> AsyncGenerator[Target]:
    """The router of vLLM itself, in Rust. It takes its three workers in turn and asks for no key. Raises NotStarted."""
    environment = await _installed("vllm-router")
    target = Target("vllm-router", "127.0.0.1", free_port())
    workers = (f"http://{host}:{worker.port}" for host in WORKERS)
    command = (
        *(environment / "bin" / "vllm-router", "--host", target.host, "--port", str(target.port)),
        *("--policy", "round_robin", "--prometheus-port", str(free_port()), "--log-level", "error"),
        *("--worker-urls", *workers),
    )
    log = folder / "vllm-router.log"
    async with program(*command, log=log, serves=target.answers, environment=_quiet(folder)) as process:
        yield replace(target, pid=process.pid)


@asynccontextmanager
async def litellm(folder: Path, worker: Target) -> AsyncGenerator[Target]:
    """Its proxy with one worker process and a key, without a database. Raises NotStarted."""
    environment = await _installed("litellm")
    target = Target("LiteLLM", "127.0.0.1", free_port(), "sk-benchmark")
    config = folder / "litellm.yaml"
    config.write_text(f"""
model_list:
  - model_name: {MODEL}
    litellm_params:
      model: openai/{MODEL}
      api_base: http://{worker.host}:{worker.port}/v1
      api_key: none
general_settings:
  master_key: {target.key}
""")
    command = (environment / "bin" / "litellm", "--config", config, "--host", target.host, "--port", str(target.port))
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", **_quiet(folder)}
    async with program(
        *command, "--telemetry", "False", log=folder / "litellm.log", serves=target.answers, environment=quiet
    ) as process:
        yield replace(target, pid=process.pid)


def _quiet(folder: Path) -> dict[str, str]:
    """An environment without our variables."""
    return {"PATH": "/usr/bin:/bin", "HOME": str(folder)}


async def _installed(name: str) -> Path:
    """An environment of its own with what its lock says, which is kept for the next time. Raises NotStarted."""
    environment, lock = ROOT / f".venv-{name}", Path(__file__).with_name(f"requirements-{name}.lock")
    uv, ready = Path(sys.executable).with_name("uv"), environment / ".ready"
    if ready.exists() and ready.stat().st_mtime >= lock.stat().st_mtime:
        return environment
    python = environment / "bin" / "python"
    for command in (
        (uv, "venv", "--quiet", "--clear", "--python", sys.executable, environment),
        (uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", lock),
    ):
        process = await asyncio.create_subprocess_exec(*command)
        if await process.wait():
            raise NotStarted(f"`{' '.join(map(str, command))}` failed")
    ready.touch()
    return environment
