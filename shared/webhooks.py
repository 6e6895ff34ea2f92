"""What webhooks are made of, for those who declare them and those who deliver: messages, signatures, the wake-up call.

Messages and signatures are those of the Standard Webhooks specification 1.0.0
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
"""

import base64
import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

CHANNEL: Final = "webhooks_changed"
"""PostgreSQL's NOTIFY: there is something to deliver, or an endpoint was changed."""
SECRET_MARK: Final = "whsec_"  # noqa: S105  the mark, not a secret
TEST_TYPE: Final = "WebhookTest"
SWITCHED_OFF_TYPE: Final = "WebhookSwitchedOff"
NOTICES: Final = (SWITCHED_OFF_TYPE,)
"""Types of messages that are in no stream, and that a filter may name."""


def secret_text(key: bytes) -> str:
    """A signing key as receivers configure it."""
    return SECRET_MARK + base64.b64encode(key).decode()


def signed_headers(message_id: str, at: datetime, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The three headers of a message; a signature for each key, the newest first."""
    seconds = str(int(at.timestamp()))
    signed = b".".join((message_id.encode(), seconds.encode(), body))
    signatures = (base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def event_message(event: bytes, sequence: int) -> bytes:
    """The body for an event of the stream: its CloudEvent, with what the specification calls for.

    `timestamp` repeats `time`. `sequence` is the event's place in the stream, as a string: CloudEvents' extension of
    that name (https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/sequence.md).
    """
    cloud_event = json.loads(event)
    cloud_event |= {"timestamp": cloud_event["time"], "sequence": str(sequence)}
    return _json(cloud_event)


def own_message(message_id: str, kind: str, subject: str, at: datetime, data: dict[str, Any]) -> dict[str, Any]:
    """A message that is in no stream, in the shape of those that are: a test, or a notice about a webhook."""
    time = at.isoformat()
    return {
        "specversion": "1.0",
        "id": message_id,
        "source": "/coldstart/webhooks",
        "type": kind,
        "subject": subject,
        "time": time,
        "timestamp": time,
        "datacontenttype": "application/json",
        "data": data,
    }


def own_body(message: dict[str, Any]) -> bytes:
    return _json(message)


def _json(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
