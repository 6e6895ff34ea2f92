"""Why access is refused.

Refused
├── KeyNeeded          the request has neither a valid key nor a session
├── TooManyWrongKeys   too many wrong keys came from its address
├── Unproven           the request has a session's cookie, but another page may have sent it
└── Forbidden          the key is valid, but it may not do that
"""

from services.api.refusals import Kind, Refused


class KeyNeeded(Refused, kind=Kind.UNAUTHENTICATED, code="unauthorized", title="A valid API key is needed"):
    pass


class TooManyWrongKeys(Refused, kind=Kind.LIMITED, code="too_many_wrong_keys", title="There were too many wrong keys"):
    pass


class Unproven(Refused, kind=Kind.FORBIDDEN, code="csrf_token_invalid", title="The request may come from another page"):
    pass


class Forbidden(Refused, kind=Kind.FORBIDDEN, code="forbidden", title="This key may not do that"):
    pass
