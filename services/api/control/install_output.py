"""`/instances/{id}/logs`: the output of its install, as published, or of its worker, read now or kept at its end."""

from enum import StrEnum
from typing import Annotated, Any, Final

from litestar import Request, get
from litestar.params import FromPath, QueryParameter
from pydantic import BaseModel, ConfigDict

from services.api.access.api_keys import ApiKey
from services.api.admission.intents import Intents
from services.api.control.authorization import MEMBERS
from services.api.control.dependencies import Provided
from services.api.control.instances import identified
from services.api.control.worker_logs import WorkerLogs
from shared.install_output import MOST_LINES, InstallOutputs, OutputLine


class Source(StrEnum):
    INSTALL = "install"
    WORKER = "worker"


class Log(BaseModel):
    """All lines belong to one try of one attempt, oldest first; both are null before the first line.

    `machine` comes with the worker's lines: its container's state, GPUs, disks and memory, as commands print them. A
    worker has no `install_try`.
    """

    model_config = ConfigDict(frozen=True)
    items: tuple[OutputLine, ...] = ()
    attempt: int | None = None
    install_try: int | None = None
    machine: tuple[str, ...] = ()
    next_cursor: None = None


@get(
    "/instances/{instance_id:str}/logs",
    opt=MEMBERS,
    summary="Show what the install or the worker printed last",
    description="The install's lines: while it runs, about a second late, and for a week after; a further try begins "
    "anew. A line's `number` counts from 1 within its try. The worker's lines are read from its machine now; those of "
    "an ended instance were kept before its machine was released, for a week. Their `number` counts within the answer.",
)
async def logs(
    request: Request[Any, ApiKey, Any],
    instance_id: FromPath[str],
    intents: Provided[Intents],
    install_outputs: Provided[InstallOutputs],
    worker_logs: Provided[WorkerLogs],
    *,
    source: Annotated[Source, QueryParameter(description="Whose lines.")] = Source.INSTALL,
    tail: Annotated[int, QueryParameter(ge=1, le=MOST_LINES, description="How many lines at most.")] = MOST_LINES,
) -> Log:
    instance = await intents.load(identified(instance_id), request.auth)
    if source is Source.WORKER:
        worker = await worker_logs.of(instance)
        if worker is None:
            return Log()
        return Log(items=worker.lines[-tail:], attempt=worker.attempt, machine=worker.machine)
    output = await install_outputs.of(instance.id)
    if output is None:
        return Log()
    return Log(items=output.lines[-tail:], attempt=output.attempt, install_try=output.install_try)


ROUTES: Final = (logs,)
