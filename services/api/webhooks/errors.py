"""Refusals about webhooks."""

from services.api.refusals import Kind, Refused


class WebhookUnknown(Refused, kind=Kind.NOT_FOUND, code="webhook_not_found", title="There is no such webhook"):
    """It does not exist, or not for this key."""


class TooManyWebhooks(Refused, kind=Kind.CONFLICT, code="too_many_webhooks", title="There are too many webhooks"):
    pass


class WebhookOff(Refused, kind=Kind.CONFLICT, code="webhook_switched_off", title="The webhook is switched off"):
    pass


class StreamUnreadable(
    Refused, kind=Kind.UNAVAILABLE, code="stream_unreadable", title="The event stream cannot be read now"
):
    pass
