"""What shows later than its call was answered: boot volumes, snapshots, images, tags in lists, sizes, detachments."""

import asyncio

from simulator.cloud.account import Account
from simulator.cloud.background import Background
from simulator.cloud.failures import Scenarios
from simulator.cloud.resources import (
    Image,
    ImageState,
    SecurityGroup,
    Server,
    Snapshot,
    Volume,
    boot_volume,
    now,
)
from simulator.scenario import Scenario


class Belated:
    def __init__(self, account: Account, scenarios: Scenarios, background: Background) -> None:
        self._account = account
        self._scenarios = scenarios
        self._begin = background.begin

    def boot_volume(self, server: Server) -> None:
        """At once or later, as the scenario says."""
        scenario = self._scenarios.of(server.tags).scenario
        if scenario.boot_volume:
            self._begin(self._make_boot_volume(server, scenario))
        else:
            self._add_boot_volume(server)

    def tags(self, tagged: Server | SecurityGroup | Snapshot | Image) -> None:
        self._begin(self._list_tags(tagged, self._scenarios.of(tagged.tags).scenario.tag_visible))

    def size(self, volume: Volume, size: int) -> None:
        volume.growing_to = size
        server = self._account.all_servers.get(volume.server_id or "")
        self._begin(self._grow(volume, self._scenarios.of(server.tags if server else ()).scenario.volume_update))

    def detachment(self, volume: Volume, delay: float) -> None:
        self._begin(self._detach(volume, delay))

    def snapshot(self, snapshot: Snapshot) -> None:
        self._begin(self._make_snapshot(snapshot, self._scenarios.of(snapshot.tags).scenario))

    def image(self, image: Image) -> None:
        """At once or later, as the scenario says."""
        scenario = self._scenarios.of(image.tags).scenario
        if scenario.image_create:
            self._begin(self._make_image(image, scenario))
        else:
            _finish(image, scenario)

    def release(self, snapshot: Snapshot, delay: float) -> None:
        """Its image was deleted. It has no reference any more, and is in use for a little longer.

        As in terraform-provider-scaleway, image-external-block-volume, interactions 56-60.
        """
        snapshot.image_id, snapshot.held = None, True
        self._begin(self._release(snapshot, delay))

    async def _make_snapshot(self, snapshot: Snapshot, scenario: Scenario) -> None:
        await asyncio.sleep(scenario.snapshot_create)
        snapshot.made, snapshot.failed, snapshot.updated_at = True, scenario.snapshot_fails, now()

    async def _make_image(self, image: Image, scenario: Scenario) -> None:
        await asyncio.sleep(scenario.image_create)
        _finish(image, scenario)

    async def _release(self, snapshot: Snapshot, delay: float) -> None:
        await asyncio.sleep(delay)
        snapshot.held, snapshot.updated_at = False, now()

    async def _make_boot_volume(self, server: Server, scenario: Scenario) -> None:
        await asyncio.sleep(scenario.boot_volume)
        if server.deleted_at is None or (scenario.boot_volume_despite_deletion and server.image.block):
            self._add_boot_volume(server)

    def _add_boot_volume(self, server: Server) -> None:
        volume = boot_volume(server.image, server.zone, None if server.deleted_at else server.id)
        self._account.add_volume(volume)
        server.volumes.append(volume)
        server.note("boot volume made")

    async def _list_tags(self, tagged: Server | SecurityGroup | Snapshot | Image, delay: float) -> None:
        tags = tagged.tags
        await asyncio.sleep(delay)
        tagged.listed_tags = tags

    async def _grow(self, volume: Volume, delay: float) -> None:
        await asyncio.sleep(delay)
        volume.size, volume.growing_to, volume.updated_at = volume.growing_to or volume.size, None, now()

    async def _detach(self, volume: Volume, delay: float) -> None:
        await asyncio.sleep(delay)
        volume.server_id = None
        volume.detached_at = volume.updated_at = now()


def _finish(image: Image, scenario: Scenario) -> None:
    image.state = ImageState.ERROR if scenario.image_fails else ImageState.AVAILABLE
