"""Who reaches the real worker over the network: the control plane by its certificate, and nobody else."""

import asyncio
from typing import Final

from real_line.addresses import MACHINE
from real_line.line import WORKER_PORT, Launch, Wrong
from tests.worker_tls.intruders import heard, insider, intruders

_PATHS: Final = ("/health", "/metrics", "/v1/models", "/invocations")


def only_we_are_heard(launch: Launch) -> str:
    """Each intruder asks each path, also those for which vLLM asks no key. Not one byte of HTTP comes back."""
    secrets, attempt = launch.line.stack.secrets, launch.look().attempt

    async def ask() -> dict[str, bytes]:
        ours = await heard(MACHINE, WORKER_PORT, insider(secrets, launch.id, attempt))
        if not ours.startswith(b"HTTP/1.1 200 "):
            raise Wrong(f"we hear {ours[:200]!r}")
        return {
            f"{name} at {path}": await heard(MACHINE, WORKER_PORT, context, path)
            for name, context in intruders(secrets, launch.id, attempt).items()
            for path in _PATHS
        }

    answers = asyncio.run(ask())
    if let_in := {who: said[:100] for who, said in answers.items() if b"HTTP" in said}:
        raise Wrong(f"let in: {let_in}")
    return f"attempt {attempt}: {', '.join(intruders(secrets, launch.id, attempt))} hear nothing at {', '.join(_PATHS)}"
