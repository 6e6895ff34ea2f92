"""A provider that cannot be used: a detail of /readyz and a metric, and no reason to send requests elsewhere."""

from datetime import UTC, datetime

import pytest
from nats.errors import ConnectionClosedError

from services.api import provider_statuses
from services.api.provider_statuses import KnownStatuses
from shared.bus.connection import connect
from shared.offers.provider_status import ProviderCheck, ProviderStatus, ProviderStatuses
from tests.api.stage import RunningApi, Stage, until

AT = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)
CHECKS = (ProviderCheck.failed("credentials", "the API key is not accepted"),)
REFUSED = ProviderStatus(provider="scaleway", reason=CHECKS[0].detail, since=AT, checks=CHECKS, checked_at=AT)
USABLE = ProviderStatus(provider="scaleway", since=AT, checked_at=AT)


async def published(stage: Stage, status: ProviderStatus) -> None:
    await ProviderStatuses(stage.connection.jetstream(), replicas=1).publish(status)


async def tells(api: RunningApi, *, usable: bool) -> None:
    """Wait until /readyz, which is then 200, and the metrics say so."""

    async def told() -> bool:
        answer = await api.client.get("/readyz")
        return answer.status_code == 200 and [each["usable"] for each in answer.json()["providers"]] == [usable]

    await until(told)
    metrics = (await api.client.get("/metrics")).text
    assert f'coldstart_provider_usable{{provider="scaleway"}} {1.0 if usable else 0.0}' in metrics


async def test_readyz_says_why_a_provider_cannot_be_used_and_is_ready_all_the_same(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_statuses, "EVERY_S", 0.01)
    await published(stage, REFUSED)
    api = await stage.api()
    await tells(api, usable=False)
    (told,) = (await api.client.get("/readyz")).json()["providers"]
    assert told == {
        "provider": "scaleway",
        "usable": False,
        "reason": "the API key is not accepted",
        "since": "2026-11-29T03:00:00Z",
        "checked_at": "2026-11-29T03:00:00Z",
    }
    for key in ("", "Bearer csk_a-wrong-one", f"Bearer {await api.user_key()}"):
        answer = await api.client.get("/readyz", headers={"Authorization": key})
        assert answer.json()["providers"] == [told | {"reason": None}], "a part, and no reasons of the provider's"
    await published(stage, USABLE)
    await tells(api, usable=True)


async def test_what_is_known_stays_known_while_it_cannot_be_read(stage: Stage) -> None:
    await published(stage, REFUSED)
    connection = await connect(stage.nats_url, "reader")
    statuses = KnownStatuses(ProviderStatuses(connection.jetstream(), replicas=1))
    await statuses.read()
    await connection.close()
    with pytest.raises(ConnectionClosedError):
        await connection.jetstream().account_info()
    await statuses.read()
    assert list(statuses.known) == [REFUSED]
