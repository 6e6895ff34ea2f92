"""The whole stack as a user starts it: `coldstart up` and `coldstart demo` as processes."""

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import httpx
import psutil
import pytest

from coldstart.stack.stack import SERVICES
from tests.coldstart.recorded import a_journal
from tests.coldstart.told import MODEL
from tests.embedded.owners import PROJECT, gone, is_alive
from tests.lifecycle import histories as h

START_S = 180


@dataclass(frozen=True)
class Up:
    process: Process
    said: str
    reach: dict[str, Any]

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.reach['admin_key']}"}
        async with httpx.AsyncClient(base_url=self.reach["api_url"], headers=headers, timeout=30) as client:
            return await client.request(method, path, **options)

    async def says(self, instance_id: str, status: str) -> None:
        """Until the instance has this status."""
        headers = {"Authorization": f"Bearer {self.reach['admin_key']}"}
        url = f"{self.reach['api_url']}/instances/{instance_id}/events?from=start"
        async with (
            asyncio.timeout(START_S),
            httpx.AsyncClient(headers=headers, timeout=START_S) as client,
            client.stream("GET", url) as events,
        ):
            async for line in events.aiter_lines():
                if line.startswith("data:") and f'"status":"{status}"' in line.replace('": "', '":"'):
                    return


async def coldstart(*words: str, **environment: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "coldstart", *words),
        cwd=PROJECT,
        env={**os.environ, **environment},
        stdout=PIPE,
        stderr=STDOUT,
    )


@asynccontextmanager
async def up(data_dir: Path, *options: str, **environment: str) -> AsyncGenerator[Up]:
    """Killed at the end if it is still there; what it started ends with it."""
    process = await coldstart("up", *options, COLDSTART_DATA_DIR=str(data_dir), COLDSTART_API_PORT="0", **environment)
    assert process.stdout is not None
    try:
        said = b""
        async with asyncio.timeout(START_S):
            while b"Ctrl-C" not in said:
                line = await process.stdout.readline()
                assert line, said.decode()
                said += line
        yield Up(process, said.decode(), json.loads((data_dir / "stack.json").read_text()))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_prints_a_link_that_signs_in_to_the_console_once_and_makes_others(tmp_path: Path) -> None:
    async with up(tmp_path) as stack:
        another = await coldstart("console", COLDSTART_DATA_DIR=str(tmp_path))
        said, _ = await another.communicate()
        for text in (stack.said, said.decode()):
            link = re.search(r"http://\S+/sign-in\?token=\S+", text)
            assert link is not None, text
            async with httpx.AsyncClient() as browser:
                assert (await browser.get(link[0])).status_code == 200
                assert "<h1>Fleet</h1>" in (await browser.get(stack.reach["api_url"])).text
                assert (await browser.get(link[0])).status_code == 403


async def test_a_scenario_is_what_the_simulated_cloud_plays(tmp_path: Path) -> None:
    async with up(tmp_path, "--realistic", "--scenario", "gated-model") as stack:
        assert re.search(r"^scenario .*is refused before anything is rented", stack.said, re.MULTILINE)
        model = re.search(r"^next .* create (\S+)", stack.said, re.MULTILINE)
        assert model is not None
        refused = await stack.request("POST", "/instances", json={"model": model[1]})
        assert refused.json()["code"] == "model_gated"
        async with httpx.AsyncClient() as client:
            played = (await client.get(f"{stack.reach['simulator_url']}/_simulator/scenario")).json()["scenario"]
        assert played["rates"]["time_scale"] > 1


async def test_a_scenario_is_not_for_a_real_cloud(tmp_path: Path) -> None:
    process = await coldstart("up", "--scenario", "out-of-stock", COLDSTART_DATA_DIR=str(tmp_path), **PRODUCTION)
    said, _ = await process.communicate()
    assert process.returncode == 1
    assert b"--scenario are for the simulated cloud" in said
    assert not (tmp_path / "nats").exists()


async def test_a_stack_that_was_killed_leaves_nothing_running_and_comes_back_with_its_machines(tmp_path: Path) -> None:
    async with up(tmp_path) as first:
        assert (await first.request("GET", "/readyz")).status_code == 200
        assert first.reach["admin_key"] in first.said
        body = {"model": MODEL, "instance_types": ["L4-1-24G"]}
        instance = (await first.request("POST", "/instances", json=body)).json()
        await first.says(instance["id"], "ready")
        family = first.family()
        names = {process.pid: " ".join(process.cmdline()) for process in family if is_alive(process)}
        first.process.kill()
        await first.process.wait()
        try:
            await gone(family)
        except TimeoutError:
            pytest.fail(f"left running: {[names[process.pid] for process in family if is_alive(process)]}")
    async with up(tmp_path) as second:
        assert second.reach["admin_key"] == first.reach["admin_key"]
        assert first.reach["admin_key"] not in second.said
        kept = await second.request("GET", f"/instances/{instance['id']}")
        assert kept.json()["created_at"] == instance["created_at"]
        chat = {"model": MODEL, "messages": [{"role": "user", "content": "Still there?"}]}
        answer = await second.request("POST", "/v1/chat/completions", json=chat, headers={"X-Wait-For-Ready": "30"})
        assert "Still there?" in answer.text
        assert "SIMULATED" in second.said
        assert re.search(r"^next .*coldstart instances create Qwen/Qwen2.5-0.5B-Instruct", second.said, re.MULTILINE)
        watching = await coldstart("instances", "watch", instance["id"], COLDSTART_DATA_DIR=str(tmp_path))
        told = (await watching.communicate())[0].decode()
        curl = next(line.removeprefix("try it").strip() for line in told.splitlines() if line.startswith("try it"))
        pasted = await asyncio.create_subprocess_exec("/bin/sh", "-c", curl, stdout=PIPE)
        assert b"Say hello." in (await pasted.communicate())[0]
        happened = (await second.request("GET", f"/instances/{instance['id']}/timeline")).json()["items"]
        assert not {"InstanceLost", "ServerDeleted"} & {event["type"] for event in happened}
        family = second.family()
        second.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(START_S):
            rest, _ = await second.process.communicate()
        assert second.process.returncode == 0
        assert "1 instance of the simulated cloud stops with it, costs nothing" in rest.decode()
        assert not [process for process in family if is_alive(process)]
    assert not (tmp_path / "stack.json").exists()


async def test_a_second_stack_in_the_same_folder_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    async with up(tmp_path) as first:
        second = await coldstart("up", COLDSTART_DATA_DIR=str(tmp_path), COLDSTART_API_PORT="0")
        said, _ = await second.communicate()
        assert second.returncode == 1
        assert f"is in use by process {first.process.pid}" in said.decode()
        assert (await first.request("GET", "/readyz")).status_code == 200


async def test_a_stack_starts_embedded_servers_again_and_everything_else_stays(tmp_path: Path) -> None:
    async with up(tmp_path) as running:
        services = {process.pid for process in running.family() if "-m" in process.cmdline()}
        body = {"model": MODEL, "instance_types": ["L4-1-24G"]}
        instance = (await running.request("POST", "/instances", json=body)).json()
        killed = [process for process in running.family() if process.cwd().startswith(str(tmp_path))]
        assert {process.name() for process in killed} == {"nats-server", "postgres"}
        for process in killed:
            with suppress(psutil.NoSuchProcess):  # PostgreSQL's own processes end with it
                process.kill()
        said = b""
        assert running.process.stdout is not None
        async with asyncio.timeout(START_S):
            while not all(b"runs again" in said and b"server=%s" % name in said for name in (b"nats", b"postgres")):
                said += await running.process.stdout.readline()
        await running.says(instance["id"], "ready")
        assert services <= {process.pid for process in running.family() if is_alive(process)}
        readiness = await running.request("GET", "/readyz")
        assert readiness.status_code == 200
        assert [each["store"] for each in readiness.json()["stores"]] == ["nats", "postgres"]


@pytest.mark.parametrize("real", [False, True], ids=["simulated", "real"])
async def test_a_stack_can_be_stopped_while_it_starts(tmp_path: Path, *, real: bool) -> None:
    cloud = machines_of_ones_own(tmp_path) if real else {}
    process = await coldstart("up", COLDSTART_DATA_DIR=str(tmp_path / "data"), COLDSTART_API_PORT="0", **cloud)
    assert process.stdout is not None
    async with asyncio.timeout(START_S):
        assert await process.stdout.readline() == "starting …\n".encode()
        process.send_signal(signal.SIGINT)
        rest, _ = await process.communicate()
    assert process.returncode == 0
    first, *left = rest.decode().splitlines()
    assert first == "stopping …"
    assert len(left) == (2 if real else 0)
    assert not real or (left[0].startswith("Cannot tell what continues") and "still starting" in left[0])
    assert not (tmp_path / "data/stack.json").exists()


def machines_of_ones_own(folder: Path) -> dict[str, str]:
    """One, which never answers."""
    key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    machines = folder / "machines.toml"
    machines.write_text(f'[[machine]]\nname = "desk"\naddress = "127.0.0.1"\nhost_key = "{key}"\n')
    return {"COLDSTART_MACHINES": str(machines), "COLDSTART_SSH_PORT": "9"}


async def test_a_stack_says_what_stands_elsewhere_when_it_starts_and_when_it_stops(tmp_path: Path) -> None:
    """Whatever ended the one before. The machine that it stands on, one's own, never answers here."""
    async with a_journal(tmp_path / "data", h.a_ready_instance(name="desk-job", provider="machines")):
        pass
    own = {**machines_of_ones_own(tmp_path), "COLDSTART_MASTER_SECRET": PRODUCTION["COLDSTART_MASTER_SECRET"]}
    async with up(tmp_path / "data", **own) as stack:
        assert "standing   1 instance from before, 0.75 EUR an hour at list price\n  desk-job  machines" in stack.said
        stack.process.send_signal(signal.SIGINT)
        rest, _ = await stack.process.communicate()
    assert "continues without this stack, 0.75 EUR an hour at list price:\n  desk-job  machines" in rest.decode()
    assert "coldstart instances terminate NAME" in rest.decode()
    assert (tmp_path / "data/clouds").read_text() == "machines\n"


async def test_a_stack_waits_for_servers_of_ones_own_that_are_away_and_says_so(tmp_path: Path) -> None:
    away = {
        "COLDSTART_NATS_URL": "nats://api:secret@127.0.0.1:9",
        "COLDSTART_DATABASE_URL": "postgresql://nobody:secret@127.0.0.1:9/none",
        "COLDSTART_MASTER_SECRET": PRODUCTION["COLDSTART_MASTER_SECRET"],
        **machines_of_ones_own(tmp_path),
    }
    process = await coldstart("up", COLDSTART_DATA_DIR=str(tmp_path / "data"), COLDSTART_API_PORT="0", **away)
    assert process.stdout is not None
    said = b""
    async with asyncio.timeout(START_S):
        while said.count(b"waiting for NATS at 127.0.0.1:9 (COLDSTART_NATS_URL)") < len(SERVICES):
            line = await process.stdout.readline()
            assert line, said.decode()
            said += line
        process.send_signal(signal.SIGINT)
        rest, _ = await process.communicate()
    assert process.returncode == 0
    assert b"secret" not in said + rest


async def test_a_stack_whose_file_of_machines_is_not_there_starts_and_says_so(tmp_path: Path) -> None:
    async with up(tmp_path / "data", COLDSTART_MACHINES=str(tmp_path / "machines.toml")) as stack:
        assert stack.process.stdout is not None
        async with asyncio.timeout(START_S):
            line = await stack.process.stdout.readline()
        assert line.startswith(b"cloud      machines cannot be used: COLDSTART_MACHINES: ")
        assert b"machines.toml cannot be read: No such file or directory" in line
        assert (await stack.request("GET", "/readyz")).status_code == 200
        (status,) = (await stack.request("GET", "/instance-types")).json()["providers"]
        assert [(check["subject"], check["outcome"]) for check in status["checks"]] == [("file", "failed")]


PRODUCTION = {
    "COLDSTART_NATS_URL": "nats://127.0.0.1:9",
    "COLDSTART_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
    "COLDSTART_MASTER_SECRET": "the production's master secret, of enough characters",
    "COLDSTART_ADMIN_KEY": "the production's admin key, of enough characters",
    "SCW_ACCESS_KEY": "SCWPRODUCTION0000000",
    "SCW_SECRET_KEY": "00000000-0000-4000-8000-000000000000",
    "SCW_DEFAULT_PROJECT_ID": "00000000-0000-4000-8000-000000000001",
    "SCW_API_URL": "http://127.0.0.1:9",
    "COLDSTART_MACHINES": "/the/production/machines.toml",
}
"""Of servers and a cloud that a demo must not touch, and that would not answer."""


async def test_a_simulated_cloud_is_not_put_beside_a_stream_of_real_instances(tmp_path: Path) -> None:
    process = await coldstart(
        "up", COLDSTART_DATA_DIR=str(tmp_path), COLDSTART_API_PORT="0", COLDSTART_NATS_URL="nats://127.0.0.1:9"
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 1
    assert "COLDSTART_NATS_URL is set, but no cloud" in " ".join(said.split())


async def test_the_demo_passes_prints_its_numbers_touches_no_production_and_leaves_nothing(tmp_path: Path) -> None:
    process = await coldstart("demo", TMPDIR=str(tmp_path), **PRODUCTION)
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    for line in (
        r"^100 %  ready        InstanceReady$",
        r"^100 %  terminated   InstanceTerminated$",
        r"^left at the provider: nothing$",
        r"^ready after +\d+\.\d\d s$",
        r"^  of it the control plane +\d+\.\d\d s$",
        r"^worker answers → routed +\d+\.\d\d s$",
        r"^idle stack +\d+ MB \(PSS\), \d+\.\d % of a core$",
        r"^event → row, p99 +\d\.\d\d\d s$",
        r"^done in \d+\.\d s$",
    ):
        assert re.search(line, said, re.MULTILINE), f"{line} is not in\n{said}"
    assert os.listdir(tmp_path) == []  # noqa: PTH208 (a listing that a test may wait for)
