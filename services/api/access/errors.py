"""Why access is refused.

Refused
├── KeyNeeded          the request comes with no valid key, and with no session
├── TooManyWrongKeys   so many wrong keys came from its address that this one gets no answer
├── Unproven           a session's cookie came, with a request that its own page may not have sent
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
