"""Why a worker's answer did not come, or broke off."""


class UpstreamError(Exception):
    """
    UpstreamError
    ├── ConnectFailed    refused, unreachable, or no connection in time: nothing was sent
    ├── ConnectionLost   it broke off, or was not HTTP, before the answer's end
    ├── Silent           no byte from the worker for too long
    └── Stopping         this process is stopping
    """  # noqa: D205, D212, D400, D415  the tree is the sentence


class ConnectFailed(UpstreamError): ...


class ConnectionLost(UpstreamError): ...


class Silent(UpstreamError): ...


class Stopping(UpstreamError): ...
