"""HTTP/1.1 towards workers, as little of it as a router needs: pooled, incremental, and gone at once when left.

No redirects, no content decoding, no cookies, no proxies: an answer is passed back, not understood.
"""

from services.api.upstream.answer import Answer
from services.api.upstream.client import Upstream
from services.api.upstream.errors import ConnectFailed, ConnectionLost, Silent, UpstreamError
from services.api.upstream.request import Address, Headers

__all__ = ["Address", "Answer", "ConnectFailed", "ConnectionLost", "Headers", "Silent", "Upstream", "UpstreamError"]
