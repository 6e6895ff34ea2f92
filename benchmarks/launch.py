"""What the control plane adds to a launch: `python -m benchmarks.launch`, one launch after the other.

Its own share is the time to ready less the simulated cloud's configured delays; `routed` is from the moment when the
worker could answer to the first completion through the router.
"""

import argparse
import asyncio
from datetime import datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from coldstart.api_client import Api
from coldstart.demo import INSTANCE_TYPE, MODEL, alone
from coldstart.first_answers import FirstAnswers
from coldstart.stack.files import Reach
from coldstart.stack.stack import stack
from simulator.scenario import Scenario


def seconds(instance: dict[str, Any]) -> float:
    return (
        datetime.fromisoformat(instance["ready_at"]) - datetime.fromisoformat(instance["created_at"])
    ).total_seconds()


def launch(api: Api, reach: Reach) -> tuple[float, float]:
    """Seconds to ready, and from the worker's first answer to the router's."""
    instance = api.post("/instances", {"model": MODEL, "instance_types": [INSTANCE_TYPE]})
    path = f"/instances/{instance['id']}"
    with FirstAnswers(reach.api_url, reach.admin_key, MODEL) as answers:
        for event in answers.passed_on(api.events(f"{path}/events", **{"from": "start"})):
            if event.type == "InstanceReady":
                break
        routed = answers.routed_after()
    ready = seconds(api.get(path))
    api.delete(path)
    for event in api.events(f"{path}/events", **{"from": "start"}):
        if event.type == "InstanceTerminated":
            break
    return ready, routed


def launches(reach: Reach, count: int) -> list[tuple[float, float]]:
    with Api(reach.api_url, reach.admin_key) as api:
        return [launch(api, reach) for _ in range(count)]


async def main(count: int) -> None:
    scenario = Scenario()
    with TemporaryDirectory() as folder:
        async with stack(alone(Path(folder)), simulated=True, scenario=scenario.model_dump_json()) as running:
            measured = await asyncio.to_thread(launches, running.reach, count)
    own = [ready - scenario.launch_seconds for ready, _ in measured]
    routed = [after for _, after in measured]
    print(f"{count} launches, the cloud's own delays {scenario.launch_seconds:.2f} s each")
    print(f"the control plane's share  median {median(own):.2f} s, most {max(own):.2f} s   (goal: under 1.5 s)")
    print(f"worker answers → routed    median {median(routed):.2f} s, most {max(routed):.2f} s   (goal: under 0.5 s)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--launches", type=int, default=10)
    asyncio.run(main(parser.parse_args().launches))
