"""Confirms that the host key which the install gave to a machine is in force."""

import time

import structlog

from services.provisioner.action_context import ActionContext, now
from services.provisioner.actions.servers import the_server
from services.provisioner.polling import looks
from shared.host_keys import ROTATED, accepted_host_keys
from shared.lifecycle.events import HostKeyRotated
from shared.machine import Session, Unreachable

log = structlog.get_logger()


async def note_host_key(context: ActionContext, session: Session) -> bool:
    """Record the rotation if the machine has proved itself with the new key. Returns whether it has."""
    rotated = session.host_key == context.dependencies.secrets.host_key(context.instance_id, ROTATED).public
    instance = await context.guard()
    if rotated and instance.resources.host_key < ROTATED:
        _, server_id = the_server(instance)
        await context.record(
            HostKeyRotated(instance_id=context.instance_id, occurred_at=now(), server_id=server_id, counter=ROTATED)
        )
    return rotated


async def see_new_host_key(context: ActionContext, patience_s: float) -> None:
    """Connect again to see the new key. If it is not seen in that time, both keys stay accepted.

    A machine with its own key keeps it. Raises WrongHostKey.
    """
    if (await context.guard()).resources.own_host_key is not None:
        return
    until = time.monotonic() + patience_s
    pauses = looks(context.settings.poll_seconds)
    while (instance := await context.guard()).resources.host_key < ROTATED and instance.ip_address is not None:
        try:
            async with context.dependencies.shell.open(
                instance.ip_address, accepted_host_keys(context.dependencies.secrets, instance)
            ) as session:
                if await note_host_key(context, session):
                    return
        except Unreachable as error:
            log.info("host key not seen", instance_id=str(context.instance_id), reason=str(error))
        if time.monotonic() >= until:
            return
        await context.lease.sleep(next(pauses))
