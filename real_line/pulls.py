"""What may happen while the image is pulled."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from real_line.line import Launch, Line, Wrong
from real_line.waiting import until
from services.provisioner.install.script import PHASES
from shared.lifecycle.status import Status

PULL_S: Final = 300
_FREE_MB: Final = 600
_DRIVER: Final = "/etc/nvidia-driver-version"


def forget_image(line: Line) -> None:
    """The next install pulls again, every layer."""
    line.machine.shell("! command -v docker >/dev/null || docker image prune --all --force")


def pulling(launch: Launch) -> None:
    """Waits until `docker pull` runs."""
    launch.reaches("image_pull", PULL_S)
    until(lambda: launch.line.machine.answers("pgrep", "--full", "docker pull"), "docker pull", 60)


def restarted_sshd(launch: Launch) -> str:
    """Every connection breaks in the middle of the pull: the install goes on, and is not begun again."""
    pulling(launch)
    launch.line.machine.shell("systemctl restart ssh; kill $(pgrep --full '^sshd: root')")
    launch.reaches("worker_start", PULL_S)
    failed = [row for row in launch.timeline() if row["type"] == "SshInstallFailed"]
    if failed or tuple(launch.phases()) != PHASES:
        raise Wrong(f"phases {launch.phases()}, failures {failed}")
    began = launch.line.machine.shell("cat /var/lib/coldstart/attempt-1-1.log").count("::phase::image_pull")
    return f"the same install went on; its pull was begun {began} time"


def terminated(launch: Launch) -> str:
    """A terminate in the middle of the pull ends the pull, too."""
    pulling(launch)
    launch.line.stack.api.delete(launch.path)
    launch.becomes(Status.TERMINATED, within_s=PULL_S)
    if launch.line.machine.answers("pgrep", "--full", "docker pull"):
        raise Wrong("docker pull still runs")
    return "terminated; no pull runs"


@contextmanager
def older_driver(line: Line) -> Iterator[None]:
    """Until the end of the block, the machine's driver is too old for CUDA 13."""
    line.machine.shell(f"echo 550.54.15 >{_DRIVER}")
    try:
        yield
    finally:
        line.machine("rm", _DRIVER)


def build_for_older_driver(launch: Launch) -> str:
    """The last of the version's tags is for it; where there is one build, it has to do."""
    wanted = launch.line.version.tags[-1]
    images = launch.line.machine("docker", "image", "ls", "--format", "{{.Tag}}").split()
    if images != [wanted]:
        raise Wrong(f"pulled {images}, not {wanted}")
    return wanted


def without_room(launch: Launch) -> str:
    """On a disk that is full from the start, nothing is pulled: the first try fails with both sizes."""
    (failed,) = until(lambda: _failures(launch), "a failed try", PULL_S)
    reason = str(failed["data"]["reason"])
    if "GB free, and the image" not in reason or launch.line.machine("docker", "image", "ls", "--quiet"):
        raise Wrong(reason)
    return f"“{reason}”"


def filled_disk(launch: Launch) -> str:
    """The disk fills up during the pull: that try fails with Docker's reason, and with room the next one succeeds."""
    pulling(launch)
    before = len(_failures(launch))
    with full_disk(launch.line):
        failed = until(lambda: _failures(launch)[before:], "another failed try", PULL_S)
    reason = str(failed[0]["data"]["reason"])
    if "no space left on device" not in reason:
        raise Wrong(reason)
    launch.reaches("worker_start", PULL_S)
    return f"“{reason[-160:]}”; with room, try {len(_failures(launch)) + 1} has succeeded"


@contextmanager
def full_disk(line: Line) -> Iterator[None]:
    """Until the end of the block, the machine's disk has some hundred megabytes free."""
    line.machine.shell(
        f"room=$(df --output=avail --block-size=1M / | tail -n 1); fallocate --length $((room - {_FREE_MB}))M /filler"
    )
    try:
        yield
    finally:
        line.machine("rm", "/filler")


def _failures(launch: Launch) -> list[dict[str, Any]]:
    return [row for row in launch.timeline() if row["type"] == "SshInstallFailed"]
