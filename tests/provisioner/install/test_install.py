"""The real scripts, in a real bash, over SSH, on a machine whose hardware alone is simulated."""

import asyncio
import dataclasses
import re
import shlex
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import aiohttp
import asyncssh
import psutil
import pytest

from services.provisioner.actions.install import sealing
from services.provisioner.install import script
from services.provisioner.install.output import CommitToStore, Fetched, Phase, Warmed, parse_line
from services.provisioner.install.proxies import Proxies
from services.provisioner.install.registry import Registry
from services.provisioner.install.script import INTERRUPTED, PHASES, SEAL, SUPERSEDED, WARM, InstallJob, stdin_of
from services.provisioner.providers.machines import claims
from shared.secrets import Secrets
from simulator.cloud.ports import Hardware
from simulator.host import processes
from simulator.host.containers import new_id
from simulator.host.disk import BlockDevice, Container
from simulator.host.faults import PHASES as PHASES_THAT_CAN_FAIL
from simulator.host.loading import of_the_engine
from simulator.scenario import Scenario
from tests.provisioner.listed import listed
from tests.simulator.host.machines import (
    QUICK,
    WORKER_PORT,
    Machine,
    booted,
    eventually,
    new_key,
    private_text,
    replace_tool,
)
from tests.worker_tls.intruders import heard, insider, intruders

SLOW_PULL = QUICK.model_copy(update={"image_pull": 60.0})
JOB = InstallJob(
    attempt=1, attempt_try=1, image="vllm/vllm-openai:v0.32.0", model="Qwen/Qwen2.5-0.5B-Instruct", task="generate",
    worker_port=WORKER_PORT, api_key="key-of-attempt-1", hf_token="hf_reader",
)  # fmt: skip
WEIGHTS = listed(JOB.model)
WITH_WEIGHTS = dataclasses.replace(JOB, revision=WEIGHTS.commit, weights=WEIGHTS, offline=True)
SECOND_ATTEMPT = dataclasses.replace(JOB, attempt=2, api_key="key-of-attempt-2")
FORMATTING = dataclasses.replace(JOB, ours=True)
SECRETS = Secrets("a master secret of at least thirty-two characters")
INSTANCE = UUID("0b54d3a6-27a5-4b2c-8a53-6f0c1a7f9d10")
SECURED = dataclasses.replace(JOB, certificates=SECRETS.worker_certificates(INSTANCE, 1))
SECOND_TRY = dataclasses.replace(JOB, attempt_try=2)


class Running:
    """An install as the client sees it."""

    def __init__(self, process: "asyncssh.SSHClientProcess[str]") -> None:
        self._process = process
        self.lines: list[str] = []

    @property
    def phases(self) -> list[str]:
        return [said.name for said in map(parse_line, self.lines) if isinstance(said, Phase)]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    async def reaches(self, phase: str) -> None:
        await self.says(f"::phase::{phase}")

    async def says(self, text: str) -> None:
        async with asyncio.timeout(120):
            while text not in self.text:
                line = await self._process.stdout.readline()
                assert line, self.text
                self.lines.append(line.rstrip("\n"))

    async def ends(self) -> int:
        async with asyncio.timeout(120):
            self.lines += (await self._process.stdout.read()).splitlines()
            await self._process.wait_closed()
        assert self._process.returncode is not None
        return self._process.returncode


@asynccontextmanager
async def installing(
    machine: Machine, job: InstallJob, host_key: asyncssh.SSHKey | None = None
) -> AsyncIterator[Running]:
    async with machine.connected(host_key=host_key) as connection:
        process = await connection.create_process(script.COMMAND, stderr=asyncssh.STDOUT)
        process.stdin.write(stdin_of(job).decode())
        process.stdin.write_eof()
        yield Running(process)
        connection.abort()


async def install(machine: Machine, job: InstallJob, host_key: asyncssh.SSHKey | None = None) -> tuple[int, Running]:
    async with installing(machine, job, host_key) as running:
        return await running.ends(), running


async def status_of(machine: Machine, path: str, key: str) -> int | None:
    """What the worker answers with, or None while its port is closed."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as http:
        try:
            async with http.get(machine.url(path)) as response:
                return response.status
        except aiohttp.ClientConnectionError:
            return None


def reached_by(machine: Machine, context: ssl.SSLContext | None) -> Callable[[], Awaitable[bytes | None]]:
    """What the worker answers there, or None while it answers nobody."""

    async def asked() -> bytes | None:
        return await heard(machine.address, WORKER_PORT, context) or None

    return asked


async def container_of(machine: Machine) -> str:
    return machine.host.disk.contents.containers["coldstart-worker"].id


async def test_a_fresh_machine_becomes_a_worker_that_answers(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        status, running = await install(machine, JOB)
        assert (status, tuple(running.phases)) == (0, PHASES), running.text
        assert await eventually(lambda: status_of(machine, "/v1/models", JOB.api_key)) == 200


SEALING = sealing(dataclasses.replace(SECURED, model="", hf_token="hf_a_token_of_the_hub"))


def texts_in(folder: Path) -> str:
    return "".join(path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file())


async def test_a_machine_is_sealed_and_still_lets_us_in_and_tells_the_same_again(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        status, running = await install(machine, SEALING)
        assert (status, tuple(running.phases)) == (0, (*PHASES[:-1], SEAL)), running.text
        assert (await install(machine, SEALING))[1].text == running.text
        assert "coldstart-worker" not in machine.host.disk.contents.containers


async def test_a_sealed_machine_has_left_only_what_its_image_is_for(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        keys = private_text(asyncssh.read_private_key(machine.host.disk.host_key)).splitlines()[1:-1]
        status, running = await install(machine, SEALING)
        assert status == 0, running.text
        await machine.host.stop()
        root = machine.host.disk.root
        found = texts_in(root)
        assert not [line for line in (*keys, "hf_a_token_of_the_hub") if line in found]
        assert not (root / "run").exists()
        assert not list((root / "root/.ssh").iterdir())
        assert JOB.image in machine.host.disk.contents.images


SEALING_MODEL = sealing(
    dataclasses.replace(
        WITH_WEIGHTS,
        certificates=SECURED.certificates,
        hf_token="hf_a_token_of_the_hub",
        vllm_args=("--max-model-len", "8192"),
    )
)


def started_on(machine: Machine) -> list[Container]:
    """Filled with each container that is started from now on."""
    started, run = list[Container](), machine.host.containers.run

    def noted(container: Container) -> None:
        started.append(container)
        run(container)

    machine.host.containers.run = noted  # type: ignore[method-assign]
    return started


def warmed(running: Running) -> list[Warmed]:
    return [said for said in map(parse_line, running.lines) if isinstance(said, Warmed)]


async def test_the_model_of_a_machine_image_is_run_once_before_the_machine_is_sealed(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        started = started_on(machine)
        status, running = await install(machine, SEALING_MODEL)
        assert (status, tuple(running.phases)) == (0, (*PHASES[:-1], WARM, SEAL)), running.text
        assert warmed(running) == [Warmed()]
        assert CommitToStore(str(SEALING_MODEL.revision)) in map(parse_line, running.lines)
        assert "vLLM: " in running.text
        assert (await install(machine, SEALING_MODEL))[1].text == running.text
        assert len(started) == 1
        assert not machine.host.disk.contents.containers


async def test_a_worker_finds_what_was_compiled_for_a_machine_image(tmp_path: Path) -> None:
    """What vLLM compiles is told apart by its arguments and its environment, but for those of its server."""
    serving = dataclasses.replace(WITH_WEIGHTS, certificates=SECURED.certificates, vllm_args=SEALING_MODEL.vllm_args)
    async with booted(tmp_path) as machine:
        started = started_on(machine)
        for job in (serving, dataclasses.replace(SEALING_MODEL, attempt=2)):
            assert (await install(machine, job))[0] == 0
    worker, once = started
    assert (once.image, once.cache, once.kernels) == (worker.image, worker.cache, worker.kernels)
    assert [*of_the_engine(once.arguments)] == [*of_the_engine(worker.arguments)]
    without_key = {name: value for name, value in worker.environment.items() if name != "VLLM_API_KEY"}
    assert once.environment == without_key


async def test_the_worker_of_a_machine_image_has_no_secret_and_nobody_reaches_it(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        started = started_on(machine)
        status, running = await install(machine, dataclasses.replace(SEALING_MODEL, offline=False))
        assert (status, warmed(running)) == (0, [Warmed()]), running.text
    [once] = started
    assert (once.host_port, once.tls, once.restarts) == (None, None, False)
    assert once.arguments[once.arguments.index("--host") + 1] == "127.0.0.1"
    assert not {"VLLM_API_KEY", "HF_TOKEN"} & once.environment.keys()
    assert "hf_a_token_of_the_hub" not in once.model_dump_json()


async def test_a_machine_image_is_made_without_having_run_its_model_if_vllm_cannot(tmp_path: Path) -> None:
    failing = QUICK.model_copy(
        update={
            "worker_fails_with": "(EngineCore pid=7) ERROR [core.py:866] ValueError: 4.0 GiB KV cache is needed\n"
            "RuntimeError: Engine core initialization failed. See root cause above."
        }
    )
    async with booted(tmp_path, failing) as machine:
        status, running = await install(machine, SEALING_MODEL)
        assert (status, running.phases[-1]) == (0, SEAL), running.text
        assert warmed(running) == [Warmed("vLLM ended with exit status 1: ValueError: 4.0 GiB KV cache is needed")]
        assert not machine.host.disk.contents.containers


async def test_a_model_that_takes_too_long_is_not_waited_for_by_its_machine_image(tmp_path: Path) -> None:
    async with booted(tmp_path, QUICK.model_copy(update={"never_loads": True})) as machine:
        status, running = await install(machine, dataclasses.replace(SEALING_MODEL, warm_seconds=1))
        assert (status, warmed(running)) == (0, [Warmed("it did not serve within 1 s")]), running.text
        assert not machine.host.disk.contents.containers


async def test_a_container_that_docker_refuses_to_start_is_no_end_of_a_machine_image(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        machine.host.disk.install_command("docker")
        replace_tool(machine, "docker", '[[ $1 != run ]] || exit 125; exec "$real" "$@"')
        status, running = await install(machine, SEALING_MODEL)
        assert (status, warmed(running)) == (0, [Warmed("docker did not start its container")]), running.text


@pytest.mark.parametrize("command", [3, 6, 12])
async def test_a_try_that_was_killed_while_the_model_ran_runs_it_again(tmp_path: Path, command: int) -> None:
    killing = f"""commands=0
    set -o functrace
    trap '[[ ${{phase:-}} != {WARM} ]] || ((++commands != {command})) || kill -KILL 0' DEBUG
    """
    fed = stdin_of(SEALING_MODEL).decode().replace(shlex.quote(script._INSTALL), shlex.quote(killing + script._INSTALL))
    async with booted(tmp_path) as machine:
        async with machine.connected() as connection:
            killed = await connection.run(script.COMMAND, input=fed, timeout=20)
        assert killed.exit_status == INTERRUPTED, killed.stderr
        status, running = await install(machine, SEALING_MODEL)
        assert (status, warmed(running)) == (0, [Warmed()]), running.text
        assert not machine.host.disk.contents.containers


async def test_an_embedding_model_is_served_for_embeddings(tmp_path: Path) -> None:
    job = dataclasses.replace(JOB, model="some/encoder", task="embed", vllm_args=("--max-model-len", "512"))
    async with booted(tmp_path) as machine:
        assert (await install(machine, job))[0] == 0
        await eventually(lambda: status_of(machine, "/health", ""))
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {job.api_key}"}) as http:
            body = {"model": job.model, "input": "hello"}
            async with http.post(machine.url("/v1/embeddings"), json=body) as response:
                assert response.status == 200


@pytest.mark.parametrize("hub", [None, "https://hub.example.com"])
async def test_a_worker_loads_from_the_mirror_that_is_set(tmp_path: Path, hub: str | None) -> None:
    async with booted(tmp_path) as machine:
        assert (await install(machine, dataclasses.replace(JOB, hub=hub)))[0] == 0
        assert machine.host.disk.contents.containers["coldstart-worker"].environment.get("HF_ENDPOINT") == hub


async def test_the_authorities_of_the_site_reach_the_worker(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        status, running = await install(machine, dataclasses.replace(JOB, authorities="of the site"))
        assert status == 0, running.text
        assert (machine.host.disk.root / "usr/local/share/coldstart/authorities.pem").read_text() == "of the site\n"
        environment = machine.host.disk.contents.containers["coldstart-worker"].environment
        assert environment["SSL_CERT_FILE"] == environment["REQUESTS_CA_BUNDLE"] == "/etc/coldstart/authorities.pem"


async def test_the_proxies_of_the_site_reach_the_worker(tmp_path: Path) -> None:
    job = dataclasses.replace(JOB, proxies=Proxies(https="http://us:secret@proxy:3128", without=("hub.example.com",)))
    async with booted(tmp_path) as machine:
        status, running = await install(machine, job)
        assert (status, "secret" in running.text) == (0, False), running.text
        environment = machine.host.disk.contents.containers["coldstart-worker"].environment
        assert {name: value for name, value in environment.items() if "PROXY" in name} == {
            "HTTPS_PROXY": "http://us:secret@proxy:3128",
            "NO_PROXY": "localhost,127.0.0.1,::1,hub.example.com",
        }
        for_docker = machine.host.disk.root / "etc/systemd/system/docker.service.d/coldstart-site.conf"
        assert 'Environment="HTTPS_PROXY=http://us:secret@proxy:3128"' in for_docker.read_text()


async def test_an_image_comes_from_the_mirror_with_the_login_that_is_set_and_the_login_is_forgotten(
    tmp_path: Path,
) -> None:
    job = dataclasses.replace(JOB, registry=Registry("mirror.test:5000/hub", "us", "a-password"))
    pretends = """echo "$*" >>"$COLDSTART_ROOT/asked"
    [[ $1 != login ]] || { read -r told && echo "$told $DOCKER_CONFIG" >"$COLDSTART_ROOT/told"; exit; }
    exec "$real" "${@/mirror.test:5000\\/hub\\/}" """
    async with booted(tmp_path) as machine:
        machine.host.disk.install_command("docker")
        replace_tool(machine, "docker", pretends)
        status, running = await install(machine, job)
        assert (status, "a-password" in running.text) == (0, False), running.text
        root = machine.host.disk.root
        assert (root / "told").read_text() == f"a-password {root}/var/lib/coldstart/docker\n"
        assert not (root / "var/lib/coldstart/docker").exists()
        asked = (root / "asked").read_text()
    assert "login --username us --password-stdin mirror.test:5000\n" in asked
    assert f"pull mirror.test:5000/hub/{JOB.image}\n" in asked
    assert f" mirror.test:5000/hub/{JOB.image} {JOB.model} " in asked


def snapshot_of(machine: Machine) -> Path:
    folder = machine.host.disk.root / "mnt/data/huggingface/shared/hub/models--Qwen--Qwen2.5-0.5B-Instruct"
    return folder / "snapshots" / WEIGHTS.commit


async def test_the_model_is_on_the_machine_before_the_worker_which_asks_no_hub_for_it(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        status, running = await install(machine, WITH_WEIGHTS)
        assert (status, tuple(running.phases)) == (0, PHASES), running.text
        told = [said for said in map(parse_line, running.lines) if isinstance(said, Fetched)]
        assert told[-1] == Fetched(WEIGHTS.bytes, WEIGHTS.bytes, len(WEIGHTS.files), len(WEIGHTS.files))
        snapshot = snapshot_of(machine)
        assert {path.name: path.stat().st_size for path in snapshot.iterdir()} == {
            file.path: file.bytes for file in WEIGHTS.files
        }
        worker = machine.host.disk.contents.containers["coldstart-worker"]
        assert worker.arguments[-2:] == ("--revision", WEIGHTS.commit)
        assert "HF_TOKEN" not in worker.environment
        assert worker.environment["HF_HUB_OFFLINE"] == "1"


async def test_a_reinstall_fetches_nothing_of_what_is_there(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        assert (await install(machine, WITH_WEIGHTS))[0] == 0
        replace_tool(machine, "curl", "exit 1")
        status, running = await install(machine, dataclasses.replace(WITH_WEIGHTS, attempt=2))
        assert status == 0, running.text
        told = {said for said in map(parse_line, running.lines) if isinstance(said, Fetched)}
        assert told == {Fetched(WEIGHTS.bytes, WEIGHTS.bytes, len(WEIGHTS.files), len(WEIGHTS.files))}


async def test_a_worker_gets_shared_memory_of_its_own_with_one_gpu_too(tmp_path: Path) -> None:
    """vLLM 0.32.0 in Docker's 64 MB: "Insufficient space in /dev/shm …: 160 MiB required, 64 MiB free"."""
    async with booted(tmp_path) as machine:
        assert (await install(machine, JOB))[0] == 0
        assert machine.host.disk.contents.containers["coldstart-worker"].shared_memory == "16g"


async def test_each_organisation_has_a_cache_of_its_own_and_what_all_share_another(tmp_path: Path) -> None:
    owners = (UUID(int=1), UUID(int=2), None)
    caches = []
    async with booted(tmp_path) as machine:
        for attempt, owner in enumerate(owners, start=1):
            job = dataclasses.replace(JOB, attempt=attempt, organization_id=owner)
            assert (await install(machine, job))[0] == 0
            worker = machine.host.disk.contents.containers["coldstart-worker"]
            for cache in (worker.cache, worker.kernels):
                assert cache is not None
                assert cache.stat().st_mode & 0o077 == 0
                caches.append(cache)
    assert not [(one, other) for one in caches for other in caches if one is not other and one.is_relative_to(other)]


async def test_what_is_compiled_is_kept_on_the_data_disk_for_the_next_worker(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        kept = []
        for attempt, arguments in enumerate(((), ("--max-num-seqs", "8")), start=1):
            assert (await install(machine, dataclasses.replace(JOB, attempt=attempt, vllm_args=arguments)))[0] == 0
            worker = machine.host.disk.contents.containers["coldstart-worker"]
            kept.append(worker.kernels)
            places = {name: place for name, place in worker.environment.items() if "/var/cache/coldstart" in place}
            assert set(places) == {
                "VLLM_CACHE_ROOT", "TRITON_CACHE_DIR", "CUDA_CACHE_PATH", "TORCHINDUCTOR_CACHE_DIR",
                "FLASHINFER_WORKSPACE_BASE",
            }  # fmt: skip
            assert len(set(places.values())) == len(places)
        assert kept == [machine.host.disk.root / "mnt/data/kernels/shared"] * 2


async def test_a_worker_with_certificates_reads_nothing_from_anybody_but_us(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        status, running = await install(machine, SECURED)
        assert status == 0, running.text
        answer = await eventually(reached_by(machine, insider(SECRETS, INSTANCE, 1)))
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        said = {
            name: await heard(machine.address, WORKER_PORT, context)
            for name, context in intruders(SECRETS, INSTANCE, 1).items()
        }
        assert {name: answer for name, answer in said.items() if b"HTTP" in answer} == {}


async def test_the_worker_s_key_is_for_root_and_the_container_alone_and_goes_with_its_attempt(tmp_path: Path) -> None:
    second = dataclasses.replace(SECOND_ATTEMPT, certificates=SECRETS.worker_certificates(INSTANCE, 2))
    assert SECURED.certificates
    assert second.certificates
    async with booted(tmp_path) as machine:
        tls = machine.host.disk.root / "var/lib/coldstart/tls"
        containers = machine.host.disk.contents.containers
        for job, certificates in ((SECURED, SECURED.certificates), (second, second.certificates)):
            assert (await install(machine, job))[0] == 0
            assert {path.name: path.read_text() for path in tls.iterdir()} == {
                "key.pem": certificates.worker.private_key,
                "certificate.pem": certificates.worker.certificate,
                "clients.pem": certificates.client.certificate,
            }
            assert {path.stat().st_mode & 0o777 for path in tls.iterdir()} == {0o600}
            assert tls.stat().st_mode & 0o777 == 0o700
            assert containers["coldstart-worker"].tls == tls
        ours = insider(SECRETS, INSTANCE, 2)
        await eventually(reached_by(machine, ours))
        assert b"HTTP" not in await heard(machine.address, WORKER_PORT, insider(SECRETS, INSTANCE, 1))
        assert (await install(machine, dataclasses.replace(SECOND_ATTEMPT, attempt=3)))[0] == 0
        assert not tls.exists()
        assert containers["coldstart-worker"].tls is None


@pytest.mark.parametrize(
    ("driver", "taken"),
    [
        ("580.65.06", JOB.image),
        ("590.12", JOB.image),
        ("570.172.08", f"{JOB.image}-cu129"),
        ("535.274.02", f"{JOB.image}-cu129"),
        ("[N/A]", JOB.image),
    ],
)
async def test_the_driver_decides_which_build_of_the_image_is_taken(tmp_path: Path, driver: str, taken: str) -> None:
    async with booted(tmp_path, QUICK.model_copy(update={"driver": driver})) as machine:
        status, running = await install(machine, JOB)
        assert status == 0, running.text
        assert f"::image::{taken}" in running.lines
        assert (f"This machine has {driver}." in running.text) is (taken != JOB.image)
        assert machine.host.disk.contents.images == {taken}
        assert machine.host.disk.contents.containers["coldstart-worker"].image == taken


@pytest.mark.parametrize(
    ("gpu", "driver", "refused"),
    [("RTX-4090", "570.172.08", True), ("RTX-4090", "575.64.03", False), ("L4", "545.29.06", True)],
)
async def test_a_driver_with_which_nvidia_s_toolkit_starts_no_build_ends_the_install_before_the_pull(
    tmp_path: Path, gpu: str, driver: str, refused: bool
) -> None:
    scenario = QUICK.model_copy(update={"driver": driver})
    async with booted(tmp_path, scenario, hardware=Hardware(gpu)) as machine:
        status, running = await install(machine, JOB)
        assert ("Update the driver to 580 or later." in running.text, status) == (refused, int(refused)), running.text
        assert machine.host.disk.contents.images == (set() if refused else {f"{JOB.image}-cu129"})


async def test_a_toolkit_that_is_set_to_start_every_image_is_believed(tmp_path: Path) -> None:
    scenario = QUICK.model_copy(update={"driver": "570.172.08"})
    async with booted(tmp_path, scenario, hardware=Hardware("RTX-4090")) as machine:
        settings = machine.host.disk.root / "etc/nvidia-container-runtime/config.toml"
        settings.parent.mkdir(parents=True)
        settings.write_text("#accept-nvidia-visible-devices-as-volume-mounts = false\ndisable-require = true\n")
        status, running = await install(machine, JOB)
        assert status == 0, running.text


async def test_an_image_without_a_build_for_older_drivers_is_taken_as_it_is(tmp_path: Path) -> None:
    job = dataclasses.replace(JOB, image="vllm/vllm-openai:v0.13.0")
    async with booted(tmp_path, QUICK.model_copy(update={"driver": "570.172.08"})) as machine:
        status, running = await install(machine, job)
        assert (status, f"::image::{job.image}" in running.lines) == (0, True), running.text


AWKWARD = (
    "--one two",
    "'",
    '"$HOME"',
    "$(touch owned)",
    "`id`",
    "two\nlines",
    "",
    "*",
    "é\u2028ü",
    "\\n",
    "-",
    "--",
    "tab\t",
)


async def test_every_argument_reaches_vllm_as_it_was_given(tmp_path: Path) -> None:
    job = dataclasses.replace(JOB, revision="refs/pr/1 'x'", vllm_args=AWKWARD)
    async with booted(tmp_path) as machine:
        status, running = await install(machine, job)
        assert status == 0, running.text
        given = machine.host.disk.contents.containers["coldstart-worker"].arguments
        assert given == (
            JOB.model, "--served-model-name", JOB.model, "--port", str(WORKER_PORT),
            "--revision", "refs/pr/1 'x'", *AWKWARD,
        )  # fmt: skip
        assert not list(machine.host.disk.root.rglob("owned"))


async def test_an_image_whose_entrypoint_takes_its_model_by_name_gets_it_so(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        machine.host.disk.install_command("docker")
        entrypoint = '["python3", "-m", "vllm.entrypoints.openai.api_server"]'
        replace_tool(machine, "docker", f"[[ $1$2$3 != imageinspect--format ]] || {{ echo '{entrypoint}'; exit; }}; "
                     'exec "$real" "$@"')  # fmt: skip
        status, running = await install(machine, JOB)
        assert status == 0, running.text
        given = machine.host.disk.contents.containers["coldstart-worker"].arguments
        assert given[:4] == ("--model", JOB.model, "--served-model-name", JOB.model)


async def test_cloud_init_is_waited_for_before_anything_is_installed(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        tool = machine.host.disk.bin / "cloud-init"
        tool.write_text(
            '#!/bin/bash\n[[ $2 != --wait ]] || touch "$HOME/done"\n[[ -e $HOME/done ]] || echo status: running\n'
        )
        tool.chmod(0o755)
        status, running = await install(machine, JOB)
        assert status == 0, running.text
        begun = running.lines.index("::phase::docker_install")
        assert running.lines[begun + 1 : begun + 3] == [
            "::waiting::cloud-init, which still sets the machine up", "::resumed::",
        ]  # fmt: skip


async def test_a_disk_without_room_ends_the_install_before_the_download(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        (system,) = [device for device in machine.host.disk.contents.devices if device.mounted_at == "/"]
        system.size = "10G"
        status, running = await install(machine, JOB)
        assert (status, running.phases[-1]) == (1, "image_pull")
        assert "has 9.0 GB free, and the image needs 9.6 GB or more: 0.6 GB are missing." in running.lines[-1]
        system.size = "100G"
        status, running = await install(machine, dataclasses.replace(SECOND_TRY, weights_bytes=100 * 10**9))
        assert "has 90.0 GB free, and the image and the model's weights need 109.6 GB" in running.lines[-1]
        assert not machine.host.disk.contents.images
        assert (await install(machine, dataclasses.replace(SECOND_TRY, attempt_try=3, weights_bytes=10**9)))[0] == 0


async def test_a_pull_that_hangs_fails_its_try_and_the_next_one_pulls_again(tmp_path: Path) -> None:
    async with booted(tmp_path, SLOW_PULL) as machine:
        status, running = await install(machine, dataclasses.replace(JOB, pull_seconds=1))
        assert (status, running.phases[-1]) == (1, "image_pull")
        assert (
            running.lines[-1]
            == "The image was not pulled within 1 s. The next try continues with the layers that are complete."
        )
        assert "v0.32.0: Pulling from vllm/vllm-openai" in running.lines
        machine.host.scenario = QUICK
        assert (await install(machine, SECOND_TRY))[0] == 0


async def test_a_pull_that_has_to_be_killed_says_the_same(tmp_path: Path) -> None:
    async with booted(tmp_path, SLOW_PULL) as machine:
        machine.host.disk.install_command("docker")
        replace_tool(machine, "docker", '[[ $1 != pull ]] || trap "" TERM; exec "$real" "$@"')
        replace_tool(machine, "timeout", 'exec "$real" "${@/--kill-after=10/--kill-after=0.2}"')
        status, running = await install(machine, dataclasses.replace(JOB, pull_seconds=1))
        assert status == 1
        assert (
            running.lines[-1]
            == "The image was not pulled within 1 s. The next try continues with the layers that are complete."
        )


async def test_a_pull_that_somebody_else_kills_is_not_said_to_have_taken_too_long(tmp_path: Path) -> None:
    async with booted(tmp_path, SLOW_PULL) as machine:
        machine.host.disk.install_command("docker")
        replace_tool(machine, "docker", '[[ $1 != pull ]] || kill -KILL $$; exec "$real" "$@"')
        status, running = await install(machine, JOB)
        assert status == 1
        assert "was not pulled within" not in running.text


async def test_where_somebody_s_containers_run_docker_is_not_restarted_and_they_read_what_to_do(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        contents = machine.host.disk.contents
        contents.containers["grafana"] = Container(
            id=new_id(), name="grafana", image="grafana/grafana", arguments=(), environment={}, host_port=3000,
            container_port=3000, restarts=False, created_at=0.0, running=True,
        )  # fmt: skip
        status, running = await install(machine, JOB)
        assert (status, running.phases[-1]) == (1, "nvidia_toolkit")
        assert (
            "(grafana). When they may end, run `nvidia-ctk runtime configure --runtime=docker && " in running.lines[-1]
        )
        assert not contents.docker_runtimes | contents.configured_runtimes
        assert (await install(machine, dataclasses.replace(SECOND_TRY, ours=True)))[0] == 0


async def test_a_docker_that_has_the_runtime_is_left_as_it_is(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        machine.host.disk.contents.docker_runtimes.add("nvidia")
        assert (await install(machine, JOB))[0] == 0
        assert not machine.host.disk.contents.configured_runtimes


async def test_a_system_with_docker_and_the_toolkit_has_nothing_installed_and_docker_is_not_restarted(
    tmp_path: Path,
) -> None:
    async with booted(tmp_path) as machine:
        for command in ("docker", "nvidia-ctk"):
            machine.host.disk.install_command(command)
        machine.host.disk.contents.docker_runtimes.add("nvidia")
        replace_tool(machine, "apt-get", "echo asked for packages; exit 1")
        replace_tool(
            machine, "systemctl", '[[ $* != "restart docker" ]] || { echo restarted; exit 1; }; exec "$real" "$@"'
        )
        status, running = await install(machine, dataclasses.replace(JOB, ours=True))
        assert (status, tuple(running.phases)) == (0, PHASES), running.text


async def test_a_finished_install_is_reported_and_not_repeated(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        first = await install(machine, JOB)
        container = await container_of(machine)
        for job in (JOB, SECOND_TRY):
            again = await install(machine, job)
            assert (again[0], again[1].lines) == (0, first[1].lines)
        assert await container_of(machine) == container


async def test_a_failed_try_is_reported_and_not_repeated(tmp_path: Path) -> None:
    scenario = QUICK.model_copy(update={"install_fails_at": "docker_install", "install_fails_times": 1})
    async with booted(tmp_path, scenario) as machine:
        first = await install(machine, JOB)
        again = await install(machine, JOB)
        assert first[0] == again[0] == 1
        assert again[1].lines == first[1].lines
        assert again[1].phases[-1] == "docker_install"


async def test_a_dropped_connection_does_not_end_the_install_and_the_next_attaches(tmp_path: Path) -> None:
    async with booted(tmp_path, QUICK.model_copy(update={"image_pull": 1.0})) as machine:
        async with installing(machine, JOB) as dropped:
            await dropped.reaches("image_pull")
        status, running = await install(machine, JOB)
        assert status == 0
        assert tuple(running.phases) == PHASES
        assert running.text.count("Pulling from") == 1


async def test_an_older_attempt_is_ended_and_the_newer_one_runs(tmp_path: Path) -> None:
    async with booted(tmp_path, SLOW_PULL) as machine, installing(machine, JOB) as older:
        await older.says("Pulling fs layer")
        machine.host.scenario = QUICK
        status, newer = await install(machine, SECOND_ATTEMPT)
        assert status == 0, newer.text
        assert await older.ends() == SUPERSEDED
        assert await eventually(lambda: status_of(machine, "/v1/models", SECOND_ATTEMPT.api_key)) == 200


async def test_an_older_attempt_leaves_a_newer_one_alone(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        assert (await install(machine, SECOND_ATTEMPT))[0] == 0
        container = await container_of(machine)
        status, running = await install(machine, JOB)
        assert (status, running.phases) == (SUPERSEDED, [])
        assert await container_of(machine) == container


async def test_an_earlier_try_leaves_a_later_one_alone(tmp_path: Path) -> None:
    scenario = QUICK.model_copy(update={"install_fails_at": "preflight"})
    async with booted(tmp_path, scenario) as machine:
        assert (await install(machine, SECOND_TRY))[0] == 1
        assert (await install(machine, JOB))[0] == SUPERSEDED


async def test_a_newer_attempt_replaces_the_worker_of_an_older_one(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        await install(machine, JOB)
        await install(machine, SECOND_ATTEMPT)
        assert await eventually(lambda: status_of(machine, "/v1/models", JOB.api_key)) == 401
        assert await status_of(machine, "/v1/models", SECOND_ATTEMPT.api_key) == 200


@pytest.mark.parametrize("phase", PHASES)
async def test_the_next_try_repairs_what_a_failure_left(tmp_path: Path, phase: str) -> None:
    scenario = QUICK.model_copy(update={"install_fails_at": phase, "install_fails_times": 1})
    job = dataclasses.replace(WITH_WEIGHTS, ours=True)
    if phase == "host_key":
        machine_key = new_key()
        job = dataclasses.replace(job, host_key_private=private_text(machine_key))
    async with booted(tmp_path, scenario) as machine:
        status, running = await install(machine, job)
        assert status != 0
        assert running.phases[-1] == phase, running.text
        status, running = await install(machine, dataclasses.replace(job, attempt_try=2))
        assert status == 0, running.text


@pytest.mark.parametrize("command", [3, 4])
@pytest.mark.parametrize("phase", PHASES)
async def test_a_try_that_was_killed_within_a_phase_runs_again_and_ends_well(
    tmp_path: Path, phase: str, command: int
) -> None:
    key = new_key()
    job = dataclasses.replace(WITH_WEIGHTS, ours=True, host_key_private=private_text(key))
    killing = f"""commands=0
    set -o functrace
    trap '[[ ${{phase:-}} != {phase} ]] || ((++commands != {command})) || kill -KILL 0' DEBUG
    """
    fed = stdin_of(job).decode().replace(shlex.quote(script._INSTALL), shlex.quote(killing + script._INSTALL))
    async with booted(tmp_path) as machine:
        machine.host.disk.contents.devices.append(BlockDevice(name="/dev/vdb", size="100G"))
        async with machine.connected() as connection:
            killed = await connection.run(script.COMMAND, input=fed, timeout=20)
        assert killed.exit_status == INTERRUPTED, killed.stderr
        assert [said.name for said in map(parse_line, str(killed.stdout).splitlines()) if isinstance(said, Phase)] == [
            *PHASES[: PHASES.index(phase) + 1]
        ]
        rotated = PHASES.index(phase) > PHASES.index("host_key")
        status, running = await install(machine, job, key if rotated else None)
        assert (status, tuple(running.phases)) == (0, PHASES), running.text
        assert machine.host.disk.contents.devices[-1].label == "coldstart-data"
        assert len(machine.host.disk.contents.containers) == 1


def test_every_phase_can_be_made_to_fail() -> None:
    assert set(PHASES) == PHASES_THAT_CAN_FAIL


async def test_an_image_that_was_never_published_fails_in_dockers_words(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        status, running = await install(machine, dataclasses.replace(JOB, image="vllm/vllm-openai:v0.6.2.post1"))
        assert status == 1
        assert running.lines[-1] == (
            "Error response from daemon: manifest for vllm/vllm-openai:v0.6.2.post1 not found: "
            "manifest unknown: manifest unknown"
        )


async def test_a_pull_tells_each_layer_and_while_docker_is_silent_how_much_has_come(tmp_path: Path) -> None:
    impatient = script._INSTALL.replace("read -rt 10 ", "read -rt 0.03 ")
    fed = stdin_of(JOB).decode().replace(shlex.quote(script._INSTALL), shlex.quote(impatient))
    slow = QUICK.model_copy(update={"image_pull": 1.0})
    async with booted(tmp_path, slow) as machine, machine.connected() as connection:
        replace_tool(machine, "df", 'echo "$*" >>"$COLDSTART_ROOT/measured"\nexec "$real" "$@"')
        ran = await connection.run(script.COMMAND, input=fed, timeout=20)
        measured = (machine.host.disk.root / "measured").read_text()
    assert f"--block-size=1MB {machine.host.disk.root}/srv/docker\n" in measured
    assert ran.exit_status == 0, ran.stdout
    lines = str(ran.stdout).partition("::phase::image_pull\n")[2].partition("::phase::")[0].splitlines()
    assert lines[0] == "v0.32.0: Pulling from vllm/vllm-openai"
    assert len([line for line in lines if line.endswith(": Pull complete")]) == 8
    assert [line for line in lines if re.fullmatch(r"\d+ MB written so far", line)]


async def test_the_host_key_from_cloud_init_is_replaced(tmp_path: Path) -> None:
    key = new_key()
    async with booted(tmp_path) as machine:
        assert (await install(machine, dataclasses.replace(JOB, host_key_private=private_text(key))))[0] == 0
        with pytest.raises(asyncssh.HostKeyNotVerifiable):
            await machine.run("true")
        async with machine.connected(host_key=key) as connection:
            assert (await connection.run("true")).exit_status == 0
        await machine.host.stop()
        await machine.next_boot().start()
        async with machine.connected(host_key=key) as connection:
            assert (await connection.run("true")).exit_status == 0


async def test_two_callers_of_one_try_share_one_install(tmp_path: Path) -> None:
    async with booted(tmp_path, QUICK.model_copy(update={"image_pull": 0.3})) as machine:
        results = await asyncio.gather(*(install(machine, JOB) for _ in range(4)))
        assert [status for status, _ in results] == [0, 0, 0, 0]
        assert len({running.text for _, running in results}) == 1
        assert tuple(results[0][1].phases) == PHASES


async def test_of_three_attempts_at_once_the_newest_wins_and_none_overlap(tmp_path: Path) -> None:
    jobs = [dataclasses.replace(JOB, attempt=attempt, api_key=f"key-{attempt}") for attempt in (1, 2, 3)]
    async with booted(tmp_path, QUICK.model_copy(update={"image_pull": 0.5})) as machine:
        results = await asyncio.gather(*(install(machine, job) for job in jobs))
        assert results[2][0] == 0, results[2][1].text
        assert all(status == SUPERSEDED for status, _ in results[:2])
        assert await eventually(lambda: status_of(machine, "/v1/models", "key-3")) == 200


async def test_a_power_off_ends_everything_and_the_same_try_runs_again_after_it(tmp_path: Path) -> None:
    async with booted(tmp_path, SLOW_PULL) as machine:
        async with installing(machine, JOB) as running:
            await running.reaches("image_pull")
            boot_id = machine.host.boot_id
            assert processes.running(boot_id)
            await machine.host.stop()
        assert processes.running(boot_id) == []
        machine.scenario = QUICK
        await machine.next_boot().start()
        status, running = await install(machine, JOB)
        assert (status, tuple(running.phases)) == (0, PHASES)


async def test_an_install_that_vanished_is_said_to_be_interrupted(tmp_path: Path) -> None:
    async with booted(tmp_path, SLOW_PULL) as machine, installing(machine, JOB) as running:
        await running.reaches("image_pull")
        _, _, _, leader = (machine.host.disk.root / "var/lib/coldstart/marker").read_text().split()
        await machine.run(f"kill -KILL -- -{leader}")
        assert await running.ends() == INTERRUPTED


async def test_a_script_that_was_cut_off_does_nothing(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine, machine.connected() as connection:
        await connection.run(script.COMMAND, input=stdin_of(JOB).decode()[:-20])
        assert not (machine.host.disk.root / "var/lib/coldstart").exists()


async def test_no_secret_is_on_a_command_line_in_an_environment_or_in_the_output(tmp_path: Path) -> None:
    async with booted(tmp_path, SLOW_PULL) as machine, installing(machine, JOB) as running:
        await running.reaches("image_pull")
        found = [psutil.Process(pid) for pid in processes.running(machine.host.boot_id)]
        visible = running.text + "".join(f"{process.cmdline()}{process.environ()}" for process in found)
        assert found
        assert JOB.api_key not in visible
        assert "hf_reader" not in visible
        readable = [
            path for path in machine.host.disk.root.rglob("*") if path.is_file() and path.stat().st_mode & 0o077
        ]
        assert all(JOB.api_key not in path.read_text() for path in readable)


def our_fstab_lines(machine: Machine) -> int:
    fstab = machine.host.disk.root / "etc/fstab"
    return fstab.read_text().count("LABEL=coldstart-data") if fstab.exists() else 0


@pytest.mark.parametrize(
    ("answer", "fails"),
    [("echo 8.9; echo 6.1", True), ("echo 7.0", True), ("echo 7.5", False), ("echo 12.0", False), ("exit 2", False)],
)
async def test_a_gpu_that_vllm_cannot_use_ends_the_install_before_anything_else(
    tmp_path: Path, answer: str, fails: bool
) -> None:
    """An older driver answers with 2: then nobody knows."""
    async with booted(tmp_path) as machine:
        replace_tool(machine, "nvidia-smi", f'if [[ $1 == *compute_cap ]]; then {answer}; else exec "$real" "$@"; fi')
        status, running = await install(machine, JOB)
        assert (status != 0) is fails, running.text
        assert ("and vLLM needs 7.5 or more" in running.text) is fails
        assert (running.phases == ["preflight"]) is fails


async def test_a_machine_with_several_gpus_tells_each_of_them_and_an_old_one_is_refused(tmp_path: Path) -> None:
    async with booted(tmp_path / "new", hardware=Hardware("L40S", 4)) as machine:
        status, running = await install(machine, JOB)
        assert (status, running.text.count("NVIDIA L40S, 46068 MiB")) == (0, 4)
    async with booted(tmp_path / "old", hardware=Hardware("P100")) as machine:
        status, running = await install(machine, JOB)
        assert status == 1
        assert "compute capability 6.0, and vLLM needs 7.5 or more. Use another machine." in running.text


async def test_a_blank_disk_is_formatted_and_mounted_for_the_models(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        disk = BlockDevice(name="/dev/nvme0n1", size="2.9T")
        machine.host.disk.contents.devices.append(disk)
        assert (await install(machine, FORMATTING))[0] == 0
        assert (disk.filesystem, disk.label) == ("ext4", "coldstart-data")
        assert disk.mounted_at == str(machine.host.disk.root / "mnt/data")
        assert (await install(machine, dataclasses.replace(SECOND_ATTEMPT, ours=True)))[0] == 0
        assert our_fstab_lines(machine) == 1


async def test_models_that_came_with_the_image_are_not_hidden_by_a_blank_disk(tmp_path: Path) -> None:
    async with booted(tmp_path, hardware=Hardware(scratch=1_600_000_000_000)) as machine:
        (machine.host.disk.root / "mnt/data/huggingface/shared/hub").mkdir(parents=True)
        status, running = await install(machine, dataclasses.replace(FORMATTING, scratch=True))
        assert status == 0, running.text
        (disk,) = [device for device in machine.host.disk.contents.devices if device.scratch]
        assert (disk.filesystem, disk.mounted_at) == (None, None)


async def test_a_full_stop_erases_scratch_storage_and_the_next_boot_prepares_it_before_the_worker(
    tmp_path: Path,
) -> None:
    async with booted(tmp_path, hardware=Hardware(scratch=1_600_000_000_000)) as machine:
        (disk,) = [device for device in machine.host.disk.contents.devices if device.scratch]
        assert (await install(machine, dataclasses.replace(FORMATTING, scratch=True)))[0] == 0
        assert (disk.bytes, disk.label, our_fstab_lines(machine)) == (1_600_000_000_000, "coldstart-data", 0)
        model = machine.host.disk.root / "mnt/data/huggingface/shared/model"
        for stops, kept in ((False, True), (True, False)):
            model.touch()
            await machine.host.stop()
            if stops:
                await machine.host.erase_scratch()
            await machine.next_boot().start()
            (disk,) = [device for device in machine.host.disk.contents.devices if device.scratch]
            assert (disk.label, disk.mounted_at) == ("coldstart-data", str(machine.host.disk.root / "mnt/data"))
            assert model.exists() is kept
            assert await eventually(lambda: status_of(machine, "/v1/models", JOB.api_key)) == 200


async def test_a_blank_disk_of_a_machine_that_somebody_owns_stays_blank(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        disk = BlockDevice(name="/dev/sdb", size="2.9T")
        machine.host.disk.contents.devices.append(disk)
        status, running = await install(machine, JOB)
        assert (status, disk.filesystem, disk.mounted_at) == (0, None, None)
        assert "There is no data disk: models are kept on the boot disk." in running.lines
        assert our_fstab_lines(machine) == 0


async def test_a_disk_that_bears_our_label_is_mounted_with_what_is_on_it(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        blank = BlockDevice(name="/dev/vdb", size="100G")
        ours = BlockDevice(name="/dev/vdc", size="100G", filesystem="ext4", label="coldstart-data")
        machine.host.disk.contents.devices += [blank, ours]
        assert (await install(machine, FORMATTING))[0] == 0
        assert ours.mounted_at == str(machine.host.disk.root / "mnt/data")
        assert (blank.filesystem, blank.mounted_at) == (None, None)
        assert our_fstab_lines(machine) == 1


async def test_what_its_owner_mounted_there_is_used_and_left_to_its_owner(tmp_path: Path) -> None:
    async with booted(tmp_path) as machine:
        mounted_at = str(machine.host.disk.root / "mnt/data")
        owners = BlockDevice(name="/dev/sdb1", size="1T", type="part", parent="/dev/sdb", filesystem="xfs",
                             mounted_at=mounted_at)  # fmt: skip
        blank = BlockDevice(name="/dev/sdc", size="1T")
        machine.host.disk.contents.devices += [BlockDevice(name="/dev/sdb", size="1T"), owners, blank]
        before = owners.model_copy()
        assert (await install(machine, FORMATTING))[0] == 0
        assert (owners, blank.filesystem) == (before, None)
        assert our_fstab_lines(machine) == 0


@pytest.mark.parametrize(
    "bears",
    [
        {"filesystem": "xfs"},
        {"partition": True},
        {"data": True},
        {"unreadable": True},
        {"filesystem": "ext4", "label": "coldstart-data", "unreadable": True},
        {"read_only": True},
        {"removable": True},
        {"size": "16G"},
        {"size": "90T"},
        {"name": "/dev/zram0"},
        {"type": "mpath"},
    ],
)
async def test_a_disk_that_is_not_certain_to_be_nobody_s_is_not_touched(
    tmp_path: Path, bears: dict[str, str | bool]
) -> None:
    given = {"name": "/dev/vdb", "size": "100G", **bears}
    async with booted(tmp_path) as machine:
        disk = BlockDevice.model_validate({name: value for name, value in given.items() if name != "partition"})
        machine.host.disk.contents.devices.append(disk)
        if "partition" in bears:
            machine.host.disk.contents.devices.append(
                BlockDevice(name="/dev/vdb1", size="99G", type="part", parent="/dev/vdb")
            )
        before = disk.model_copy()
        status, running = await install(machine, FORMATTING)
        assert status == 0, running.text
        assert disk == before


async def test_a_docker_that_is_silent_is_not_taken_for_one_without_the_runtime(tmp_path: Path) -> None:
    """As when its daemon is down for a moment: restarting it would end somebody's containers."""
    async with booted(tmp_path) as machine:
        machine.host.disk.install_command("docker")
        machine.host.disk.contents.docker_runtimes.add("nvidia")
        replace_tool(machine, "docker", '[[ $* != *json* ]] || { echo null; exit 1; }; exec "$real" "$@"')
        status, running = await install(machine, FORMATTING)
        assert (status, running.phases[-1]) == (1, "nvidia_toolkit")
        assert not machine.host.disk.contents.configured_runtimes


async def test_a_pull_goes_on_though_nobody_can_say_how_much_has_come(tmp_path: Path) -> None:
    impatient = script._INSTALL.replace("read -rt 10 ", "read -rt 0.03 ")
    fed = stdin_of(JOB).decode().replace(shlex.quote(script._INSTALL), shlex.quote(impatient))
    async with booted(tmp_path, QUICK.model_copy(update={"image_pull": 0.5})) as machine:
        replace_tool(machine, "df", '[[ $1 == -h ]] && exec "$real" "$@"; exit 1')
        async with machine.connected() as connection:
            ran = await connection.run(script.COMMAND, input=fed, timeout=20)
    assert ran.exit_status == 0, ran.stdout


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.real
@pytest.mark.parametrize("fed", [script._INSTALL, script._RUN, claims._SCRIPT], ids=["install", "run", "claim"])
def test_the_scripts_pass_shellcheck(fed: str) -> None:
    checked = subprocess.run(["shellcheck", "-"], input=fed, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.real
def test_scenarios_name_phases_that_exist(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Unknown phase 'docker' in install_fails_at"):
        Machine(tmp_path, Scenario(install_fails_at="docker"))
