"""The host key that the install gives to a machine, seen in force."""

import time

import structlog

from services.provisioner.actions.servers import the_server
from services.provisioner.polling import looks
from services.provisioner.undertaking import Undertaking, now
from shared.host_keys import ROTATED, accepted_host_keys
from shared.lifecycle.events import HostKeyRotated
from shared.machine import Session, Unreachable

log = structlog.get_logger()


async def note_host_key(u: Undertaking, session: Session) -> bool:
    """Record the rotation once the machine has proved itself with the new key. Whether it has."""
    rotated = session.host_key == u.means.secrets.host_key(u.instance_id, ROTATED).public
    instance = await u.guard()
    if rotated and instance.resources.host_key < ROTATED:
        _, server_id = the_server(instance)
        await u.record(
            HostKeyRotated(instance_id=u.instance_id, occurred_at=now(), server_id=server_id, counter=ROTATED)
        )
    return rotated


async def see_new_host_key(u: Undertaking, patience_s: float) -> None:
    """Connect anew to see it in force; not seen within that time, both keys go on being accepted.

    A machine that came with its own keeps that. Raises WrongHostKey.
    """
    if (await u.guard()).resources.own_host_key is not None:
        return
    until = time.monotonic() + patience_s
    pauses = looks(u.settings.poll_seconds)
    while (instance := await u.guard()).resources.host_key < ROTATED and instance.ip_address is not None:
        try:
            async with u.means.shell.open(
                instance.ip_address, accepted_host_keys(u.means.secrets, instance)
            ) as session:
                if await note_host_key(u, session):
                    return
        except Unreachable as error:
            log.info("host key not seen", instance_id=str(u.instance_id), reason=str(error))
        if time.monotonic() >= until:
            return
        await u.lease.sleep(next(pauses))
