"""Which host keys are accepted from a machine: number 0 comes with cloud-init, number 1 with the install."""

from typing import Final

from shared.lifecycle.instance import Instance
from shared.secrets import Secrets

ROTATED: Final = 1


def accepted_host_keys(secrets: Secrets, instance: Instance) -> list[str]:
    """Both until the rotation is recorded, then only the new one; for a machine with its own key, only that.

    Each in OpenSSH's format of one line.
    """
    if own := instance.resources.own_host_key:
        return [own]
    on_record = instance.resources.host_key
    numbers = (0, ROTATED) if on_record < ROTATED else (on_record,)
    return [secrets.host_key(instance.id, number).public for number in numbers]
