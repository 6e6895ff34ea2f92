"""A machine belongs to one instance of one installation, whoever else asks and whenever."""

import asyncio
import dataclasses
import shlex
import socket
from uuid import UUID, uuid4

import asyncssh
import pytest

from services.provisioner.install.proxies import Proxies
from services.provisioner.install.script import SUPERSEDED, InstallJob, stdin_of
from services.provisioner.provider import Order, OutOfStock, Rejected, Server, Silent, TryAgain
from services.provisioner.providers.machines import claims
from services.provisioner.providers.machines.provider import MachinesProvider
from services.provisioner.weights.source import WeightsFile, WeightsList
from shared.machine import Exited
from shared.secrets import Secrets
from tests.provisioner.machines.conftest import SHELL, listed, provider_of
from tests.simulator.host.machines import WORKER_PORT, Machine, eventually, new_key, replace_tool

SECRETS = Secrets("a master secret of at least thirty-two characters")


def order(instance_id: UUID | None = None, *, instance_type: str = "own", zone: str = "own") -> Order:
    return Order(instance_id or uuid4(), "mine", zone, instance_type, b"")


def job(claimed_by: UUID, attempt: int = 1) -> InstallJob:
    return InstallJob(
        attempt=attempt, attempt_try=1, image="vllm/vllm-openai:v0.32.0", model="Qwen/Qwen2.5-0.5B-Instruct",
        task="generate", worker_port=WORKER_PORT, api_key=f"key-of-{claimed_by}", claimed_by=claimed_by,
        certificates=SECRETS.worker_certificates(claimed_by, attempt), proxies=Proxies("http://us:secret@proxy:3128"),
    )  # fmt: skip


async def claimed(provider: MachinesProvider, instance_id: UUID | None = None) -> Server:
    server = await provider.create_server(order(instance_id))
    assert isinstance(server, Server)
    return server


async def installed(machine: Machine, wanted: InstallJob) -> int:
    key = machine.host_key.export_public_key().decode()
    async with SHELL.open(machine.address, [key]) as session:
        said = [line async for line in session.run("bash -s", stdin_of(wanted))]
    assert isinstance(said[-1], Exited), said
    return said[-1].status


def files_of(machine: Machine) -> dict[str, str]:
    """The files that we keep on the machine: content by name."""
    state = machine.host.disk.root / "var/lib/coldstart"
    return {path.name: path.read_text() for path in state.rglob("*") if path.is_file()}


async def test_two_instances_race_for_one_machine_and_one_is_told_that_there_is_none(boxes: list[Machine]) -> None:
    provider = provider_of(listed(boxes[0], "desk"))
    outcomes = await asyncio.gather(*(provider.create_server(order()) for _ in range(5)))
    assert [type(outcome) for outcome in outcomes].count(Server) == 1
    assert outcomes.count(OutOfStock("own", "own")) == 4
    assert set(files_of(boxes[0])) == {"claim"}


async def test_a_second_machine_is_taken_when_the_first_one_is_not_free(boxes: list[Machine]) -> None:
    provider = provider_of(listed(boxes[0], "desk"), listed(boxes[1], "shelf"))
    first, second = await claimed(provider), await claimed(provider)
    assert (first.ip_address, second.ip_address) == (boxes[0].address, boxes[1].address)
    assert await provider.create_server(order()) == OutOfStock("own", "own")


async def test_of_two_installations_one_has_the_machine_and_the_other_sees_only_that_it_is_taken(
    boxes: list[Machine],
) -> None:
    ours, theirs = provider_of(listed(boxes[0], "desk")), provider_of(listed(boxes[0], "desk"))
    server = await claimed(ours)
    assert isinstance(server.instance_id, UUID)
    assert await theirs.create_server(order()) == OutOfStock("own", "own")
    assert list(await theirs.tagged_servers()) == list(await theirs.find_servers(server.instance_id)) == []
    (foreign,) = await theirs.foreign_servers()
    assert (foreign.id, foreign.instance_id) == ("desk", server.instance_id)
    assert foreign.installation not in {None, server.instance_id}
    assert list(await ours.foreign_servers()) == []
    assert await theirs.get_server("own", server.id) is None
    await theirs.delete_server("own", server.id)
    assert await ours.get_server("own", server.id) == server


async def test_a_creation_that_nobody_recorded_is_adopted(boxes: list[Machine], installation: UUID) -> None:
    machines = [listed(box, name) for box, name in zip(boxes, ("desk", "shelf"), strict=True)]
    instance_id = uuid4()
    lost = await claimed(provider_of(*machines, installation=installation), instance_id)
    restarted = provider_of(*reversed(machines), installation=installation)
    assert list(await restarted.find_servers(instance_id)) == [lost]
    assert await restarted.create_server(order(instance_id)) == lost
    assert list(await restarted.tagged_servers()) == [lost]


async def test_a_machine_that_does_not_answer_is_never_taken_for_one_that_says_no(boxes: list[Machine]) -> None:
    provider = provider_of(listed(boxes[0], "desk"), call_timeout_s=2.0)
    server = await claimed(provider)
    assert isinstance(server.instance_id, UUID)
    await boxes[0].host.stop()
    for call in (
        provider.get_server("own", server.id),
        provider.find_servers(server.instance_id),
        provider.delete_server("own", server.id),
        provider.create_server(order()),
    ):
        with pytest.raises(TryAgain, match=r"machine_unreachable.*desk"):
            await call
    (kind,) = await provider.instance_types()
    assert kind.availability == {"own": "shortage"}


async def test_one_machine_that_is_off_keeps_nobody_from_the_other(boxes: list[Machine]) -> None:
    provider = provider_of(listed(boxes[0], "desk"), listed(boxes[1], "shelf"))
    await boxes[0].host.stop()
    server = await claimed(provider)
    assert server.ip_address == boxes[1].address
    assert list(await provider.tagged_servers()) == [server]
    with pytest.raises(TryAgain, match="machine_unreachable") as unheard:
        await provider.create_server(order())
    assert unheard.value.had_no_effect
    with pytest.raises(Silent, match="machine_unreachable"):
        await provider.find_servers(uuid4())


async def test_a_machine_with_another_host_key_is_asked_nothing(boxes: list[Machine]) -> None:
    strange = new_key().export_public_key().decode()
    provider = provider_of({**listed(boxes[0], "desk"), "host_key": strange})
    with pytest.raises(TryAgain, match="host_key_mismatch"):
        await provider.create_server(order())
    assert files_of(boxes[0]) == {}


async def test_a_type_that_no_machine_has_is_refused(boxes: list[Machine]) -> None:
    provider = provider_of(listed(boxes[0], "desk"))
    with pytest.raises(Rejected, match="unknown_instance_type"):
        await provider.create_server(order(instance_type="other"))


async def test_a_released_machine_keeps_no_secret_and_the_next_instance_really_installs(boxes: list[Machine]) -> None:
    provider = provider_of(listed(boxes[0], "desk"))
    first = await claimed(provider)
    assert isinstance(first.instance_id, UUID)
    assert await installed(boxes[0], job(first.instance_id)) == 0
    contents = boxes[0].host.disk.contents
    worker = contents.containers["coldstart-worker"].id
    assert contents.enabled_units == {"coldstart-worker-watchdog.service"}
    assert list(boxes[0].host.disk.root.glob("**/coldstart-site.conf"))
    cached = boxes[0].host.disk.root / "mnt/data/huggingface"
    assert cached.exists()
    assert SECRETS.worker_certificates(first.instance_id, 1).worker.private_key in files_of(boxes[0]).values()
    await provider.delete_server("own", first.id)
    assert not (boxes[0].host.disk.root / "var/lib/coldstart/tls").exists()
    assert "coldstart-worker" not in boxes[0].host.disk.contents.containers
    assert files_of(boxes[0]) == {"gate": "", "lock": ""}
    assert not contents.enabled_units
    assert not [
        path for name in ("watchdog", "coldstart-site") for path in boxes[0].host.disk.root.glob(f"**/*{name}*")
    ]
    assert cached.exists()
    second = await claimed(provider)
    assert isinstance(second.instance_id, UUID)
    assert await installed(boxes[0], job(second.instance_id)) == 0
    assert boxes[0].host.disk.contents.containers["coldstart-worker"].id != worker
    await provider.delete_server("own", first.id)
    assert await provider.get_server("own", second.id) == second


async def test_an_install_that_comes_too_late_finds_the_machine_in_other_hands(boxes: list[Machine]) -> None:
    provider = provider_of(listed(boxes[0], "desk"))
    gone = await claimed(provider)
    assert isinstance(gone.instance_id, UUID)
    await provider.delete_server("own", gone.id)
    assert await installed(boxes[0], job(gone.instance_id)) == SUPERSEDED
    await claimed(provider)
    assert await installed(boxes[0], job(gone.instance_id, attempt=9)) == SUPERSEDED
    assert set(files_of(boxes[0])) <= {"claim", "gate", "lock"}
    assert boxes[0].host.disk.contents.containers == {}


async def test_a_release_ends_an_install_that_runs_and_its_download(boxes: list[Machine]) -> None:
    boxes[0].host.scenario = boxes[0].scenario.model_copy(update={"image_pull": 600.0})
    provider = provider_of(listed(boxes[0], "desk"))
    server = await claimed(provider)
    assert isinstance(server.instance_id, UUID)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/model.safetensors"
        weights = WeightsList("c" * 40, (WeightsFile("model.safetensors", 10, "a" * 64, url),))
        wanted = dataclasses.replace(job(server.instance_id), weights=weights)
        await _released_in_the_pull(boxes[0], wanted, provider, server)
    assert files_of(boxes[0]) == {"gate": "", "lock": ""}
    assert not (boxes[0].host.disk.root / "var/lib/coldstart/weights").exists()


async def _released_in_the_pull(
    machine: Machine, wanted: InstallJob, provider: MachinesProvider, server: Server
) -> None:
    async with machine.connected() as connection:
        process = await connection.create_process("bash -s", stderr=asyncssh.STDOUT)
        process.stdin.write(stdin_of(wanted).decode())
        process.stdin.write_eof()
        async with asyncio.timeout(120):
            while "image_pull" not in await process.stdout.readline():
                pass
        await provider.delete_server("own", server.id)
        await process.wait_closed()
    assert process.returncode == SUPERSEDED


@pytest.mark.parametrize("line", ["", "not ids at all", "{installation} not-an-id"])
async def test_a_claim_that_nobody_can_read_is_a_claim(boxes: list[Machine], installation: UUID, line: str) -> None:
    provider = provider_of(listed(boxes[0], "desk"), installation=installation)
    state = boxes[0].host.disk.root / "var/lib/coldstart"
    state.mkdir(parents=True)
    (state / "claim").write_text(line.format(installation=installation))
    assert await provider.create_server(order()) == OutOfStock("own", "own")
    assert list(await provider.tagged_servers()) == []


async def test_a_claim_that_nobody_could_look_for_is_not_taken_for_none(boxes: list[Machine]) -> None:
    provider = provider_of(listed(boxes[0], "desk"))
    server = await claimed(provider)
    replace_tool(boxes[0], "ls", "echo 'Input/output error' >&2; exit 2")
    for call in (provider.get_server("own", server.id), provider.delete_server("own", server.id)):
        with pytest.raises(TryAgain, match=r"machine_failed.*Input/output error"):
            await call


async def test_a_container_that_docker_still_makes_when_its_client_was_killed_is_not_left(boxes: list[Machine]) -> None:
    """Seen with Docker 20.10: a release in the second of `docker run` listed no container, and left one."""
    box, provider = boxes[0], provider_of(listed(boxes[0], "desk"))
    server = await claimed(provider)
    assert isinstance(server.instance_id, UUID)
    asked, go = box.host.disk.folder / "asked", box.host.disk.folder / "go"
    box.host.disk.install_command("docker")
    daemon = f"""exec 9>&-; touch {asked}; until [[ -e {go} ]]; do sleep 0.05; done; exec "$0" "$@\""""
    replace_tool(
        box, "docker", f'[[ $1 == run ]] || exec "$real" "$@"\nsetsid bash -c {shlex.quote(daemon)} "$real" "$@" & wait'
    )
    installing = asyncio.create_task(installed(box, job(server.instance_id)))
    await eventually(lambda: asyncio.to_thread(lambda: asked.exists() or None))
    with pytest.raises(TryAgain, match="install_still_running"):
        await provider.delete_server("own", server.id)
    go.touch()
    await asyncio.wait([installing])
    await provider.delete_server("own", server.id)
    assert box.host.disk.contents.containers == {}
    assert files_of(box) == {"gate": "", "lock": ""}


@pytest.mark.parametrize("left", ["", "1 1", "\0\0\0"])
async def test_a_machine_is_given_back_whatever_a_power_cut_left_of_the_marker(boxes: list[Machine], left: str) -> None:
    provider = provider_of(listed(boxes[0], "desk"))
    server = await claimed(provider)
    (boxes[0].host.disk.root / "var/lib/coldstart/marker").write_text(left)
    await provider.delete_server("own", server.id)
    assert set(files_of(boxes[0])) == {"gate", "lock"}


async def test_a_machine_that_is_still_claimed_is_not_taken_for_given_back(
    boxes: list[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = provider_of(listed(boxes[0], "desk"))
    server = await claimed(provider)
    monkeypatch.setattr(claims, "_SCRIPT", claims._SCRIPT.replace("give_back) give_back ;;", ""))
    with pytest.raises(TryAgain, match="still claimed"):
        await provider.delete_server("own", server.id)
