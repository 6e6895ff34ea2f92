"""Where an install fails when a scenario asks for it: in the stand-in that its phase cannot do without."""

from typing import Final

PHASES: Final = frozenset(
    {"preflight", "host_key", "data_disk", "docker_install", "nvidia_toolkit", "image_pull", "weights", "worker_start"}
)
"""The phases that the stand-ins know how to fail in."""
