"""What takes time on a machine with rates, and how long, on an injected clock."""

import asyncio
from pathlib import Path

from simulator.host.containers import new_id
from simulator.host.disk import Container
from simulator.host.loading import load, why_not
from simulator.host.model import HUB, NETWORK, MachineModel
from simulator.host.model_cache import folder, lay
from simulator.host.standins.docker_images import pull
from simulator.host.standins.packages import apt_get
from simulator.host.standins.system import systemctl
from simulator.hub.models import MODELS
from simulator.rates import Rates
from tests.simulator.host.clocks import SteppedClock
from tests.simulator.host.machines import QUICK, booted, eventually
from tests.simulator.host.stand_ins import a_host, called
from tests.simulator.host.test_worker import health_of, log_of, serving

IMAGE = "vllm/vllm-openai:v0.32.0"
MODEL = "Qwen/Qwen2.5-7B-Instruct"
FILES = MODELS[MODEL].files()
BYTES = sum(FILES.values())
SHARD = max(FILES.values())
RATES = Rates(
    network=1000, registry=1000, registry_connection=1000, hub=1000, hub_connection=100, apt=50, disk_write=4000,
    disk_read=4000, image_layers=(1, 1, 1), image_growth=2, layers_at_once=3, unpack=200, apt_update_seconds=6,
    docker_megabytes=100, docker_setup_seconds=20, toolkit_megabytes=10, toolkit_setup_seconds=5,
    docker_restart_seconds=2, container_seconds=3, engine_seconds=30, load=1000, compile_seconds=50, graph_seconds=20,
)  # fmt: skip


async def pulled_at(folder: Path, rates: Rates) -> float:
    clock = SteppedClock()
    host = a_host(folder, rates, clock)
    assert await clock.run(pull(host, called("docker", "pull", IMAGE), IMAGE)) == 0
    return clock.now()


async def test_layers_are_downloaded_side_by_side_and_unpacked_one_after_the_other(tmp_path: Path) -> None:
    """All are here after 3 s, and each takes 10 s to be unpacked."""
    assert await pulled_at(tmp_path, RATES) == 3 + 3 * 10


async def test_a_layer_is_unpacked_while_the_next_ones_are_downloaded(tmp_path: Path) -> None:
    """The first one is here after a second."""
    assert await pulled_at(tmp_path, RATES.model_copy(update={"layers_at_once": 1})) == 1 + 3 * 10


async def test_a_slow_registry_decides_how_long_a_pull_takes(tmp_path: Path) -> None:
    """They are here after 30 s; by then the first one could be unpacked only if it had come alone."""
    slow = RATES.model_copy(update={"registry": 100.0, "layers_at_once": 1})
    assert await pulled_at(tmp_path, slow) == 3 * 10 + 10


async def test_an_image_and_weights_that_come_at_the_same_time_share_the_network(tmp_path: Path) -> None:
    """Three layers and one file: 750 MB a second for the layers, so that they are here after 4 s."""
    clock = SteppedClock()
    host = a_host(tmp_path, RATES, clock)
    model = host.model
    assert model is not None

    async def both() -> None:
        weights = asyncio.ensure_future(model.move(10**12, {NETWORK, HUB}))
        await pull(host, called("docker", "pull", IMAGE), IMAGE)
        weights.cancel()

    await clock.run(both())
    assert clock.now() == 4 + 3 * 10


async def test_an_image_that_is_there_is_not_pulled_again(tmp_path: Path) -> None:
    clock = SteppedClock()
    host = a_host(tmp_path, RATES, clock)
    for _ in range(2):
        await clock.run(pull(host, called("docker", "pull", IMAGE), IMAGE))
    assert clock.now() == 33


async def test_packages_are_downloaded_and_set_up_once(tmp_path: Path) -> None:
    """6 s for the lists, 2 s for the download of docker.io, 20 s to set it up."""
    clock = SteppedClock()
    host = a_host(tmp_path, RATES, clock)
    await clock.run(apt_get(host, called("apt-get", "update")))
    for _ in range(2):
        await clock.run(apt_get(host, called("apt-get", "install", "-y", "docker.io")))
    assert clock.now() == 6 + 2 + 20


async def test_docker_takes_its_time_to_restart(tmp_path: Path) -> None:
    clock = SteppedClock()
    host = a_host(tmp_path, RATES, clock)
    await clock.run(systemctl(host, called("systemctl", "restart", "docker")))
    assert clock.now() == 2


def a_container(cache: Path | None, *arguments: str) -> Container:
    return Container(
        id=new_id(), name="worker", image=IMAGE, arguments=(MODEL, *arguments), environment={}, host_port=1,
        container_port=1, restarts=False, cache=cache, created_at=0.0,
    )  # fmt: skip


async def loaded_in(container: Container) -> tuple[float, list[float]]:
    """After how many seconds, and the shares that were told."""
    clock, told = SteppedClock(), list[float]()
    await clock.run(load(MachineModel(RATES, clock), container, told.append))
    return clock.now(), told


async def test_a_load_is_imports_download_read_compilation_and_graphs(tmp_path: Path) -> None:
    """Four files of 3.8 GB at 100 MB a second each, then all of them at 1000."""
    seconds, told = await loaded_in(a_container(tmp_path))
    assert round(seconds, 3) == round(3 + 30 + SHARD / 100e6 + BYTES / 1000e6 + 50 + 20, 3)
    assert (told[0], told[-1]) == (0.0, 1.0)
    assert told == sorted(told)


async def test_what_an_earlier_worker_has_compiled_is_not_compiled_again_if_it_was_kept(tmp_path: Path) -> None:
    kept, there = {"kernels": tmp_path / "kernels"}, a_container(tmp_path)
    lay(tmp_path, MODELS[MODEL])
    compiling, _ = await loaded_in(there)
    first, _ = await loaded_in(there.model_copy(update=kept))
    again, _ = await loaded_in(there.model_copy(update=kept))
    assert (first, again) == (compiling, first - 50 + 6)
    for changed in ({"image": "vllm/vllm-openai:v0.13.0"}, {"arguments": (MODEL, "--dtype", "half")}):
        assert (await loaded_in(there.model_copy(update=kept | changed)))[0] == first


async def test_weights_that_an_earlier_worker_has_left_are_not_downloaded(tmp_path: Path) -> None:
    first, _ = await loaded_in(a_container(tmp_path))
    again, _ = await loaded_in(a_container(tmp_path))
    assert round(first - again, 3) == round(SHARD / 100e6, 3)


def test_without_the_hub_a_worker_needs_all_files(tmp_path: Path) -> None:
    offline = a_container(tmp_path).model_copy(update={"environment": {"HF_HUB_OFFLINE": "1"}})
    assert "outgoing traffic has been disabled" in (why_not(offline) or "")
    lay(tmp_path, MODELS[MODEL])
    assert why_not(offline) is None
    (folder(tmp_path, MODELS[MODEL]) / "snapshots" / MODELS[MODEL].sha / "tokenizer.json").unlink()
    assert why_not(offline) is not None
    assert why_not(a_container(tmp_path)) is None


async def test_a_worker_that_may_not_ask_the_hub_and_has_no_files_says_so(tmp_path: Path) -> None:
    async def said() -> bool | None:
        return "outgoing traffic has been disabled" in log_of(machine) or None

    async with serving(tmp_path, environment={"HF_HUB_OFFLINE": "1"}, cache=tmp_path / "cache") as machine:
        assert await eventually(said)


async def test_weights_that_are_only_in_a_container_are_gone_with_it() -> None:
    assert await loaded_in(a_container(None)) == await loaded_in(a_container(None))


async def test_of_a_partial_snapshot_the_rest_is_downloaded(tmp_path: Path) -> None:
    lay(tmp_path, MODELS[MODEL])
    whole, _ = await loaded_in(a_container(tmp_path))
    snapshot = tmp_path / "hub" / "models--Qwen--Qwen2.5-7B-Instruct" / "snapshots" / MODELS[MODEL].sha
    with (snapshot / "model-00001-of-00004.safetensors").open("r+b") as file:
        file.truncate(10**9)
    partial, _ = await loaded_in(a_container(tmp_path))
    assert round(partial - whole, 3) == round(FILES["model-00001-of-00004.safetensors"] / 100e6, 3)


async def test_an_eager_worker_neither_compiles_nor_captures_graphs(tmp_path: Path) -> None:
    whole, _ = await loaded_in(a_container(tmp_path / "whole"))
    eager, _ = await loaded_in(a_container(tmp_path / "eager", "--enforce-eager"))
    assert round(whole - eager, 3) == 70


async def test_the_worker_tells_of_its_load_as_far_as_it_is_and_serves_at_the_end(tmp_path: Path) -> None:
    scenario = QUICK.model_copy(update={"rates": Rates(time_scale=1000)})
    async with serving(tmp_path, scenario=scenario) as machine:
        assert await eventually(lambda: health_of(machine)) == 200
        assert "Loading weights took" in log_of(machine)


async def test_a_worker_that_ends_while_it_loads_is_started_again(tmp_path: Path) -> None:
    """An hour of loading is left, for which nobody waits."""
    scenario = QUICK.model_copy(
        update={"rates": Rates(time_scale=1000, container_seconds=0, compile_seconds=3.6e6), "worker_fails_with": "No."}
    )

    async def again() -> bool | None:
        return log_of(machine).count("No.") > 1 or None

    async with serving(tmp_path, scenario=scenario) as machine:
        assert await eventually(again)


async def test_a_machine_with_rates_boots_in_its_own_time(tmp_path: Path) -> None:
    rates = Rates(time_scale=1000, boot_seconds=50)
    async with booted(tmp_path, QUICK.model_copy(update={"rates": rates, "ssh_up": 3600.0})) as machine:
        assert (await machine.run("nvidia-smi --query-gpu=compute_cap --format=csv,noheader")).stdout == "8.9\n"
