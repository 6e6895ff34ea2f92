"""Where the body of a message is: in the stream, or beside the delivery."""

from typing import Final

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from services.webhooks.deliveries import Due
from shared.journal.direct_get import DirectGetFailed, direct_get
from shared.journal.streams import LIFECYCLE
from shared.webhooks import event_message, own_body

STREAM_ERRORS: Final = (DirectGetFailed, NatsError, OSError)


class EventGone(Exception):
    """The stream does not have the event any more."""


async def body_of(connection: Client, due: Due) -> bytes:
    """Raises EventGone, and STREAM_ERRORS while the stream cannot be read.

    A replica that lags may not have the event yet, so only the leader is believed that there is none.
    """
    if due.message is not None:
        return own_body(due.message)
    sequence = due.sequence or 0
    found = await direct_get(connection, {"seq": sequence})
    if found is None:
        try:
            data = (await connection.jetstream().get_msg(LIFECYCLE, seq=sequence)).data
        except NotFoundError:
            raise EventGone from None
        return event_message(data or b"{}", sequence)
    return event_message(found.data, sequence)
