"""The addresses of the real line, in a network namespace of its own: the control plane's end, and the machine's."""

from typing import Final

CONTROL: Final = "10.77.0.1"
"""Where the control plane, the hub and the clients are."""
MACHINE: Final = "10.77.0.2"
PREFIX: Final = 24
HUB_PORT: Final = 8090
HUB: Final = f"http://{CONTROL}:{HUB_PORT}"
FILES: Final = "10.77.0.3"
"""An address of the control plane's end, too: the host from which the hub's large files come."""
REGISTRY_PORT: Final = 5000
"""At the control plane's end. It stands in for Docker Hub; on the machine it is at this port of its own loopback."""
