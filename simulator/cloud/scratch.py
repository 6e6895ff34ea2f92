"""Scratch storage: one volume on the machine of a GPU server, made with the server, and erased by each full stop.

A creation asks for it as Scaleway's page "How to use scratch storage on H100 and L40S GPU Instances" says. Answers show
it as in terraform-provider-scaleway, server-scratch-storage, interactions 7 and 31-41, where a `terminate` deletes it.
"""

from simulator.cloud import errors
from simulator.cloud.catalog import ServerType
from simulator.cloud.requests import ScratchVolume
from simulator.cloud.resources import Server, Volume

SLOT = "1"


def check(kind: ServerType, wanted: dict[str, ScratchVolume]) -> None:
    """Raises ApiError for more than the type can have; the words are a guess."""
    for slot, volume in wanted.items():
        if slot != SLOT or volume.size > kind.scratch:
            most = f"at most {kind.scratch} bytes of scratch storage in slot {SLOT}"
            raise errors.invalid_argument("volumes", "constraint", f"{kind.name} has {most}")


def made(server: Server, wanted: dict[str, ScratchVolume]) -> Volume | None:
    """The volume of a new server."""
    for volume in wanted.values():
        return scratch_volume(volume, server.zone, server.id)
    return None


def scratch_volume(wanted: ScratchVolume, zone: str, server_id: str | None) -> Volume:
    return Volume(wanted.name, zone, wanted.size, block=False, server_id=server_id, scratch=True)


def slots(server: Server) -> dict[str, Volume]:
    """The server's volumes by slot: the boot volume in 0, scratch storage in 1, what was attached later behind them."""
    first = {} if server.scratch is None else {SLOT: server.scratch}
    others = {str(at and at + len(first)): volume for at, volume in enumerate(server.volumes)}
    return {**others, **first}
