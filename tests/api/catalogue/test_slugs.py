"""A slug with which public models' ids begin is refused, unless an administrator insists."""

import httpx
import pytest

from tests.api.stage import MODEL, PATIENCE_S, RunningApi, Stage


async def made(api: RunningApi, slug: str, *, insist: bool | None = None) -> httpx.Response:
    body = {"slug": slug} | ({} if insist is None else {"insist": insist})
    return await api.client.post("/organizations", json=body)


async def test_a_name_on_the_hub_is_refused_and_may_be_insisted_on(stage: Stage) -> None:
    api = await stage.api()
    for slug in ("qwen", "openai-community", "julien-c"):  # whatever the case there; organisations and people
        answer = await made(api, slug)
        assert (answer.status_code, answer.json()["code"]) == (409, "slug_on_hub"), answer.text
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/slug"]
        assert "--insist" in answer.json()["detail"]
    assert (await made(api, "acme", insist=False)).status_code == 201
    asked = stage.hub.asked
    assert (await made(api, "qwen", insist=True)).status_code == 201
    assert (await made(api, "acme")).json()["code"] == "organization_exists"
    assert stage.hub.asked == asked


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [({"broken": 500}, "hub_unavailable", 503), ({"silent": True}, "hub_unavailable", 503),
     ({"broken": 429}, "hub_rate_limited", 503)],
)  # fmt: skip
async def test_a_hub_that_cannot_be_asked_lets_nobody_through_who_does_not_insist(
    stage: Stage, fault: dict[str, object], code: str, status: int
) -> None:
    api = await stage.api(hub_timeout_seconds=0.2 if "silent" in fault else PATIENCE_S)
    for name, value in fault.items():
        setattr(stage.hub, name, value)
    answer = await made(api, "acme")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "--insist" in answer.json()["detail"]
    assert (await api.client.get("/organizations")).json()["items"] == []
    assert (await made(api, "acme", insist=True)).status_code == 201


async def test_what_the_catalogue_has_counts_whatever_the_hub_says(stage: Stage) -> None:
    api = await stage.api()
    await api.client.post("/models", json={"model": MODEL})
    stage.hub.broken = 404
    answer = await made(api, "qwen")
    assert (answer.status_code, answer.json()["code"]) == (409, "slug_on_hub")
