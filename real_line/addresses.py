"""The addresses of the real line, in a network namespace of its own: the control plane's end, and the machine's."""

from typing import Final

CONTROL: Final = "10.77.0.1"
"""Where the control plane, the hub and the clients are."""
MACHINE: Final = "10.77.0.2"
PREFIX: Final = 24
HUB_PORT: Final = 8090
HUB: Final = f"http://{CONTROL}:{HUB_PORT}"
REGISTRY_PORT: Final = 5000
"""On the machine's own loopback: it stands in for Docker Hub."""
