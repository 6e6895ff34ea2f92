"""What a machine holds after its instance has ended."""

from typing import Final

from real_line.line import Wrong
from real_line.machine import Machine

_LEFT: Final = """
docker ps --all --quiet
docker volume ls --quiet
find /var/lib/coldstart -mindepth 1 ! -name gate ! -name lock
find /var/lib/coldstart -mindepth 1 -size +0
ls -A /root | grep -vxE '\\.(ssh|bashrc|profile|docker)' || true
find /run /tmp /etc /usr/local -newer /etc/hostname -name '*coldstart*'
"""
"""Two empty lock files stay, as docs/providers.md says; so do Docker, its images, and models."""
_OURS: Final = ("pgrep", "--full", "coldstart|vllm")


def nothing_of_ours(machine: Machine) -> str:
    """Raises Wrong with the list of what is there."""
    with_docker = "command -v docker >/dev/null || docker() { :; }"
    left = [line for line in machine.shell(f"{with_docker}\n{_LEFT}").splitlines() if line]
    if machine.answers(*_OURS):
        left.append(machine(*_OURS, "--list-full"))
    if left:
        raise Wrong(f"left: {'; '.join(left)}")
    return "no container, volume, file or process"
