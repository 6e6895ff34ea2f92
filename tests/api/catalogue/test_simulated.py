"""With a simulated cloud or hub, every answer and every refusal says so."""

from typing import Any

import pytest

from services.api.catalogue.simulated import badge
from services.api.http.announcement import HEADER
from tests.api.stage import BODY, MODEL, Stage

NO_MODEL = {**BODY, "model": "nobody/nothing"}
NO_TYPE = {**BODY, "instance_types": ["X9"]}


async def test_what_is_simulated_is_told_in_a_header_before_anybody_signs_in(stage: Stage) -> None:
    api = await stage.api(simulated=("cloud", "hub"))
    for path in ("/healthz", "/instances", "/v1/models", "/sign-in", "/nothing"):
        answer = await api.client.get(path, headers={"Authorization": ""})
        assert answer.headers.get(HEADER) == "cloud, hub", path
    assert "Simulated cloud" in (await api.client.get("/sign-in")).text


async def test_nothing_is_said_where_everything_is_real(stage: Stage) -> None:
    api = await stage.api()
    assert HEADER not in (await api.client.get("/healthz")).headers
    assert "imulated" not in (await api.client.get("/sign-in")).text
    for body in (NO_MODEL, NO_TYPE):
        assert "imulated" not in (await api.client.post("/instances", json=body)).text


@pytest.mark.parametrize(
    ("body", "part", "sentence"),
    [
        (NO_MODEL, "hub", "This is the simulated hub; it knows "),
        ({**BODY, "model": "openai/whisper-large-v3"}, "hub", "This is the simulated hub; it knows "),
        (NO_TYPE, "cloud", "This is the simulated cloud."),
        ({**BODY, "zones": ["mars-1"]}, "cloud", "This is the simulated cloud."),
    ],
)
async def test_a_refusal_says_that_it_comes_from_what_is_simulated(
    stage: Stage, body: dict[str, Any], part: str, sentence: str
) -> None:
    api = await stage.api(simulated=("cloud", "hub"))
    refused = (await api.client.post("/instances", json=body)).json()
    assert refused["status"] == 422
    assert refused["simulated"] == part
    assert sentence in refused["detail"]
    assert sentence in refused["errors"][0]["detail"]
    assert (MODEL in refused["detail"]) is (part == "hub")
    assert "acme-labs/support-7b" not in refused["detail"]


def test_the_badge_says_what_it_means() -> None:
    assert badge(()) is None
    both, cloud, hub = badge(("hub", "cloud")), badge(("cloud",)), badge(("hub",))
    assert both is not None
    assert cloud is not None
    assert hub is not None
    assert (both[0], cloud[0], hub[0]) == ("Simulated cloud", "Simulated cloud", "Simulated hub")
    assert "hub" not in cloud[1]
    assert "cost money" in hub[1]
