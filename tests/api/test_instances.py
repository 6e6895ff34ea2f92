from tests.api.stage import BODY, MODEL, Stage


async def test_an_instance_that_is_asked_for_is_accepted_and_can_be_read_at_once(stage: Stage) -> None:
    api = await stage.api()
    accepted = await api.client.post("/instances", json=BODY)
    assert accepted.status_code == 202, accepted.text
    instance = accepted.json()
    assert accepted.headers["location"] == f"/instances/{instance['id']}"
    assert set(instance) == {
        *("id", "organization_id", "name", "provider", "zone", "instance_type", "model", "status"),
        *("progress_percent", "step", "attempt", "ip_address", "error", "created_at", "ready_at", "updated_at"),
        "version",
    }
    assert (instance["status"], instance["progress_percent"], instance["version"]) == ("provisioning", 5, 1)
    assert (instance["name"], instance["model"]) == ("qwen2.5-0.5b-instruct", MODEL)
    assert (await api.client.get(accepted.headers["location"])).json() == instance
