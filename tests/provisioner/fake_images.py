"""The machine images of the cloud in memory: snapshots that take a while, images of them, tags that show late."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from uuid import UUID

from services.provisioner.provider import MachineImage, Resource
from shared.reconciliation import Kind


@dataclass
class Snapshot:
    """`image_id`: the image that was made of it last, and was deleted at `freed_at`."""

    zone: str
    volume_id: str
    builder_id: UUID
    size_gb: int
    made_at: float
    image_id: str | None = None
    freed_at: float | None = None


@dataclass
class Stored:
    """`snapshot_id`: what it was made of."""

    image: MachineImage
    snapshot_id: str
    made_at: float


@dataclass
class FakeImages:
    """`snapshot_s`: a snapshot is made for so long. `tags_s`: the tags of either show so long after its creation.

    `held_s`: a snapshot is in use so long after its image was deleted.
    """

    snapshot_s: float = 0.0
    tags_s: float = 0.0
    held_s: float = 0.0
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    stored: dict[str, Stored] = field(default_factory=dict)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def store(self, snapshot: Snapshot, labels: Mapping[str, str]) -> MachineImage | None:
        """Of the disk that the snapshot would be of, unless there is one already."""
        for stored in self.stored.values():
            if self.snapshots[stored.snapshot_id].volume_id == snapshot.volume_id:
                return stored.image
        of_it = [each for each, known in self.snapshots.items() if known.volume_id == snapshot.volume_id]
        snapshot_id = of_it[0] if of_it else f"snapshot-{next(self._numbers)}"
        made = self.snapshots.setdefault(snapshot_id, snapshot)
        if self._making(made):
            return None
        image = MachineImage(
            id=f"image-{snapshot_id}",
            zone=made.zone,
            builder_id=made.builder_id,
            created_at=datetime.now(UTC),
            size_gb=made.size_gb,
            labels=dict(labels),
            available=True,
        )
        made.image_id = image.id
        self.stored[image.id] = Stored(image, snapshot_id, time.monotonic())
        return image

    def of(self, builder_id: UUID) -> MachineImage | None:
        return next((each.image for each in self.stored.values() if each.image.builder_id == builder_id), None)

    def booting(self, zone: str, image_id: str) -> MachineImage | None:
        stored = self.stored.get(image_id)
        return stored.image if stored and stored.image.zone == zone and stored.image.available else None

    def break_image(self, image_id: str) -> None:
        """It is there, and no server boots from it any more."""
        stored = self.stored[image_id]
        stored.image = replace(stored.image, available=False)

    def listed(self) -> list[MachineImage]:
        visible = time.monotonic() - self.tags_s
        return [stored.image for stored in self.stored.values() if stored.made_at <= visible]

    def unused_snapshots(self) -> list[Resource]:
        visible, used = time.monotonic() - self.tags_s, {stored.snapshot_id for stored in self.stored.values()}
        return [
            Resource(Kind.DISK_SNAPSHOT, snapshot_id, snapshot.zone, snapshot.builder_id)
            for snapshot_id, snapshot in self.snapshots.items()
            if snapshot_id not in used and snapshot.made_at <= visible
        ]

    def delete_image(self, zone: str, image_id: str) -> bool:
        """Again and again, until the snapshot may go as well."""
        stored = self.stored.get(image_id)
        if stored is not None and stored.image.zone == zone:
            del self.stored[image_id]
            self.snapshots[stored.snapshot_id].freed_at = time.monotonic()
        left = next((each for each, snapshot in self.snapshots.items() if snapshot.image_id == image_id), None)
        return left is None or self.delete_snapshot(zone, left)

    def delete_snapshot(self, zone: str, snapshot_id: str) -> bool:
        snapshot = self.snapshots.get(snapshot_id)
        if snapshot is None or snapshot.zone != zone:
            return True
        held = snapshot.freed_at is not None and time.monotonic() < snapshot.freed_at + self.held_s
        needed = any(stored.snapshot_id == snapshot_id for stored in self.stored.values())
        if self._making(snapshot) or held or needed:
            return False
        del self.snapshots[snapshot_id]
        return True

    def _making(self, snapshot: Snapshot) -> bool:
        return time.monotonic() < snapshot.made_at + self.snapshot_s
