"""Stores the boot disk of a sealed machine as a machine image. Its release follows from that."""

import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final

from services.provisioner.action_context import ActionContext, now
from services.provisioner.actions.servers import present, the_server
from services.provisioner.polling import looks
from services.provisioner.provider import MachineImage, Power, TryAgain
from services.provisioner.removal import STILL_ON
from services.provisioner.retry import in_time, persist
from shared.lifecycle.events import MachineImageStored, MachineSealed
from shared.lifecycle.instance import Instance

TYPE: Final = "type"
VLLM: Final = "vllm"
MODEL: Final = "model"
COMMIT: Final = "commit"
ARGUMENTS: Final = "arguments"


async def store_image(context: ActionContext) -> None:
    limit_s = context.settings.store_image_seconds

    async def once() -> None:
        instance = await context.guard()
        await _power_off(context, *the_server(instance))
        sealed = await _sealed(context)
        labels = labels_of(context, instance, sealed)
        image = await _stored(context, labels, limit_s)
        await context.conclude(
            MachineImageStored(
                instance_id=instance.id,
                occurred_at=now(),
                image_id=image.id,
                zone=image.zone,
                instance_type=labels[TYPE],
                vllm_image=labels[VLLM],
                model=labels.get(MODEL),
                commit=labels.get(COMMIT),
                warmed=sealed.warmed,
                not_warmed_because=sealed.not_warmed_because,
                size_gb=image.size_gb,
                monthly_price=image.monthly_price,
                currency=image.currency,
            )
        )

    await persist(context, once, deadline_s=limit_s)


def arguments_label(vllm_args: Sequence[str]) -> str:
    """Tells vLLM's arguments apart; a label has no spaces and is short. Pure."""
    return sha256("\0".join(vllm_args).encode()).hexdigest()[:16]


def labels_of(context: ActionContext, instance: Instance, sealed: MachineSealed) -> Mapping[str, str]:
    """What launches know the image by. The vLLM image is the one that was asked for, whichever build of it is there.

    The commit is the one that the machine has fetched, if the admission did not find out.
    """
    wish = instance.specification
    labels = {
        TYPE: instance.instance_type,
        VLLM: wish.image or context.settings.image_for(instance.instance_type),
        MODEL: wish.model,
        COMMIT: wish.model and (instance.findings.commit or sealed.commit),
        ARGUMENTS: wish.model and arguments_label(wish.vllm_args),
    }
    return {name: value for name, value in labels.items() if value}


async def _sealed(context: ActionContext) -> MachineSealed:
    """The fact that this action follows from."""
    history = context.dependencies.journal.history(context.instance_id)
    return [recorded.event async for recorded in history if isinstance(recorded.event, MachineSealed)][-1]


async def _power_off(context: ActionContext, zone: str, server_id: str) -> None:
    """Returns once it is off. What is still in memory then goes with it: it was never on the disk."""
    patience = time.monotonic() + context.settings.power_off_seconds
    pauses = looks(context.settings.poll_seconds)
    while (server := present(await context.provider.get_server(zone, server_id))).power is not Power.OFF:
        if server.power is not Power.STOPPING:
            await context.guard()
            await context.provider.power_off(zone, server_id)
        if time.monotonic() > patience:
            raise TryAgain(STILL_ON, f"server {server_id} is still {server.power}")
        await context.lease.sleep(next(pauses))


async def _stored(context: ActionContext, labels: Mapping[str, str], limit_s: float) -> MachineImage:
    """The same image however often this is asked. Returns once servers can be created from it."""
    pauses = looks(context.settings.poll_seconds)
    while True:
        instance = await context.guard()
        zone, server_id = the_server(instance)
        image = await context.provider.store_image(zone, server_id, instance.id, instance.specification.name, labels)
        if image is not None and image.available:
            return image
        in_time(context, "the machine image", limit_s)
        await context.lease.sleep(next(pauses))
