"""A worker's own output, and what its machine tells of itself: read on request while it lives, kept once it ends.

It is for people, and not part of the journal, as the install's output.
"""

from typing import Final
from uuid import UUID

from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.js import JetStreamContext
from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.install_output import KEPT_S, OutputLine, Outputs
from shared.plain_text import PlainText

BUCKET: Final = "worker_output"
SUBJECT: Final = "requests.worker_output"
QUEUE: Final = "provisioner"
"""The queue group: one of the provisioners answers."""


class WorkerUnreadable(Exception):
    """The worker's output cannot be read now; the message says why, for people."""


class WorkerOutput(BaseModel):
    """The last `MOST_LINES` lines of one attempt's worker, each with the time at which it was printed.

    `machine`: its exit state, the GPUs with their memory and driver, the disks, the memory, as commands print them.
    """

    model_config = ConfigDict(frozen=True)
    attempt: int
    lines: tuple[OutputLine, ...]
    machine: tuple[PlainText, ...]
    updated_at: AwareDatetime


class WorkerOutputs(Outputs[WorkerOutput]):
    """What was kept of each instance's worker before its release."""

    def __init__(self, jetstream: JetStreamContext, *, replicas: int) -> None:
        super().__init__(jetstream, BUCKET, WorkerOutput, replicas=replicas, kept_s=KEPT_S)


class WorkerOutputRequest(BaseModel):
    model_config = ConfigDict(frozen=True)
    instance_id: UUID


class WorkerOutputReply(BaseModel):
    """Either the output, or why there is none."""

    model_config = ConfigDict(frozen=True)
    output: WorkerOutput | None = None
    reason: PlainText = ""


async def request_worker_output(connection: Client, instance_id: UUID, timeout_s: float) -> WorkerOutput:
    """Have a provisioner read it from the machine, now. Raises WorkerUnreadable."""
    request = WorkerOutputRequest(instance_id=instance_id).model_dump_json().encode()
    try:
        answer = await connection.request(SUBJECT, request, timeout=timeout_s)
    except NoRespondersError:
        raise WorkerUnreadable("no provisioner is running") from None
    except TimeoutError:
        raise WorkerUnreadable(f"no answer within {timeout_s:g} s") from None
    reply = WorkerOutputReply.model_validate_json(answer.data)
    if reply.output is None:
        raise WorkerUnreadable(reply.reason)
    return reply.output
