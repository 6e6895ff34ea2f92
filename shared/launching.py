"""The scaler asks an api to launch a replica, as a person would: the same admission, the same limits."""

import asyncio
from typing import Final, Literal
from uuid import UUID

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from pydantic import BaseModel, ConfigDict

from shared.plain_text import PlainText

SUBJECT: Final = "requests.launch"
QUEUE: Final = "api"
"""The queue group: one of the apis answers."""
AGAIN_AFTER_S: Final = 4.0


class LaunchUnanswered(Exception):
    """No api runs, or it did not answer in time. The replica may be launched all the same: its id is the same again."""


class LaunchRequest(BaseModel):
    """The api reads what to launch from the deployment itself."""

    model_config = ConfigDict(frozen=True)
    deployment_id: UUID
    instance_id: UUID


class LaunchReply(BaseModel):
    """`unwanted`: the deployment does not have this replica (any more). `code` and `message` say why it was refused."""

    model_config = ConfigDict(frozen=True)
    outcome: Literal["launched", "refused", "unwanted"]
    code: str | None = None
    message: PlainText | None = None


async def request_launch(
    connection: Client, request: LaunchRequest, timeout_s: float, again_after_s: float = AGAIN_AFTER_S
) -> LaunchReply:
    """Raises LaunchUnanswered.

    An api that is killed while it judges says nothing. So the question is put again after a while, to whichever api the
    queue group chooses, and the first answer counts.
    """
    question, asked = request.model_dump_json().encode(), set[asyncio.Task[Msg]]()
    until = asyncio.get_running_loop().time() + timeout_s
    pauses_s = iter((again_after_s, 2 * again_after_s))
    try:
        while True:
            left_s = max(until - asyncio.get_running_loop().time(), 0.0)
            asked.add(asyncio.create_task(connection.request(SUBJECT, question, timeout=left_s)))
            answered, _ = await asyncio.wait(asked, timeout=next(pauses_s, None), return_when=asyncio.FIRST_COMPLETED)
            if answered:
                return LaunchReply.model_validate_json(answered.pop().result().data)
    except NoRespondersError:
        raise LaunchUnanswered("no api is running") from None
    except TimeoutError:
        raise LaunchUnanswered(f"no answer within {timeout_s:g} s") from None
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
