"""Start as the container of a simulated vLLM: vLLM's arguments, and a plan of what to do when."""

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

import uvicorn

from .app import Worker
from .arguments import Arguments, parse
from .log import Log, plain
from .pace import Pace
from .plan import Plan
from .version import version_of

_STUCK_AT: Final = 0.45
"""The share of the load after which a worker that never loads says nothing more."""


def main() -> int:
    plan = Plan.given()
    arguments = parse(sys.argv[1:], os.environ, version_of(plan.image))
    return asyncio.run(_live(arguments, plan))


async def _live(arguments: Arguments, plan: Plan) -> int:
    """Load, serve until told to stop, and return the exit status."""
    pace = Pace(plan)
    log = Log(arguments.version)
    await pace.reached(0.0)
    log.started(arguments)
    if arguments.gated:
        plain(f"OSError: You are trying to access a gated repo.\nMake sure to have access to it at "
                  f"https://huggingface.co/{arguments.model}.")  # fmt: skip
        return 1
    if plan.fails_with is not None:
        plain(plan.fails_with)
        return 1
    if plan.broken:
        log.engine("[core.py:866] EngineCore failed to start.")
        plain("RuntimeError: CUDA error: device not ready; GPU has fallen off the bus")
        return 1
    for done in log.loading(arguments):
        await pace.reached(done)
        if plan.never_loads and done > _STUCK_AT:
            await asyncio.Event().wait()
    worker = Worker(arguments, log, token_seconds=plan.token_seconds, hangs_at=plan.engine_hangs_at)
    return await _serve(arguments, plan, worker, log)


async def _serve(arguments: Arguments, plan: Plan, worker: Worker, log: Log) -> int:
    # A container's port that was not published is reachable from inside the container only: here, by nobody.
    if str(arguments.port) not in plan.ports:
        log.listening(arguments.port)
        await asyncio.Event().wait()
    port = plan.ports[str(arguments.port)]
    server = uvicorn.Server(uvicorn.Config(
        worker, host=plan.address, port=port, lifespan="off", log_config=None, access_log=False,
        http="httptools", ws="none", timeout_graceful_shutdown=1, **_on_this_computer(arguments.tls, plan.folders),
    ))  # fmt: skip
    log.listening(arguments.port)
    serving = asyncio.create_task(server.serve())
    ends = [moment for moment in (plan.dies_after_ready, plan.engine_dies_after_ready) if moment is not None]
    if not ends:
        await serving
        return 0
    await asyncio.wait([serving], timeout=min(ends))
    log.engine_died()
    if plan.engine_dies_after_ready == min(ends):
        # vLLM answers for some seconds more, until it notices and shuts its server down.
        worker.engine.dead = True
        await asyncio.wait([serving], timeout=plan.dead_engine)
    # A crash closes no connection politely.
    os._exit(1)


def _on_this_computer(tls: dict[str, Any], folders: Mapping[str, str]) -> dict[str, Any]:
    """The same with the paths that the container's files have here."""
    return {name: _outside(value, folders) if isinstance(value, str) else value for name, value in tls.items()}


def _outside(path: str, folders: Mapping[str, str]) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folders.get(folder, folder)}/{name}"


if __name__ == "__main__":
    sys.exit(main())
