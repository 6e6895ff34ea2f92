"""An api on a machine whose clock is wrong by minutes."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.clock import CLOCK
from tests.api.stage import Stage, until

AHEAD = timedelta(minutes=10)


async def test_an_api_whose_clock_is_wrong_says_so_and_records_and_shows_the_time_of_the_server(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CLOCK, "_own", lambda: datetime.now(UTC) + AHEAD)
    monkeypatch.setattr(CLOCK, "measured", None)  # and so it is again afterwards
    api = await stage.api()
    ready = await stage.ready("127.0.0.9")
    asked = await api.client.delete(f"/instances/{ready.id}")
    assert asked.status_code == 202
    assert datetime.fromisoformat(asked.json()["updated_at"]) < datetime.now(UTC) + AHEAD / 2

    async def told() -> bool:
        answer = await api.client.get("/readyz")
        warnings = answer.json().get("warnings", [])
        return any("ahead of that of the event stream's server" in warning for warning in warnings)

    await until(told)
