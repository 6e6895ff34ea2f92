"""One's own machines, reached over SSH: no cloud, no bill, and a claim on the machine instead of a tag."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Final

from services.provisioner.providers.machines.settings import MachinesSettings
from services.provisioner.providers.registration import MakeProvider, ProviderContext, Registration
from shared.environment import from_environment

if TYPE_CHECKING:
    from services.provisioner.providers.machines.inventory import Inventory

_FILE: Final = "COLDSTART_MACHINES"


def _make(context: ProviderContext) -> MakeProvider:
    from services.provisioner.providers.machines.inventory import inventory_at  # noqa: PLC0415  SSH loads slowly

    return making(partial(inventory_at, from_environment(MachinesSettings).machines), context)


def making(read: "Callable[[], Inventory]", context: ProviderContext) -> MakeProvider:
    """`read` raises InventoryInvalid."""
    from services.provisioner.providers.machines.provider import MachinesProvider  # noqa: PLC0415  SSH loads slowly

    return lambda installation: nullcontext(MachinesProvider(read, installation, context.shell, context.call_timeout_s))


REGISTRATION: Final = Registration(
    name="machines",
    variables=(_FILE,),
    settings=MachinesSettings,
    title=lambda environment: f"machines in {environment[_FILE]}",
    in_words=_FILE,
    needed=f"{_FILE} for machines of your own",
    make=_make,
)
