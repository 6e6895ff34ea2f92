"""An empty database beside a stream with a history: what comes back by itself, and what is said of the rest."""

from uuid import UUID

from pydantic import SecretStr

from services.api.feed.lost_database import LostDatabase
from services.progress.app import accept_loss
from shared.journal.streams import LIFECYCLE
from shared.postgres.connection import Pool, connect_pool
from shared.postgres.migrate import migrate
from tests.api.router.test_inference import catalogued
from tests.api.stage import MODEL, RunningApi, Stage, until
from tests.lifecycle import facts
from tests.scratch import Databases


async def warnings(api: RunningApi) -> list[str]:
    """Once it is ready."""
    answers: list[list[str]] = []

    async def ready() -> bool:
        answer = await api.client.get("/readyz")
        answers.append(answer.json().get("warnings", []))
        return answer.status_code == 200

    await until(ready)
    return answers[-1]


async def test_after_a_lost_database_models_and_routes_come_back_and_the_rest_is_named_until_it_is_accepted(
    stage: Stage, databases: Databases
) -> None:
    worker, private = await stage.worker(), await stage.worker()
    former = await stage.api()
    await catalogued(former)
    organization = (await former.organization("acme"))["id"]
    await stage.ready(worker.address)
    await stage.ready(private.address, model="acme/private", organization_id=organization)
    await former.routes()
    assert await warnings(former) == []

    lost, stage.database_url = stage.database_url, await databases.take()
    events = (await stage.connection.jetstream().stream_info(LIFECYCLE)).state.last_seq
    await stage.projector()
    api = await stage.api(refresh_seconds=0.1)
    (warning,) = await warnings(api)
    assert f"the stream had {events} events" in warning
    assert "coldstart restore" in warning
    await api.routes()

    async def known() -> bool:
        return "acme/private" in (await api.client.get("/v1/models")).text

    await until(known)
    refused = await api.chat("acme/private")
    assert (refused.status_code, private.seen) == (503, []), "nobody else gets what an organisation owned"
    again = await stage.api(refresh_seconds=0.1)
    assert await warnings(again) == [warning], "a restart changes nothing"

    settings = stage.progress_settings()
    assert await accept_loss(settings)
    assert not await accept_loss(settings)
    for each in (api, again):

        async def accepted(each: RunningApi = each) -> bool:
            return await warnings(each) == []

        await until(accepted)
    assert SecretStr(lost) != settings.database_url


async def test_a_new_installation_and_one_of_an_earlier_version_have_lost_nothing(stage: Stage) -> None:
    api = await stage.api()
    assert await warnings(api) == []
    await catalogued(api, MODEL)
    await stage.happened(facts.instance_requested())
    assert await warnings(await stage.api()) == []


INSTALLATION = UUID("0f6b1f0e-5d0e-4c53-9f07-7d1c1f3f5d11")


async def projected(pool: Pool) -> None:
    await pool.execute("INSERT INTO checkpoints VALUES ('instances', $1, 40)", INSTALLATION)


async def lost_events(pool: Pool) -> int:
    lost = LostDatabase(pool, refresh_s=1.0)
    await lost.begin(INSTALLATION, 40)
    return lost.lost_events


async def test_a_database_that_was_in_use_before_has_lost_nothing_though_it_holds_no_key_and_no_model(
    empty_database_url: str,
) -> None:
    async with connect_pool(empty_database_url, name="test", max_size=1) as pool:
        await migrate(pool, through=9)
        await projected(pool)
        await migrate(pool)
        assert await lost_events(pool) == 0


async def test_a_database_into_which_the_stream_is_projected_anew_before_an_api_starts_is_lost_all_the_same(
    database_url: str,
) -> None:
    async with connect_pool(database_url, name="test", max_size=1) as pool:
        await projected(pool)
        assert await lost_events(pool) == 40
