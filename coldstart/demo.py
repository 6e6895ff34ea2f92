"""The whole product in seconds: a launch in a simulated cloud, a chat, a termination, and a check for leftovers."""

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
from httpx_sse import EventSource
from rich.console import Console

from coldstart.api_client import Api, ApiProblem
from coldstart.demo_deployment import woken
from coldstart.first_answers import FirstAnswers
from coldstart.row_lag import row_lag
from coldstart.settings import StackSettings
from coldstart.stack.files import Reach
from coldstart.stack.stack import stack
from coldstart.watching import watch
from shared.lifecycle.groups import StatusGroup
from shared.lifecycle.status import Status
from shared.lifecycle.words import cause
from simulator.scenario import Scenario

MODEL: Final = "Qwen/Qwen2.5-0.5B-Instruct"
INSTANCE_TYPE: Final = "L4-1-24G"
_IDLE_S: Final = 1.0
_CHAT_S: Final = 60.0
QUESTION: Final = "What is the capital of France?"


async def demo(console: Console, *, keep: bool) -> bool:
    """Returns whether everything succeeded. Raises what `stack` raises."""
    began = time.monotonic()
    data_dir = Path(tempfile.mkdtemp(prefix="coldstart-demo-"))
    scenario = Scenario()
    console.print("SIMULATED: no machine is rented, and answers are made up", style="yellow", highlight=False)
    try:
        async with stack(alone(data_dir), simulated=True, scenario=scenario.model_dump_json()) as running:
            console.print(f"stack up in {time.monotonic() - began:.1f} s: {running.reach.api_url}", highlight=False)
            try:
                async with row_lag(running.reach.nats_url, running.reach.database_url) as lag:
                    passed = await asyncio.to_thread(_story, console, running.reach, scenario)
                console.print(f"event → row, p99          {lag.percentile(99):8.3f} s", highlight=False)
            except ApiProblem as problem:
                console.print(str(problem), style="red", highlight=False, markup=False)
                passed = False
    except asyncio.CancelledError:
        console.print("interrupted: all that the demo started is stopped", highlight=False)
        raise
    else:
        console.print(f"{'done' if passed else 'failed'} in {time.monotonic() - began:.1f} s", highlight=False)
        return passed
    finally:
        if keep:
            console.print(f"data kept in {data_dir}", highlight=False)
        else:
            shutil.rmtree(data_dir, ignore_errors=True)


def alone(data_dir: Path) -> StackSettings:
    """Settings of a stack that uses nothing but `data_dir`, whatever servers and secrets the environment names."""
    return StackSettings(
        data_dir=data_dir, api_port=0, nats_url=None, database_url=None, master_secret=None, admin_key=None
    )


def _story(console: Console, reach: Reach, scenario: Scenario) -> bool:
    memory_mb, cpu_percent = _idle(reach.pid)
    with Api(reach.api_url, reach.admin_key, patience_s=0) as api:
        console.print(f"\nPOST /instances: {MODEL} on {INSTANCE_TYPE}", highlight=False)
        instance = api.post("/instances", {"model": MODEL, "instance_types": [INSTANCE_TYPE]})
        path = f"/instances/{instance['id']}"
        with FirstAnswers(reach.api_url, reach.admin_key, MODEL) as answers:
            events = api.events(f"{path}/events", **{"from": "start"})
            journey = watch(console, answers.passed_on(events), title=MODEL)
            if journey.status is not Status.READY:
                error = journey.instance and journey.instance.error
                console.print(f"not ready: {error and cause(error)}", style="red", highlight=False, markup=False)
                return False
            routed_after = answers.routed_after()
        ready_after = _seconds(api.get(path), "created_at", "ready_at")
        console.print(f"\nPOST /v1/chat/completions: {QUESTION}", highlight=False)
        console.print("".join(_chat(reach, QUESTION)), style="bold", highlight=False, markup=False)
        console.print("\nDELETE /instances/…", highlight=False)
        api.delete(path)
        ended = watch(console, events, title=MODEL, until=(StatusGroup.GONE,))
        wish = {"model": MODEL, "instance_types": [INSTANCE_TYPE]}
        slept = woken(console, api, wish, lambda: "".join(_chat(reach, QUESTION)))
        left = _left_over(reach)
    console.print(f"\nleft at the provider: {left or 'nothing'}", highlight=False)
    console.print(
        f"idle stack                {memory_mb:8.0f} MB (PSS), {cpu_percent:.1f} % of a core", highlight=False
    )
    console.print(f"ready after               {ready_after:8.2f} s", highlight=False)
    console.print(f"  of it the control plane {ready_after - scenario.launch_seconds:8.2f} s", highlight=False)
    console.print(f"worker answers → routed   {routed_after:8.2f} s", highlight=False)
    return ended.status is Status.TERMINATED and slept and not left


def _chat(reach: Reach, question: str) -> Iterator[str]:
    """The instance's streamed answer, through the router."""
    body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": question}]}
    headers = {"Authorization": f"Bearer {reach.admin_key}"}
    with httpx.stream(
        "POST", f"{reach.api_url}/v1/chat/completions", json=body, headers=headers, trust_env=False, timeout=_CHAT_S
    ) as response:
        response.raise_for_status()
        for event in EventSource(response).iter_sse():
            if event.data != "[DONE]":
                yield from (choice["delta"].get("content") or "" for choice in json.loads(event.data)["choices"])


def _left_over(reach: Reach) -> dict[str, list[str]]:
    """What the account still holds, by the simulated cloud's own records."""
    books: dict[str, Any] = httpx.get(f"{reach.simulator_url}/_simulator/account", trust_env=False).json()
    return {kind: ids for kind, ids in books["remaining"].items() if ids}


def _seconds(instance: dict[str, Any], begin: str, end: str) -> float:
    return (datetime.fromisoformat(instance[end]) - datetime.fromisoformat(instance[begin])).total_seconds()


def _idle(pid: int) -> tuple[float, float]:
    """Proportional set size in MB of this process and its children, and percent of one core over a second."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]

    def cpu_s() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in family)

    before = cpu_s()
    time.sleep(_IDLE_S)
    used = cpu_s() - before
    return sum(process.memory_full_info().pss for process in family) / 1e6, used / _IDLE_S * 100
