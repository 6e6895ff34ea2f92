"""What a worker has printed and what its machine tells of itself, over SSH: on request, and before a release."""

import asyncio
from contextlib import aclosing
from typing import Final

import structlog
from faststream.nats import NatsBroker
from nats.errors import Error as NatsError

from services.provisioner.action_context import Dependencies, now
from shared.docker import CONTAINER, STAMPED, STATE, moment
from shared.host_keys import accepted_host_keys
from shared.install_output import MOST_LINES, OutputLine
from shared.journal.errors import JournalUnavailable
from shared.lifecycle.errors import LifecycleError
from shared.lifecycle.events import SshInstallStarted
from shared.lifecycle.instance import Instance
from shared.machine import MachineError
from shared.worker_output import QUEUE, SUBJECT, WorkerOutput, WorkerOutputReply, WorkerOutputRequest

_MACHINE: Final = "::machine::"
COMMAND: Final = f"""
docker logs --timestamps --tail {MOST_LINES} {CONTAINER}
echo {_MACHINE}
show() {{ echo "$ $*"; timeout --kill-after=1 5 "$@"; }}
show {STATE}
show nvidia-smi --query-gpu=name,memory.used,memory.total,driver_version --format=csv,noheader
show df -h
show free -m
"""
_MOST_OF_THE_MACHINE: Final = 100
_WAITING: Final = 20
"""How many requests are answered at once."""

log = structlog.get_logger()


def has_worker(instance: Instance) -> bool:
    """Whether there is a machine that can be asked, on which an install has begun."""
    on = instance.ip_address is not None and instance.server_on and not instance.resources.server_gone
    return on and not instance.specification.builds_image and instance.reached(SshInstallStarted)


async def read_worker_output(dependencies: Dependencies, instance: Instance) -> WorkerOutput:
    """Raises MachineError, TimeoutError."""
    printed, machine = list[OutputLine](), list[str]()
    of_machine = False
    keys = accepted_host_keys(dependencies.secrets, instance)
    async with (
        asyncio.timeout(dependencies.settings.worker_output_seconds),
        dependencies.shell.open(instance.ip_address or "", keys) as session,
        aclosing(session.run(COMMAND, b"")) as said,
    ):
        async for line in said:
            if not isinstance(line, str):
                break
            text = dependencies.printable(line, instance.id, instance.attempt)
            if line.strip() == _MACHINE:
                of_machine = True
            elif of_machine:
                machine.append(text)
            elif (match := STAMPED.fullmatch(text)) and len(printed) < MOST_LINES and match[2].strip():
                at = moment(match[1]) or now()
                printed.append(OutputLine(number=len(printed) + 1, at=at, text=match[2]))
    return WorkerOutput(
        attempt=instance.attempt,
        lines=tuple(printed),
        machine=tuple(machine[:_MOST_OF_THE_MACHINE]),
        updated_at=now(),
    )


async def keep_worker_output(dependencies: Dependencies, instance: Instance) -> None:
    """Keep it before the machine is gone, once. A convenience: whatever fails, the release goes on."""
    if not has_worker(instance):
        return
    try:
        async with asyncio.timeout(dependencies.settings.worker_output_seconds):
            kept = await dependencies.worker_outputs.of(instance.id)
            if kept is None or kept.attempt != instance.attempt:
                output = await read_worker_output(dependencies, instance)
                await dependencies.worker_outputs.publish(instance.id, output)
    except (MachineError, NatsError, TimeoutError, OSError) as error:
        log.info("worker output not kept", instance_id=str(instance.id), reason=f"{type(error).__name__}: {error}")


class WorkerOutputOnDemand:
    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies

    def attach(self, broker: NatsBroker) -> None:
        """Subscribe to the requests; one of all subscribed processes answers each."""
        broker.subscriber(SUBJECT, queue=QUEUE, max_workers=_WAITING, title="provisioner-worker-output")(self.asked)

    async def asked(self, request: WorkerOutputRequest) -> WorkerOutputReply:
        try:
            instance = await self._dependencies.journal.load(request.instance_id)
            if not has_worker(instance):
                return WorkerOutputReply(reason="it has no machine with a worker now")
            return WorkerOutputReply(output=await read_worker_output(self._dependencies, instance))
        except (MachineError, TimeoutError, JournalUnavailable, LifecycleError) as error:
            words = f"its machine cannot be read: {str(error) or 'it did not answer in time'}"
            return WorkerOutputReply(reason=words)
