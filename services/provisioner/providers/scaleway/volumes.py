"""Volumes. Block volumes outlive their server, detached. Local volumes belong to the instance API and cannot grow."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from scaleway.block.v1 import Volume, VolumeStatus
from scaleway.instance.v1 import Volume as LocalVolume
from scaleway.instance.v1 import VolumeVolumeType

from services.provisioner.provider import GIGABYTE, Rejected, Resource
from services.provisioner.providers.scaleway.errors import Busy, InUse, NotThere
from services.provisioner.providers.scaleway.images import Images
from services.provisioner.providers.scaleway.products import Products
from services.provisioner.providers.scaleway.sdk import PAGE_SIZE, Sdk, pages
from services.provisioner.providers.scaleway.tags import Tags, instance_in
from shared.reconciliation import Kind

CHANGING: Final = frozenset({VolumeStatus.CREATING, VolumeStatus.RESIZING, VolumeStatus.UPDATING})
"""A server whose volume is in one of these states cannot be powered on."""

SCRATCH_SUFFIX: Final = "-scratch"
"""What an order adds to its server's name to name its scratch storage."""


class Volumes:
    def __init__(self, sdk: Sdk, tags: Tags, products: Products, images: Images) -> None:
        self._project_id = sdk.project_id
        self._products = products
        self._images = images
        self._block = sdk.block
        self._instance = sdk.instance
        self._tags = tags

    def grow(self, zone: str, volume_id: str, size_gb: int, instance_id: UUID) -> bool:
        """A volume that was told to grow is `updating`, and shows its old size for a while."""
        try:
            volume = self._block.get_volume(zone=zone, volume_id=volume_id)
        except NotThere:
            self._check_local(zone, volume_id, size_gb)
            return True
        if volume.status in CHANGING:
            return False
        size = max(volume.size, size_gb * GIGABYTE)
        if size > volume.size or not self._tags.borne(volume.tags, instance_id):
            volume = self._block.update_volume(
                zone=zone,
                volume_id=volume_id,
                size=size if size > volume.size else None,
                tags=list(dict.fromkeys((*volume.tags, *self._tags.of(instance_id)))),
            )
        return volume.status not in CHANGING and volume.size >= size

    def find(self, zone: str, instance_id: UUID) -> list[tuple[str, str]]:
        return [(volume.zone, volume.id) for volume in self._bearing(zone, instance_id)]

    def tagged(self, zone: str) -> list[Resource]:
        """All of this installation."""
        return [Resource(Kind.VOLUME, each.id, zone, instance_in(each.tags)) for each in self._bearing(zone)]

    def left_over(self, zone: str) -> list[Resource]:
        """Untagged and attached to nothing: an order that was out of stock may leave the volumes that it asks for.

        A boot volume is known by the snapshot of an image of ours, scratch storage by the name that an order gives it.
        """
        snapshots = self._products.snapshots(zone) | self._images.snapshot_ids(zone)
        boot = [
            volume.id
            for volume in (self._listed(zone) if snapshots else ())
            if volume.parent_snapshot_id in snapshots and not volume.tags and not volume.references
        ]
        scratch = [
            volume.id
            for volume in self._scratch(zone)
            if volume.name.endswith(SCRATCH_SUFFIX) and not volume.tags and volume.server is None
        ]
        return [Resource(Kind.VOLUME, each, zone, None) for each in (*boot, *scratch)]

    def _scratch(self, zone: str) -> Iterable[LocalVolume]:
        """The project's."""

        def page(number: int) -> tuple[list[LocalVolume], int]:
            answer = self._instance.list_volumes(
                zone=zone,
                project=self._project_id,
                volume_type=VolumeVolumeType.SCRATCH,
                page=number,
                per_page=PAGE_SIZE,
            )
            return answer.volumes, answer.total_count

        return pages(page)

    def _bearing(self, zone: str, instance_id: UUID | None = None) -> list[Volume]:
        listed = self._listed(zone, self._tags.of_whom(instance_id))
        return [volume for volume in listed if self._tags.borne(volume.tags, instance_id)]

    def _listed(self, zone: str, tag: str | None = None) -> list[Volume]:
        """The project's, or only those with the tag."""

        def page(number: int) -> tuple[list[Volume], int]:
            answer = self._block.list_volumes(
                include_deleted=False,
                zone=zone,
                project_id=None if tag else self._project_id,
                tags=[tag] if tag else None,
                page=number,
                page_size=PAGE_SIZE,
            )
            return answer.volumes, answer.total_count

        return list(pages(page))

    def delete(self, zone: str, volume_id: str) -> bool:
        """Whether it is gone. The id does not say which of the two APIs knows it."""
        try:
            try:
                self._block.delete_volume(zone=zone, volume_id=volume_id)
            except NotThere:
                self._instance.delete_volume(zone=zone, volume_id=volume_id)
        except NotThere:
            return True
        except (InUse, Busy):
            return False
        return True

    def _check_local(self, zone: str, volume_id: str, size_gb: int) -> None:
        volume = self._instance.get_volume(zone=zone, volume_id=volume_id).volume
        if volume is None or volume.size < size_gb * GIGABYTE:
            raise Rejected(
                "volume_cannot_grow",
                "this type boots from a local volume, which cannot grow: choose one that boots from block storage",
            )
