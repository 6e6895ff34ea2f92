"""Which host key a machine may prove itself with: number 0 comes with cloud-init, number 1 with the install."""

from typing import Final

from shared.lifecycle.instance import Instance
from shared.secrets import Secrets

ROTATED: Final = 1


def accepted_host_keys(secrets: Secrets, instance: Instance) -> list[str]:
    """Until the rotation is on record both, after it only the new one; of a machine that came with its own, only that.

    Never any other. Each in OpenSSH's format of one line.
    """
    if own := instance.resources.own_host_key:
        return [own]
    on_record = instance.resources.host_key
    numbers = (0, ROTATED) if on_record < ROTATED else (on_record,)
    return [secrets.host_key(instance.id, number).public for number in numbers]
