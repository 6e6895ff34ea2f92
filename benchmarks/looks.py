"""What health's looks at ready workers cost: `python -m benchmarks.looks`. Processor time of the process that looks."""

import argparse
import asyncio
import multiprocessing
import socket
import time
from contextlib import closing
from typing import Final
from uuid import UUID

from aiohttp import web
from pydantic import SecretStr

from services.health.http_prober import HttpProber
from services.health.look import Chain, chains
from services.health.probes import Passed, Running, Target
from services.health.settings import HealthSettings
from services.health.worker_http import Line
from shared.lifecycle.instance import Instance
from shared.secrets import Secrets
from shared.worker_tls import WorkerTls
from tests.lifecycle import histories
from tests.lifecycle.facts import given
from tests.worker_tls.workers import server_context

MASTER: Final = SecretStr("a master secret of at least thirty-two characters")
SECRETS: Final = Secrets(MASTER.get_secret_value())
WORKER: Final = UUID(int=1)
INSTANCES: Final = 1_000
MODEL: Final = "Qwen/Qwen2.5-0.5B-Instruct"
BUCKETS: Final = 900
"""So that the metrics have 60 kB, as those of vLLM 0.13 have."""


def metrics() -> str:
    labels = f'engine="0",model_name="{MODEL}"'
    counts = ("num_requests_running", "num_requests_waiting", "prompt_tokens_total", "generation_tokens_total")
    lines = [f"vllm:{name}{{{labels}}} 0.0" for name in counts]
    lines += [f'vllm:e2e_seconds_bucket{{{labels},le="{number}"}} 0' for number in range(BUCKETS)]
    lines += [f'vllm:request_success_total{{{labels},finished_reason="{why}"}} 7.0' for why in ("stop", "length")]
    return "\n".join(lines) + "\n"


def serve(port: int, *, tls: bool) -> None:
    async def health(_: web.Request) -> web.Response:
        return web.Response()

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": MODEL, "max_model_len": 2048}]})

    async def counts(_: web.Request) -> web.Response:
        return web.Response(text=text)

    text, app = metrics(), web.Application()
    app.add_routes([web.get("/health", health), web.get("/v1/models", models), web.get("/metrics", counts)])
    context = server_context(SECRETS.worker_certificates(WORKER, 1)) if tls else None
    web.run_app(app, host="127.0.0.1", port=port, ssl_context=context, print=None, access_log=None)


async def look(prober: HttpProber, chain: Chain, port_tls: WorkerTls | None) -> None:
    with closing(Line()) as line:
        for probe in chain:
            outcome = await prober.probe(probe, Target("127.0.0.1", MODEL, "generate", "key", port_tls, line))
            if not isinstance(outcome, Passed | Running):
                raise SystemExit(f"{probe}: {outcome}")


async def cost_s(settings: HealthSettings, ready: Instance, looks: int, *, counts: bool) -> float:
    """Of one look, on average."""
    prober = HttpProber(settings)
    tls = WorkerTls(SECRETS, WORKER, 1) if settings.worker_tls == "mutual" else None
    (chain,) = chains(ready, counts=counts)
    await look(prober, chain, tls)
    began = time.process_time()
    for _ in range(looks):
        await look(prober, chain, tls)
    return (time.process_time() - began) / looks


async def main(looks: int) -> None:
    ready = given(*histories.a_ready_instance())
    print(f"processor time of health for {INSTANCES:,} ready instances, per minute")
    for tls in ("mutual", "off"):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        settings = HealthSettings(master_secret=MASTER, worker_port=port, worker_tls=tls, connect_seconds=5.0)
        worker = multiprocessing.Process(target=serve, args=(port,), kwargs={"tls": tls == "mutual"}, daemon=True)
        worker.start()
        try:
            await listening(port)
            serving_s = await cost_s(settings, ready, looks, counts=False)
            counted_s = await cost_s(settings, ready, looks, counts=True)
        finally:
            worker.terminate()
            worker.join()
        looked_s = serving_s * INSTANCES * 60 / settings.ready_look_seconds
        more_s = (counted_s - serving_s) * INSTANCES * 60 / settings.counts_look_seconds
        print(f"TLS {tls:<7} {looked_s:5.1f} s for whether they serve, and {more_s:4.1f} s for their counts")


async def listening(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--looks", type=int, default=1_000)
    asyncio.run(main(parser.parse_args().looks))
