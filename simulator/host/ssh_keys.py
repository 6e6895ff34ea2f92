"""How Scaleway's images write root's authorized_keys, and lose what anybody else has put into it.

Source: scaleway/image-tools, bases/overlay-common/usr/local/sbin/scw-fetch-ssh-keys, which runs before sshd at every
boot. Users report that installing packages runs it as well.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from simulator.host.disk import Disk

_TAG: Final = "AUTHORIZED_KEY="
_HEAD: Final = "#\n# WARNING: Automatically generated file\n# This file will be erased at every boot\n#\n"


def write_authorized_keys(
    disk: Disk, project_keys: Iterable[str], tags: Sequence[str], *, project_only: bool = False
) -> None:
    """Replace the file: the project's keys, those of the server's tags, and those in `instance_keys`."""
    tagged = [tag.removeprefix(_TAG).replace("_", " ") for tag in tags if tag.startswith(_TAG)]
    own = disk.instance_keys.read_text().splitlines() if disk.instance_keys.exists() else []
    others = [] if project_only else [*tagged, *(line for line in own if not line.startswith("#"))]
    disk.authorized_keys.touch(mode=0o600)
    disk.authorized_keys.write_text(_HEAD + "".join(f"{key}\n" for key in (*project_keys, *others)))
