"""A change under a constant load: what is asked meanwhile is answered, whether the new revision serves or not."""

from pathlib import Path
from typing import Any, Final

from simulator.scenario import Scenario
from tests.integration.line import Changes, Line
from tests.scaler.constant_load import constant_load
from tests.scaler.deployed import deployed, gone, instances, scaled_line, servers, until

WISH: Final[dict[str, Any]] = {
    "min_replicas": 1,
    "target_in_flight": 1_000,
    "rollout": {"surge": 1, "settle": 0},
}
SAID: Final = "vllm serve: error: argument --dtype: invalid choice: 'float7'"


async def serving(running: Line) -> tuple[str, str]:
    """Returns the deployment and its instance, which is ready."""
    of = await deployed(running, **WISH)
    await running.heard.until(of, "ReplicaAdded")
    (first,) = instances(running, of)
    await running.heard.until(first, "InstanceReady")
    return of, first


async def test_a_rollout_under_constant_load_fails_no_request(tmp_path: Path, nats_url: str, database_url: str) -> None:
    async with scaled_line(tmp_path, nats_url, database_url) as running:
        of, former = await serving(running)
        async with constant_load(running) as answers:
            await deployed(running, **WISH, volume_gb=300)
            await running.heard.until(of, "RolloutFinished")
            await running.heard.until(former, "InstanceTerminated")
        assert (answers.wrong, answers.right > 0) == ([], True)
        assert await servers(running) == set(instances(running, of)) - {former}
        await gone(running, of)


async def test_a_broken_revision_halts_under_constant_load_and_a_rollback_ends_with_the_former_replicas_alone(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    changes: Changes = {"health": {"log_retry_seconds": 0.1}}
    async with scaled_line(tmp_path, nats_url, database_url, changes) as running:
        of, former = await serving(running)
        await running.rehearse(Scenario(worker_fails_with=SAID))
        async with constant_load(running) as answers:
            await deployed(running, **WISH, volume_gb=300)
            halted = (await running.heard.until(of, "RolloutHalted"))["data"]["event"]
            assert SAID in halted["message"]
            rolled_back = await running.http.post("/deployments/chat/rollback")
            assert rolled_back.is_success, rolled_back.text
            await until(
                running,
                of,
                lambda deployment: (
                    deployment["rollout"] is None
                    and [each["instance_id"] for each in deployment["replicas"]] == [former]
                ),
            )
            for instance_id in set(instances(running, of)) - {former}:
                await running.heard.until(instance_id, "InstanceTerminated", "ResourcesReleased")
        assert (answers.wrong, answers.right > 0) == ([], True)
        assert await servers(running) == {former}
        await gone(running, of)
