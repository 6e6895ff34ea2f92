"""A hundred launches at once where 5 % of all calls, hosts, installs and workers fail: `python -m benchmarks.fleet`.

Each fails in any of the ways that the simulated cloud knows; the delays are that cloud's. The provisioner is a process
of its own, so that its memory can be told. The seed is another one each time, unless `--seed` or COLDSTART_FLEET_SEED
says which. Exit status 1 when a goal is missed.
"""

import argparse
import asyncio
import os
import secrets
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from coldstart.embedded import servers
from coldstart.stack.processes import Service
from shared.logs import configure_logs
from tests.integration.fleet import ended, launched, unreliable
from tests.integration.line import Changes, line
from tests.integration.victim import environment_of

PATIENCE_S = 600.0
MOST_S = 90.0
MOST_MB = 300.0
STARTUP_S = 50.0
"""Until a machine that lets nobody in, or whose worker never loads, is given up: it has to be over within the goal."""


def peak_mb(pid: int) -> float:
    """The most memory that this process has ever had resident."""
    told = dict(row.split(":", 1) for row in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(told["VmHWM"].split()[0]) * 1024 / 1e6


def missed(launching_s: float, memory_mb: float) -> list[str]:
    """The goals that were not reached, in words."""
    goals = {
        f"all ready or failed in under {MOST_S:.0f} s": launching_s < MOST_S,
        f"the provisioner under {MOST_MB:.0f} MB": memory_mb < MOST_MB,
    }
    return [goal for goal, reached in goals.items() if not reached]


async def main(count: int, probability: float, seed: int) -> None:
    configure_logs("fleet", "error", "console")
    print(f"{count} launches at once, seed {seed}", flush=True)
    changes: Changes = {service: {"startup_seconds": STARTUP_S} for service in ("health", "provisioner")}
    scenario = unreliable(probability, seed, machines=probability)
    with TemporaryDirectory() as name:
        folder = Path(name)
        async with (
            servers(folder, None, None) as running,
            line(
                folder, running.nats_url, running.database_url, scenario=scenario, changes=changes,
                without="provisioner",
            ) as all_else,
        ):  # fmt: skip
            settings = all_else.settings
            environment = {**environment_of(settings.provisioner), **environment_of(settings.scaleway)}
            log = {"COLDSTART_LOG_LEVEL": "warning"}
            service = Service("services.provisioner", {**environment, **log}, folder / "provisioner.log")
            async with service.supervised():
                await all_else.offered()
                began = time.monotonic()
                became = await launched(all_else, count, within_s=PATIENCE_S)
                launching_s = time.monotonic() - began
                await ended(all_else, became, within_s=PATIENCE_S)
                ending_s = time.monotonic() - began - launching_s
                if service.pid is None or service.starts > 1:
                    sys.exit("the provisioner has ended in between")
                memory_mb = peak_mb(service.pid)
    told = ", ".join(f"{many} {outcome}" for outcome, many in Counter(became.values()).most_common())
    print(told)
    print(f"all ready or failed, the account agrees  {launching_s:6.1f} s   (goal: under {MOST_S:.0f} s)")
    print(f"all terminated, nothing is left          {ending_s:6.1f} s")
    print(f"the provisioner's most memory            {memory_mb:6.1f} MB  (goal: under {MOST_MB:.0f} MB)")
    if goals := missed(launching_s, memory_mb):
        sys.exit(f"missed: {'; '.join(goals)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--launches", type=int, default=100)
    parser.add_argument("--failures", type=float, default=0.05, help="probability of each failure")
    parser.add_argument("--seed", type=int, default=os.environ.get("COLDSTART_FLEET_SEED") or secrets.randbelow(10**6))
    asked = parser.parse_args()
    asyncio.run(main(asked.launches, asked.failures, asked.seed))
