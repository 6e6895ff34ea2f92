"""Creates the server, powered off, or adopts the one that an earlier, unfinished creation left."""

import time
from collections.abc import Sequence
from typing import Final

import structlog

from services.provisioner.action_context import ActionContext, now
from services.provisioner.actions.machine_images import MachineImages, booted_from
from services.provisioner.actions.volumes import note_volumes
from services.provisioner.cloud_init import cloud_init
from services.provisioner.provider import (
    SERVER_MISSING,
    MachineImageGone,
    Order,
    OutOfStock,
    Rejected,
    Server,
    TryAgain,
)
from services.provisioner.retry import persist
from shared.lifecycle.events import InstanceCreated, SecurityGroupFound
from shared.lifecycle.instance import Instance
from shared.lifecycle.wish import Findings, Wish
from shared.offers.candidates import candidates
from shared.offers.instance_types import InstanceType

OUT_OF_STOCK: Final = "out_of_stock"
NOTHING_OFFERED: Final = "nothing_offered"
UNKNOWN_ZONE: Final = "unknown_zone"
QUOTA_EXCEEDED: Final = "quota_exceeded"
NO_MACHINE_IMAGES: Final = "no_machine_images"
OF_ONE_CHOICE: Final = frozenset({UNKNOWN_ZONE, QUOTA_EXCEEDED, "unknown_instance_type", "image_not_found"})
"""Codes of refusals that concern one zone or type only."""

log = structlog.get_logger()


async def create(context: ActionContext) -> None:
    creation = _Creation(context)
    await persist(context, creation.once, choices=lambda: max(len(creation.possible), 1))


def choices(
    wish: Wish, found: Findings, zones: Sequence[str], offered: Sequence[InstanceType]
) -> list[tuple[str, str]]:
    """Every zone and type that may do, the most wanted first.

    A named type is tried in each of the zones, wherever it is said to be sold: the provider has the last word.
    """
    places = wish.zones or tuple(zones)
    named = [InstanceType(name=name, zones=places) for name in wish.instance_types]
    return [(one.zone, one.kind.name) for one in candidates(wish, found, named or offered, places)]


class _Creation:
    """`_unsure_until`: when an earlier order would certainly be visible; None if there certainly was none.

    `_groups`: each zone's security group for orders; `_refused`: refusals not reported yet; `_orders`: of the servers
    that this holder has ordered.
    """

    def __init__(self, context: ActionContext) -> None:
        self._context = context
        self.possible: list[tuple[str, str]] = []
        self._groups: dict[str, str] = {}
        self._refused: dict[str, Rejected] = {}
        self._unsure_until: float | None = self._settled_at() if context.lease.redelivered else None
        self._images = MachineImages(context)
        self._orders: dict[str, Order] = {}

    async def once(self) -> None:
        """One try: adopt an existing server, else order the first choice in stock."""
        instance = await self._context.guard()
        self._check_wanted(instance)
        known = await self._context.dependencies.offers.if_known(self._context.provider.name)
        self.possible = choices(instance.specification, instance.findings, self._context.provider.zones, known)
        offered = {kind.name: kind for kind in known}
        await self._prepared()
        servers = await self._adopted() or await self._ordered()
        for server in servers:
            kind = offered.get(server.instance_type)
            await self._context.record(
                InstanceCreated(
                    instance_id=self._context.instance_id,
                    occurred_at=now(),
                    server_id=server.id,
                    zone=server.zone,
                    instance_type=server.instance_type,
                    hourly_price=kind and kind.hourly_price,
                    currency=kind and kind.currency,
                    host_key=server.host_key,
                    machine_image=booted_from(await self._context.load(), self._orders.get(server.id), server.zone),
                )
            )
            await note_volumes(self._context, server)

    def _check_wanted(self, instance: Instance) -> None:
        wanted, provider = instance.specification, self._context.provider
        if wanted.builds_image and not provider.capabilities.machine_images:
            raise Rejected(NO_MACHINE_IMAGES, f"{provider.name} stores no machine images: choose another provider")
        if strange := [zone for zone in wanted.zones if zone not in provider.zones]:
            raise Rejected(UNKNOWN_ZONE, f"{', '.join(strange)} not used here: choose of {', '.join(provider.zones)}")

    async def _adopted(self) -> list[Server]:
        """Servers of an earlier creation, with cloud-init set again: that creation may have ended before setting it."""
        servers = await self._existing()
        for server in servers:
            instance = await self._context.guard()
            await self._context.provider.set_cloud_init(server.zone, server.id, self._cloud_init(instance))
        return servers

    def _cloud_init(self, instance: Instance) -> bytes:
        secrets = self._context.dependencies.secrets
        return cloud_init(secrets.host_key(instance.id, 0), secrets.ssh_client_key().public)

    async def _existing(self) -> list[Server]:
        """Servers of an earlier creation, the one to adopt first. While unsure, an empty list does not count yet.

        If nothing was ordered, nothing can exist: then a failed look does not delay the launch.
        """
        while True:
            counts = self._unsure_until is None or time.monotonic() >= self._unsure_until
            try:
                found = await self._context.provider.find_servers(self._context.instance_id)
            except TryAgain as error:
                if self._unsure_until is not None:
                    raise
                instance_id = str(self._context.instance_id)
                log.warning("ordering without a look for an earlier server", instance_id=instance_id, reason=str(error))
                return []
            if found or counts:
                return sorted(found, key=lambda server: server.id)
            await self._context.lease.sleep(self._context.settings.poll_seconds)
            await self._context.guard()

    async def _ordered(self) -> list[Server]:
        """Orders the first choice in stock. Raises Rejected if none is ever possible, TryAgain if one may be later."""
        refused: list[Rejected] = []
        reasons: list[str] = []
        self.possible = await self._choices()
        for number, (zone, instance_type) in enumerate(self.possible, start=1):
            outcome = await self._order(zone, instance_type)
            match outcome:
                case Server():
                    return [outcome]
                case OutOfStock():
                    code, reason = OUT_OF_STOCK, f"{instance_type} is out of stock in {zone}"
                case Rejected(code=code, message=message):
                    reason = f"{instance_type} in {zone}: {message}"
                    refused.append(outcome)
            reasons.append(reason)
            if number < len(self.possible):
                await self._context.delay(code, reason, 0.0)
        if len(refused) < len(self.possible):
            raise TryAgain(OUT_OF_STOCK, "; ".join(reasons))
        refusal = next((error for error in refused if error.code == QUOTA_EXCEEDED), refused[0])
        raise Rejected(refusal.code, "; ".join(reasons))

    async def _choices(self) -> list[tuple[str, str]]:
        """Raises Rejected if there is none, ProviderError."""
        instance, provider = await self._context.guard(), self._context.provider
        wanted, found = instance.specification, instance.findings
        offered = () if wanted.instance_types else await self._context.dependencies.offers.of(provider.name)
        possible = choices(wanted, found, provider.zones, offered)
        if not possible:
            places = ", ".join(wanted.zones or provider.zones)
            memory = "" if found.gpu_memory_gb is None else f" with {found.gpu_memory_gb:.1f} GB of GPU memory"
            price = "" if found.max_hourly_price is None else f" for {found.max_hourly_price:.2f} an hour at most"
            message = f"{provider.name} offers no GPU type{memory}{price} in {places}: choose other zones"
            raise Rejected(NOTHING_OFFERED, message)
        return possible

    async def _order(self, zone: str, instance_type: str) -> Server | OutOfStock | Rejected:
        """Returns Rejected if only this choice is refused. Raises ProviderError for everything else."""
        try:
            return await self._made(zone, instance_type, await self._group(zone))
        except Rejected as error:
            self._check_of_one_choice(error)
            return error

    def _check_of_one_choice(self, error: Rejected) -> None:
        """Raises the error if it concerns all choices."""
        if error.code not in OF_ONE_CHOICE:
            raise error

    async def _prepared(self) -> None:
        """Prepares everything that the first order needs, so that little time passes between the look and the order.

        Two overlapping holders order twice if neither can see the other's server yet.
        """
        await self._images.look()
        if self.possible:
            zone = self.possible[0][0]
            try:
                await self._group(zone)
            except Rejected as error:
                self._check_of_one_choice(error)
                self._refused[zone] = error

    async def _group(self, zone: str) -> str | None:
        """The group is recorded before a server is in it. It lets nothing in yet, so no machine is too open.

        A group in a zone that is out of stock stays empty until the release: another holder may be ordering there.
        """
        if not self._context.provider.capabilities.ports:
            return None
        if refused := self._refused.pop(zone, None):
            raise refused
        if zone not in self._groups:
            await self._context.guard()
            made = await self._context.provider.make_security_group(zone, self._context.instance_id)
            await self._context.record(
                SecurityGroupFound(instance_id=self._context.instance_id, occurred_at=now(), security_group_id=made)
            )
            self._groups[zone] = made
        return self._groups[zone]

    async def _made(self, zone: str, instance_type: str, security_group_id: str | None) -> Server | OutOfStock:
        """From the best machine image that the provider still boots, else from its plain one. Raises ProviderError."""
        while isinstance(outcome := await self._from_image(zone, instance_type, security_group_id), MachineImageGone):
            await self._images.note_unusable(outcome)
        return outcome

    async def _from_image(
        self, zone: str, instance_type: str, security_group_id: str | None
    ) -> Server | OutOfStock | MachineImageGone:
        machine_image = await self._images.choose(zone, instance_type)
        instance = await self._context.guard()
        order = Order(
            instance_id=instance.id,
            name=instance.specification.name,
            zone=zone,
            instance_type=instance_type,
            cloud_init=self._cloud_init(instance),
            security_group_id=security_group_id,
            client_key=self._context.dependencies.secrets.ssh_client_key().public,
            machine_image=machine_image,
        )
        self._unsure_until = self._settled_at()
        try:
            outcome = await self._context.provider.create_server(order)
        except TryAgain as error:
            if error.had_no_effect:
                self._unsure_until = None
            if error.code == SERVER_MISSING:  # somebody has deleted the group
                self._groups.pop(zone, None)
            raise
        except Rejected:
            self._unsure_until = None
            raise
        self._unsure_until = None
        if isinstance(outcome, Server):
            self._orders[outcome.id] = order
        return outcome

    def _settled_at(self) -> float:
        return time.monotonic() + self._context.settings.settle_seconds
