"""A file of machines that is not there, wrong or changed, and machines that do not answer: nothing counts as gone."""

from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from services.provisioner.check import checked
from services.provisioner.provider import TryAgain
from services.provisioner.providers.machines.inventory import inventory_at
from services.provisioner.providers.machines.provider import MachinesProvider
from shared.offers.provider_status import CheckOutcome, ProviderCheck, reason_of
from tests.provisioner.machines.conftest import CALL_TIMEOUT_S, SHELL, listed, provider_of
from tests.simulator.host.machines import Machine


def provider_from(path: Path) -> MachinesProvider:
    return MachinesProvider(partial(inventory_at, path), uuid4(), SHELL, CALL_TIMEOUT_S)


def written(path: Path, *machines: dict[str, object]) -> None:
    tables = ("\n".join(f'{name} = "{str(value).strip()}"' for name, value in machine.items()) for machine in machines)
    path.write_text("".join(f"[[machine]]\n{table}\n" for table in tables))


def outcomes(checks: tuple[ProviderCheck, ...]) -> dict[str, CheckOutcome]:
    return {check.subject: check.outcome for check in checks}


async def test_a_file_that_is_not_there_is_told_and_read_once_it_is(tmp_path: Path, boxes: list[Machine]) -> None:
    path = tmp_path / "machines.toml"
    provider = provider_from(path)
    checks = await checked(provider, provider.instance_types)
    assert reason_of(checks) == f"COLDSTART_MACHINES: {path} cannot be read: No such file or directory"
    written(path, listed(boxes[0], "desk"))
    checks = await checked(provider, provider.instance_types)
    assert reason_of(checks) is None
    assert list(provider.zones) == ["own"]


async def test_until_the_file_can_be_read_every_call_may_succeed_later_and_no_server_is_gone(tmp_path: Path) -> None:
    provider = provider_from(tmp_path / "machines.toml")
    instance = uuid4()
    with pytest.raises(TryAgain):
        await provider.get_server("own", f"desk/{instance}")
    with pytest.raises(TryAgain):
        await provider.find_servers(instance)
    with pytest.raises(TryAgain):
        await provider.tagged_servers()
    with pytest.raises(TryAgain):
        await provider.delete_server("own", f"desk/{instance}")
    with pytest.raises(TryAgain):
        provider.zones  # noqa: B018  a property


async def test_a_file_that_changes_or_goes_limits_since_it_is_used_as_it_was(
    tmp_path: Path, boxes: list[Machine]
) -> None:
    path = tmp_path / "machines.toml"
    written(path, listed(boxes[0], "desk"))
    provider = provider_from(path)
    assert outcomes(await provider.check())["file"] is CheckOutcome.PASSED
    written(path, listed(boxes[0], "desk"), listed(boxes[1], "shelf"))
    (file, machines) = await provider.check()
    assert (file.outcome, machines.detail) == (CheckOutcome.LIMITED, "1 answer")
    assert file.detail.startswith("it has changed: restart the provisioner")
    path.unlink()
    (file, _) = await provider.check()
    assert file.outcome is CheckOutcome.LIMITED
    assert "cannot be read: No such file or directory; until a restart it is used as it was" in file.detail


async def test_a_machine_that_does_not_answer_limits_and_if_none_does_nothing_can_be_launched(
    boxes: list[Machine],
) -> None:
    desk, shelf = boxes
    provider = provider_of(listed(desk, "desk"), listed(shelf, "shelf"))
    await shelf.host.destroy()
    machines = (await provider.check())[1]
    assert machines.outcome is CheckOutcome.LIMITED
    assert machines.detail.startswith("machine shelf: ")
    await desk.host.destroy()
    assert outcomes(await provider.check())["machines"] is CheckOutcome.FAILED
