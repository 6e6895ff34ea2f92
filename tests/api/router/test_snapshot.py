"""What the router keeps on disk: only what was written with the master secret, not too long ago, is read again."""

import json
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from services.api.access.api_keys import ApiKey, Role, hashed
from services.api.catalogue.access_records import AccessRecords, KnownAccess
from services.api.catalogue.catalogue import Model
from services.api.router.routes import KeptRoutes
from services.api.router.snapshot import NAME, RouterSnapshot, SnapshotFile, decoded, encoded
from services.api.router.snapshotting import RENEWED, Snapshotting
from services.api.router.table import RoutingTable
from services.api.tenancy.offerings import Offering
from services.api.tenancy.organizations import Organization
from shared.lifecycle.instance import Instance
from shared.secrets import Secrets
from tests.api.router.test_table import a_table
from tests.lifecycle import facts
from tests.lifecycle.histories import a_ready_instance

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = Secrets("a master secret of at least thirty-two characters").router_snapshot_key()
OTHER_KEY = Secrets("another master secret of thirty-two characters").router_snapshot_key()
INSTALLATION, ORGANIZATION, MODEL = uuid4(), uuid4(), uuid4()
HOUR = timedelta(hours=1)


def the_records(read_at: datetime = NOW) -> AccessRecords:
    key = ApiKey(
        id=UUID(int=1),
        name="somebody",
        role=Role.USER,
        organization_id=ORGANIZATION,
        prefix="csk_abcdef",
        created_at=NOW,
        max_concurrent=3,
        allowed_models=("acme/small",),
    )
    return AccessRecords(
        keys=[(hashed("csk_a key"), key)],
        organizations=[Organization(id=ORGANIZATION, slug="acme", name="Acme", created_at=NOW, max_instances=4)],
        models=[Model(id=MODEL, model="Qwen/Qwen2.5", task="generate", gated=False, created_at=NOW)],
        offerings=[
            Offering(
                id=UUID(int=2), organization_id=ORGANIZATION, code="small", model_id=MODEL, active=True, created_at=NOW
            )
        ],
        read_at=read_at,
    )


def a_snapshot(taken_at: datetime = NOW, instances: Sequence[Instance] = ()) -> RouterSnapshot:
    return RouterSnapshot(INSTALLATION, taken_at, the_records(), [*(instances or [facts.given(*a_ready_instance())])])


def test_what_is_read_is_what_was_written_and_no_key_is_in_it() -> None:
    data = encoded(a_snapshot(), KEY)
    assert decoded(data, KEY) == a_snapshot()
    assert b"csk_a key" not in data


def test_of_what_another_has_written_or_changed_nothing_is_read() -> None:
    data = encoded(a_snapshot(), KEY)
    assert decoded(encoded(a_snapshot(), OTHER_KEY), KEY) is None
    assert decoded(data.replace(b'"role":"user"', b'"role":"admin"'), KEY) is None
    assert decoded(data[:-1], KEY) is None
    assert decoded(b"", KEY) is None


def test_a_snapshot_of_another_format_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    other = encoded(a_snapshot(), KEY).partition(b"\n")[2].replace(b'"format":1', b'"format":2')
    monkeypatch.setattr("services.api.router.snapshot._Document.model_dump_json", lambda _: other.decode())
    assert json.loads(other)["format"] == 2
    assert decoded(encoded(a_snapshot(), KEY), KEY) is None


@pytest.mark.parametrize(
    ("taken_at", "installation", "is_read"),
    [
        (NOW, None, True),
        (NOW, INSTALLATION, True),
        (NOW, uuid4(), False),
        (NOW - HOUR, None, True),
        (NOW - HOUR - timedelta(seconds=1), None, False),
        (NOW + timedelta(seconds=30), None, True),
        (NOW + timedelta(minutes=2), None, False),
    ],
)
def test_one_that_is_too_old_or_of_another_installation_is_left_out(
    taken_at: datetime, installation: UUID | None, is_read: bool, tmp_path: Path
) -> None:
    file = SnapshotFile(tmp_path / "kept", KEY)
    assert file.read(NOW, HOUR, installation) is None
    file.write(a_snapshot(taken_at))
    assert (file.read(NOW, HOUR, installation) == a_snapshot(taken_at)) is is_read


def test_the_file_is_for_its_owner_only_and_is_replaced_as_a_whole(tmp_path: Path) -> None:
    file = SnapshotFile(tmp_path / "kept", KEY)
    file.write(a_snapshot())
    before = (file.folder / NAME).stat()
    file.write(a_snapshot(NOW + HOUR))
    after = (file.folder / NAME).stat()
    assert [stat.S_IMODE(each.st_mode) for each in (file.folder.stat(), after)] == [0o700, 0o600]
    assert before.st_ino != after.st_ino
    assert [each.name for each in file.folder.iterdir()] == [NAME]


def test_kept_routes_are_stale_after_their_time() -> None:
    now = NOW
    routes = KeptRoutes(a_snapshot(), HOUR, lambda: now)
    table = a_table()
    routes.follow(table)
    assert len(table.workers(facts.a_specification().model, None)) == 1
    now = NOW + HOUR
    assert (routes.age, routes.is_stale()) == (3_600.0, False)
    now += timedelta(seconds=1)
    assert routes.is_stale()


@dataclass
class Feed:
    installation: UUID | None = INSTALLATION
    age: float = 0.0


@dataclass
class Scene:
    """Everything that is kept, as it is now."""

    file: SnapshotFile
    access: KnownAccess
    table: RoutingTable
    feed: Feed
    now: datetime = NOW

    async def kept(self, snapshotting: Snapshotting) -> RouterSnapshot | None:
        await snapshotting.write()
        return self.file.read(self.now, 100 * HOUR)

    def snapshotting(self) -> Snapshotting:
        return Snapshotting(
            *(self.file, self.access, self.table, self.feed), interval_s=1, fresh_s=15, now=lambda: self.now
        )


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(SnapshotFile(tmp_path, KEY), KnownAccess(None), a_table(), Feed())
    scene.access.take(the_records())
    scene.table.apply(facts.given(*a_ready_instance()))
    return scene


async def test_the_moment_that_is_kept_is_that_of_the_older_of_keys_and_routes(scene: Scene) -> None:
    scene.feed.age, scene.now = 4.0, NOW + timedelta(seconds=2)
    kept = await scene.kept(scene.snapshotting())
    assert kept is not None
    assert kept.taken_at == NOW - timedelta(seconds=2)
    scene.access.take(the_records(read_at=NOW - HOUR))
    kept = await scene.kept(scene.snapshotting())
    assert kept is not None
    assert kept.taken_at == NOW - HOUR


async def test_a_change_is_kept_at_once_and_a_new_moment_alone_once_a_minute(scene: Scene) -> None:
    snapshotting = scene.snapshotting()
    first = await scene.kept(snapshotting)
    scene.now += timedelta(seconds=1)
    scene.access.take(the_records(read_at=scene.now))
    assert await scene.kept(snapshotting) == first
    scene.access.take(replace(scene.access.records or the_records(), keys=[]))
    revoked = await scene.kept(snapshotting)
    assert revoked is not None
    assert (revoked.access.keys, revoked.taken_at) == ([], scene.now)
    scene.table.replace(())
    gone = await scene.kept(snapshotting)
    assert gone is not None
    assert gone.instances == []
    scene.now += RENEWED
    scene.access.take(replace(scene.access.records or the_records(), read_at=scene.now))
    renewed = await scene.kept(snapshotting)
    assert renewed is not None
    assert renewed.taken_at == scene.now


async def test_nothing_is_kept_that_is_not_fresh(scene: Scene) -> None:
    scene.feed.age = 16.0
    assert await scene.kept(scene.snapshotting()) is None
    scene.feed.age, scene.feed.installation = 0.0, None
    assert await scene.kept(scene.snapshotting()) is None


async def test_a_folder_that_cannot_be_written_to_stops_nothing(scene: Scene) -> None:
    (scene.file.folder / "file").write_text("")
    scene.file = SnapshotFile(scene.file.folder / "file", KEY)
    assert await scene.kept(scene.snapshotting()) is None
