"""HTTP/1.1 towards workers, with only what a router needs: pooled, incremental, and closed at once when abandoned.

No redirects, no content decoding, no cookies, no proxies: an answer is passed on without interpreting it.
"""

from services.api.upstream.answer import Answer
from services.api.upstream.client import Upstream
from services.api.upstream.errors import ConnectFailed, ConnectionLost, Silent, Stopping, UpstreamError
from services.api.upstream.request import Address, Headers

__all__ = [
    "Address",
    "Answer",
    "ConnectFailed",
    "ConnectionLost",
    "Headers",
    "Silent",
    "Stopping",
    "Upstream",
    "UpstreamError",
]
