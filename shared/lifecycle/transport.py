"""How the control plane talks to a worker."""

from typing import Literal, TypeAlias

WorkerTls: TypeAlias = Literal["mutual", "off"]
"""`mutual`: over TLS, in which each side pins the certificate of the other; `off`: in plain HTTP."""
