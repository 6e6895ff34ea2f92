"""A cloud that no longer takes our key: said by the api as long as it lasts, while what runs is served."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from services.api import provider_statuses
from simulator.scenario import Call, Error, Failure, Scenario
from tests.api.stage import until
from tests.integration.line import Line, line

REFUSED = Scenario(failures=(Failure(call=Call.LIST_SERVERS, error=Error.DENIED_AUTHENTICATION, times=None),))


def told(running: Line, *, usable: bool) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        answer = await running.http.get("/readyz")
        providers: list[dict[str, Any]] = answer.json().get("providers", [])
        return answer.status_code == 200 and [each["usable"] for each in providers] == [usable]

    return ask


async def test_a_key_that_the_cloud_refuses_is_told_until_it_is_accepted_again(
    tmp_path: Path, nats_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_statuses, "EVERY_S", 0.05)
    changes = {"provisioner": {"instance_types_seconds": 0.2}}
    async with line(tmp_path, nats_url, database_url, changes=changes) as running:
        await running.ready()
        await until(told(running, usable=True))
        await running.rehearse(REFUSED)
        await until(told(running, usable=False))
        (status,) = (await running.http.get("/instance-types")).json()["providers"]
        assert "check SCW_ACCESS_KEY and SCW_SECRET_KEY" in status["reason"]
        assert [(check["subject"], check["outcome"]) for check in status["checks"]] == [("credentials", "failed")]
        chat = {"model": "Qwen/Qwen2.5-0.5B-Instruct", "prompt": "hello", "max_tokens": 4}
        assert (await running.http.post("/v1/completions", json=chat)).status_code == 200
        await running.rehearse(Scenario())
        await until(told(running, usable=True))
