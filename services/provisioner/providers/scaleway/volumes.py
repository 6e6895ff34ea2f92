"""Volumes. Block volumes outlive their server, detached. Local volumes belong to the instance API and cannot grow."""

from typing import Final
from uuid import UUID

from scaleway.block.v1 import Volume, VolumeStatus

from services.provisioner.provider import GIGABYTE, Rejected, Resource
from services.provisioner.providers.scaleway.errors import Busy, InUse, NotThere
from services.provisioner.providers.scaleway.sdk import PAGE_SIZE, Sdk, pages
from services.provisioner.providers.scaleway.tags import Tags, instance_in
from shared.reconciliation import Kind

CHANGING: Final = frozenset({VolumeStatus.CREATING, VolumeStatus.RESIZING, VolumeStatus.UPDATING})
"""A server whose volume is in one of these states cannot be powered on."""


class Volumes:
    def __init__(self, sdk: Sdk, tags: Tags) -> None:
        self._block = sdk.block
        self._instance = sdk.instance
        self._tags = tags

    def grow(self, zone: str, volume_id: str, size_gb: int, instance_id: UUID) -> bool:
        try:
            volume = self._block.get_volume(zone=zone, volume_id=volume_id)
        except NotThere:
            self._check_local(zone, volume_id, size_gb)
            return True
        size = max(volume.size, size_gb * GIGABYTE)
        if size > volume.size or not self._tags.borne(volume.tags, instance_id):
            volume = self._block.update_volume(
                zone=zone,
                volume_id=volume_id,
                size=size if size > volume.size else None,
                tags=list(dict.fromkeys((*volume.tags, *self._tags.of(instance_id)))),
            )
        return volume.status not in CHANGING

    def find(self, zone: str, instance_id: UUID) -> list[tuple[str, str]]:
        return [(volume.zone, volume.id) for volume in self._bearing(zone, instance_id)]

    def tagged(self, zone: str) -> list[Resource]:
        """All of this installation."""
        return [Resource(Kind.VOLUME, each.id, zone, instance_in(each.tags)) for each in self._bearing(zone)]

    def _bearing(self, zone: str, instance_id: UUID | None = None) -> list[Volume]:
        def page(number: int) -> tuple[list[Volume], int]:
            answer = self._block.list_volumes(
                include_deleted=False,
                zone=zone,
                tags=[self._tags.of_whom(instance_id)],
                page=number,
                page_size=PAGE_SIZE,
            )
            return answer.volumes, answer.total_count

        return [volume for volume in pages(page) if self._tags.borne(volume.tags, instance_id)]

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
