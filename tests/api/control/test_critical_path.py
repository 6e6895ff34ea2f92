"""What a launch waited for, as the api tells it from the read model."""

from tests.api.stage import Stage
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h


async def test_the_steps_of_a_launch_are_told_from_its_request_until_it_was_ready(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api(projection_wait_seconds=5.0)
    instance = await stage.happened(*h.a_ready_instance(), f.action_delayed(number=9), f.health_lost())
    path = (await api.client.get(f"/instances/{instance.id}/critical-path")).json()
    assert (path["attempt"], path["outcome"], path["waits_for"]) == (1, "ready", None)
    assert (path["began_at"], path["ended_at"]) == (
        path["intervals"][0]["began_at"],
        path["intervals"][-1]["ended_at"],
    )
    assert [each["step"] for each in path["intervals"] if each["install_try"]] == [*f.PHASES]
    assert all(each["critical"] for each in path["intervals"])


async def test_each_attempt_has_a_path_of_its_own(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api(projection_wait_seconds=5.0)
    instance = await stage.happened(*h.a_reinstalled_instance())
    at = f"/instances/{instance.id}/critical-path"
    newest, first = (await api.client.get(at)).json(), (await api.client.get(at, params={"attempt": 1})).json()
    assert (newest["attempt"], newest["outcome"], newest["waits_for"]) == (2, "running", "connecting over SSH")
    assert (first["attempt"], first["outcome"]) == (1, "ready")
    refused = await api.client.get(at, params={"attempt": 3})
    assert (refused.status_code, refused.json()["code"]) == (404, "attempt_not_found")


async def test_before_the_read_model_has_it_only_what_it_waits_for_is_told(stage: Stage) -> None:
    api = await stage.api(projection_wait_seconds=0.01)
    instance = await stage.happened(*h.an_installing_instance())
    path = (await api.client.get(f"/instances/{instance.id}/critical-path")).json()
    assert (path["outcome"], path["intervals"], path["waits_for"]) == ("running", [], f.PHASES[-1])
