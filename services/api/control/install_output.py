"""`/instances/{id}/logs`: its install's output, as far as the provisioner has published it."""

from typing import Annotated, Any, Final

from litestar import Request, get
from litestar.params import FromPath, QueryParameter
from pydantic import BaseModel, ConfigDict

from services.api.access.api_keys import ApiKey
from services.api.admission.intents import Intents
from services.api.control.authorization import MEMBERS
from services.api.control.dependencies import Provided
from services.api.control.instances import identified
from shared.install_output import MOST_LINES, InstallOutputs, OutputLine


class Log(BaseModel):
    """All lines belong to one try of one attempt, oldest first; both are null before the first line."""

    model_config = ConfigDict(frozen=True)
    items: tuple[OutputLine, ...] = ()
    attempt: int | None = None
    install_try: int | None = None
    next_cursor: None = None


@get(
    "/instances/{instance_id:str}/logs",
    opt=MEMBERS,
    summary="Show what the install printed last",
    description="While it runs, about a second late, and for a week after; a further try begins anew. A line's `number`"
    " counts from 1 within its try. What vLLM prints later is not in it.",
)
async def logs(
    request: Request[Any, ApiKey, Any],
    instance_id: FromPath[str],
    intents: Provided[Intents],
    install_outputs: Provided[InstallOutputs],
    tail: Annotated[int, QueryParameter(ge=1, le=MOST_LINES, description="How many lines at most.")] = MOST_LINES,
) -> Log:
    instance = await intents.load(identified(instance_id), request.auth)
    output = await install_outputs.of(instance.id)
    if output is None:
        return Log()
    return Log(items=output.lines[-tail:], attempt=output.attempt, install_try=output.install_try)


ROUTES: Final = (logs,)
