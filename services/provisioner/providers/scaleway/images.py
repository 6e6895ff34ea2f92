"""Machine images: a block snapshot of the builder's boot volume, and an image of the instance API made of that.

Neither is looked for by its tags while its builder is there, since those may show late: the volume leads to its
snapshots, and they lead to their image.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from math import inf
from typing import Final, TypeVar
from uuid import UUID

from scaleway.block.v1 import Snapshot, SnapshotStatus
from scaleway.instance.v1 import Arch, Image, ImageState
from scaleway.instance.v1 import Server as ScalewayServer

from services.provisioner.provider import GIGABYTE, SERVER_MISSING, MachineImage, Rejected, Resource, TryAgain
from services.provisioner.providers.scaleway.errors import Busy, InUse, NoImage, NotThere
from services.provisioner.providers.scaleway.sdk import PAGE_SIZE, Sdk, pages
from services.provisioner.providers.scaleway.tags import Tags, instance_in, labels_in, of_image, of_labels
from shared.reconciliation import Kind

BOOT_SLOT: Final = "0"
OFF: Final = "stopped"
READY: Final = frozenset({SnapshotStatus.AVAILABLE, SnapshotStatus.IN_USE})
FAILED: Final = "machine_image_failed"
_MAKING: Final = frozenset({SnapshotStatus.CREATING, SnapshotStatus.EXPORTING})

T = TypeVar("T")


class Images:
    def __init__(self, sdk: Sdk, tags: Tags) -> None:
        self._project_id = sdk.project_id
        self._instance = sdk.instance
        self._block = sdk.block
        self._tags = tags

    def store(
        self, zone: str, server_id: str, builder_id: UUID, name: str, labels: Mapping[str, str]
    ) -> MachineImage | None:
        """Does the next step of those that are left, if any can be done now."""
        name, server = f"{name}-{builder_id}", self._server(zone, server_id)
        snapshots = self._made_of(zone, server, builder_id, name)
        known = self._image_of(zone, builder_id, snapshots)
        if known is not None:
            return self._finished(known)
        if server is None:
            raise TryAgain(SERVER_MISSING, "the builder's server is gone before its disk was stored")
        if server.state != OFF:
            raise Busy("wrong_state", f"the builder's server is {server.state}, and only one that is off is stored")
        tags = [*self._tags.of(builder_id), *of_labels(labels)]
        snapshot = self._usable(zone, snapshots)
        if snapshot is None:
            snapshot = self._block.create_snapshot(
                zone=zone,
                volume_id=_boot_volume(server),
                name=name,
                project_id=self._project_id,
                tags=tags,
                public=False,
            )
        if snapshot.status not in READY:
            return None
        made = self._instance.create_image(
            zone=zone, name=name, root_volume=snapshot.id, arch=Arch.X86_64, project=self._project_id, tags=tags,
            public=False,
        ).image  # fmt: skip
        return None if made is None else self._finished(made)

    def every(self, zone: str) -> list[MachineImage]:
        """The images of this installation."""
        images = [image for image in self._images(zone, self._tags.installation) if self._tags.borne(image.tags)]
        snapshots = {each.id: each for each in self._bearing(zone)} if images else {}
        return [_shown(image, snapshots.get(_snapshot_id(image)) or self._snapshot_of(image)) for image in images]

    def delete(self, zone: str, image_id: str) -> bool:
        """Its snapshot is tagged with its id first, so that whoever asks again finds what is left."""
        image = self._found(zone, image_id)
        if image is None:
            gone = [self.delete_snapshot(zone, each.id) for each in self._left_of(zone, image_id)]
            return all(gone)
        if not self._tags.borne(image.tags):
            raise Rejected("invalid_request", f"image {image_id} is not this installation's")
        snapshot = self._snapshot_of(image)
        if snapshot is not None and of_image(image_id) not in snapshot.tags:
            tags = [*snapshot.tags, of_image(image_id)]
            self._block.update_snapshot(zone=zone, snapshot_id=snapshot.id, tags=tags)
        with suppress(NotThere, NoImage):
            self._instance.delete_image(zone=zone, image_id=image_id)
        return snapshot is None or self.delete_snapshot(zone, snapshot.id)

    def delete_snapshot(self, zone: str, snapshot_id: str) -> bool:
        """Whether it is gone: refused while it is being made, while an image needs it, and for some seconds after."""
        try:
            self._block.delete_snapshot(zone=zone, snapshot_id=snapshot_id)
        except NotThere:
            return True
        except (InUse, Busy):
            return False
        return True

    def unused(self, zone: str) -> list[Resource]:
        """Snapshots of this installation that no image needs."""
        snapshots = [each for each in self._bearing(zone) if not each.references]
        used = {_snapshot_id(image) for image in self._images(zone)} if snapshots else set()
        return [
            Resource(Kind.DISK_SNAPSHOT, each.id, zone, instance_in(each.tags))
            for each in snapshots
            if each.id not in used
        ]

    def snapshot_ids(self, zone: str) -> frozenset[str]:
        """Of everything that servers of this installation may have booted from, beside the plain image."""
        return frozenset(each.id for each in self._bearing(zone))

    def _left_of(self, zone: str, image_id: str) -> list[Snapshot]:
        """The snapshots of an image that is gone. The list may not show its tag yet, so each is asked for."""
        ids = [each.id for each in self._bearing(zone) if not each.references]
        asked = (self._snapshot(zone, each) for each in ids)
        return [each for each in asked if each is not None and of_image(image_id) in each.tags]

    def _made_of(self, zone: str, server: ScalewayServer | None, builder_id: UUID, name: str) -> list[Snapshot]:
        """The builder's snapshots, the oldest first. Somebody else's of the same disk has another name."""
        found = {each.id: each for each in self._bearing(zone, builder_id)}
        if server is not None and BOOT_SLOT in server.volumes:
            of_disk = self._snapshots(zone, volume_id=_boot_volume(server))
            found |= {each.id: each for each in of_disk if each.name == name}
        return sorted(found.values(), key=lambda each: (_age(each.created_at), each.id))

    def _image_of(self, zone: str, builder_id: UUID, snapshots: Sequence[Snapshot]) -> Image | None:
        """The builder's oldest image, as it is now."""
        ids = {each.id for each in snapshots}
        listed = [
            image
            for image in self._images(zone)
            if _snapshot_id(image) in ids or self._tags.borne(image.tags, builder_id)
        ]
        oldest = sorted(listed, key=lambda image: (_age(image.creation_date), image.id))
        return next(filter(None, (self._found(zone, image.id) for image in oldest)), None)

    def _finished(self, image: Image) -> MachineImage | None:
        """Deletes it and raises TryAgain if it has failed."""
        if image.state == ImageState.ERROR:
            self.delete(image.zone, image.id)
            raise TryAgain(FAILED, "the cloud could not make the image: it is made again")
        shown = _shown(image, self._snapshot_of(image))
        return shown if shown.available else None

    def _usable(self, zone: str, snapshots: Iterable[Snapshot]) -> Snapshot | None:
        """Deletes those that have failed; raises TryAgain if there was no other."""
        known = list(snapshots)
        failed = [each for each in known if each.status == SnapshotStatus.ERROR]
        for each in failed:
            self.delete_snapshot(zone, each.id)
        good = [each for each in known if each.status in READY | _MAKING]
        if failed and not good:
            raise TryAgain(FAILED, "the cloud could not make the snapshot: it is made again")
        return good[0] if good else None

    def _server(self, zone: str, server_id: str) -> ScalewayServer | None:
        return _if_there(lambda: self._instance.get_server(zone=zone, server_id=server_id).server)

    def _found(self, zone: str, image_id: str) -> Image | None:
        return _if_there(lambda: self._instance.get_image(zone=zone, image_id=image_id).image)

    def _snapshot(self, zone: str, snapshot_id: str) -> Snapshot | None:
        return _if_there(lambda: self._block.get_snapshot(zone=zone, snapshot_id=snapshot_id))

    def _snapshot_of(self, image: Image) -> Snapshot | None:
        return self._snapshot(image.zone, _snapshot_id(image))

    def _bearing(self, zone: str, builder_id: UUID | None = None) -> list[Snapshot]:
        listed = self._snapshots(zone, tag=self._tags.of_whom(builder_id))
        return [each for each in listed if self._tags.borne(each.tags, builder_id)]

    def _snapshots(self, zone: str, tag: str | None = None, volume_id: str | None = None) -> list[Snapshot]:
        """The project's with this tag, or of this volume."""

        def page(number: int) -> tuple[list[Snapshot], int]:
            answer = self._block.list_snapshots(
                include_deleted=False,
                zone=zone,
                tags=[tag] if tag else None,
                volume_id=volume_id,
                page=number,
                page_size=PAGE_SIZE,
            )
            return answer.snapshots, answer.total_count

        every = pages(page)
        return [s for s in every if volume_id is None or (s.parent_volume and s.parent_volume.id == volume_id)]

    def _images(self, zone: str, tag: str | None = None) -> list[Image]:
        """The project's, or only those with the tag."""

        def page(number: int) -> tuple[list[Image], int]:
            answer = self._instance.list_images(
                zone=zone, project=self._project_id, tags=tag, page=number, per_page=PAGE_SIZE
            )
            return answer.images, answer.total_count

        return pages(page)


def _if_there(get: Callable[[], T]) -> T | None:
    try:
        return get()
    except (NotThere, NoImage):
        return None


def _boot_volume(server: ScalewayServer) -> str:
    """Raises TryAgain until it is there."""
    if BOOT_SLOT not in server.volumes:
        raise Busy("wrong_state", "the builder's boot volume is not there yet")
    return server.volumes[BOOT_SLOT].id


def _age(made_at: datetime | None) -> float:
    """The smaller, the older."""
    return made_at.timestamp() if made_at else inf


def _snapshot_id(image: Image) -> str:
    return image.root_volume.id if image.root_volume else ""


def _shown(image: Image, snapshot: Snapshot | None) -> MachineImage:
    """The instance API tells no size of an image whose snapshot is the block API's."""
    if image.creation_date is None:
        raise TryAgain("bad_answer", f"image {image.id} has no date")
    return MachineImage(
        id=image.id,
        zone=image.zone,
        builder_id=instance_in(image.tags),
        created_at=image.creation_date,
        size_gb=round(snapshot.size / GIGABYTE) if snapshot else 0,
        labels=labels_in(image.tags),
        available=image.state == ImageState.AVAILABLE and snapshot is not None,
    )
