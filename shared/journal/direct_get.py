"""Reads one message of the stream by a direct get. Any replica may answer, and it may lag behind the leader.

https://docs.nats.io/nats-concepts/jetstream/streams#allowdirect
"""

import json
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from shared.journal.streams import LIFECYCLE

ANSWER_TIMEOUT_S: Final = 2.0
_NOT_FOUND: Final = "404"


class DirectGetFailed(Exception):
    """No answer, or one that is neither a message nor "not found"; the message says which."""


async def direct_get(connection: Client, request: dict[str, Any]) -> Msg | None:
    """The message that `request` asks for (`seq`, `last_by_subj`, `next_by_subj`, …); None if there is none.

    Its headers have `Nats-Sequence`, `Nats-Subject` and `Nats-Time-Stamp`. Raises DirectGetFailed.
    """
    try:
        answer = await connection.request(
            f"$JS.API.DIRECT.GET.{LIFECYCLE}", json.dumps(request).encode(), timeout=ANSWER_TIMEOUT_S
        )
    except (NatsError, OSError) as error:
        raise DirectGetFailed(repr(error)) from error
    headers = answer.headers or {}
    if headers.get("Status") == _NOT_FOUND:
        return None
    if "Nats-Sequence" not in headers:
        raise DirectGetFailed(headers.get("Description", "the stream gave no message and no reason"))
    return answer
