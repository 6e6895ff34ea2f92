"""The account on disk: written after every change, read when the simulator starts again."""

from datetime import datetime
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from simulator.cloud.account import Account
from simulator.cloud.catalog import SERVER_TYPES, BootImage
from simulator.cloud.resources import (
    Image,
    ImageState,
    Ip,
    Moment,
    SecurityGroup,
    Server,
    ServerState,
    Snapshot,
    Volume,
)

_FILE: Final = "account.json"


class BooksUnreadable(Exception):
    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} cannot be read; remove {path.parent} to begin with an empty simulated cloud.")


class SavedServer(BaseModel):
    """A server without its host and tasks. `terminating`: it is deleted once it has stopped."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    id: str
    name: str
    zone: str
    type: str
    image: BootImage
    security_group: str
    dynamic_ip_required: bool
    protected: bool
    tags: tuple[str, ...]
    state: ServerState
    mac_address: str
    user_data: dict[str, bytes]
    volumes: list[str]
    scratch: str | None = None
    ips: list[str]
    history: list[Moment]
    created_at: datetime
    modified_at: datetime
    terminating: bool

    @classmethod
    def of(cls, server: Server) -> Self:
        return cls.model_validate(
            {
                **{name: getattr(server, name) for name in cls.model_fields},
                "type": server.type.name,
                "security_group": server.security_group.id,
                "volumes": [volume.id for volume in server.volumes],
                "scratch": server.scratch and server.scratch.id,
                "ips": [ip.id for ip in server.ips],
            }
        )


class Saved(BaseModel):
    """The living resources, and the loopback network of their addresses."""

    network: str = ""
    servers: list[SavedServer] = []
    volumes: list[Volume] = []
    snapshots: list[Snapshot] = []
    images: list[Image] = []
    ips: list[Ip] = []
    security_groups: list[SecurityGroup] = []

    @classmethod
    def of(cls, account: Account, network: str) -> Self:
        return cls(
            network=network,
            servers=[SavedServer.of(server) for server in account.servers()],
            volumes=[volume for volume in account.all_volumes.values() if volume.deleted_at is None],
            snapshots=list(account.snapshots()),
            images=list(account.images()),
            ips=[ip for ip in account.all_ips.values() if ip.deleted_at is None],
            security_groups=list(account.security_groups()),
        )

    def restore(self, account: Account) -> None:
        """Fill a new account. Pending changes are done: lists show every tag, and volumes have grown.

        So are snapshots and images that were being made.
        """
        defaults = {group.zone for group in self.security_groups if group.project_default}
        for group in [group for group in account.security_groups() if group.zone in defaults]:
            del account.all_security_groups[group.id]
        for group in self.security_groups:
            group.listed_tags = group.tags
            account.add_security_group(group)
        living = {server.id for server in self.servers}
        for volume in self.volumes:
            volume.size, volume.growing_to = volume.growing_to or volume.size, None
            volume.server_id = volume.server_id if volume.server_id in living else None
            account.add_volume(volume)
        for snapshot in self.snapshots:
            snapshot.made, snapshot.held, snapshot.listed_tags = True, False, snapshot.tags
            account.add_snapshot(snapshot)
        for image in self.images:
            image.listed_tags = image.tags
            if image.state is ImageState.CREATING:
                image.state = ImageState.AVAILABLE
            account.add_image(image)
        for ip in self.ips:
            ip.server_id = ip.server_id if ip.server_id in living else None
            account.add_ip(ip)
        for server in self.servers:
            account.add_server(_restored(server, account))


class Books:
    """The file of one account. Without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / _FILE if folder else None

    def read(self) -> Saved:
        """Raises BooksUnreadable."""
        if self._path is None or not self._path.exists():
            return Saved()
        try:
            return Saved.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError) as error:
            raise BooksUnreadable(self._path) from error

    def write(self, account: Account, network: str) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._path.with_suffix(".new")
        draft.touch(mode=0o600)  # user-data holds the machines' host keys
        draft.write_text(Saved.of(account, network).model_dump_json())
        draft.replace(self._path)


def _restored(saved: SavedServer, account: Account) -> Server:
    return Server(
        type=SERVER_TYPES[saved.type],
        security_group=account.all_security_groups[saved.security_group],
        volumes=[account.all_volumes[volume] for volume in saved.volumes if volume in account.all_volumes],
        scratch=account.all_volumes.get(saved.scratch or ""),
        ips=[account.all_ips[ip] for ip in saved.ips if ip in account.all_ips],
        listed_tags=saved.tags,
        **saved.model_dump(exclude={"type", "image", "security_group", "volumes", "scratch", "ips", "history"}),
        image=saved.image,
        history=list(saved.history),
    )
