"""Why there is no answer from a worker, or no more of it."""


class UpstreamError(Exception):
    """
    UpstreamError
    ├── ConnectFailed    refused, unreachable, or no connection in time: nothing was sent
    ├── ConnectionLost   broken off, or no HTTP, before the answer's end
    └── Silent           not one byte from the worker for too long
    """  # noqa: D205, D212, D400, D415  the tree is the sentence


class ConnectFailed(UpstreamError): ...


class ConnectionLost(UpstreamError): ...


class Silent(UpstreamError): ...
