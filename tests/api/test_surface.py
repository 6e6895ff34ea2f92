"""What the api says of itself: its description, its page, its metrics, its probes."""

import re

import pytest

from tests.api.stage import MODEL, Stage

ROUTES = {
    "/audit": {"get"},
    "/instances": {"get", "post"},
    "/instances/{instance_id}": {"get", "delete"},
    "/instances/{instance_id}/timeline": {"get"},
    "/instances/{instance_id}/logs": {"get"},
    "/instances/{instance_id}/events": {"get"},
    "/instances/{instance_id}/steps": {"get"},
    "/instances/{instance_id}/critical-path": {"get"},
    "/instances/{instance_id}/drain": {"post"},
    "/instances/{instance_id}/reinstall": {"post"},
    "/instances/{instance_id}/relaunch": {"post"},
    "/instances/{instance_id}/archive": {"post"},
    "/deployments": {"get"},
    "/deployments/{name}": {"get", "put", "delete"},
    "/deployments/{name}/timeline": {"get"},
    "/deployments/{name}/load": {"get"},
    "/deployments/{name}/explain": {"get"},
    "/deployments/{name}/scale": {"post"},
    "/deployments/{name}/pause": {"post"},
    "/deployments/{name}/resume": {"post"},
    "/deployments/{name}/restart": {"post"},
    "/deployments/{name}/rollback": {"post"},
    "/machine-images": {"get", "post"},
    "/machine-images/{image_id}": {"delete"},
    "/events": {"get"},
    "/instance-types": {"get"},
    "/launches": {"get"},
    "/costs": {"get"},
    "/reconcile": {"post"},
    "/sign-in-links": {"post"},
    "/models": {"get", "post"},
    "/models/{model_id}": {"delete"},
    "/models/fit": {"post"},
    "/models/resolve": {"get"},
    "/models/search": {"get"},
    "/usage": {"get"},
    "/api-keys": {"get", "post"},
    "/api-keys/{key_id}": {"patch", "delete"},
    "/organizations": {"get", "post"},
    "/organizations/{slug}": {"get", "patch", "delete"},
    "/organizations/{slug}/offerings": {"get", "post"},
    "/organizations/{slug}/offerings/{code}": {"patch", "delete"},
    "/webhooks": {"get", "post"},
    "/webhooks/{webhook_id}": {"get", "patch", "delete"},
    "/webhooks/{webhook_id}/rotate-secret": {"post"},
    "/webhooks/{webhook_id}/test": {"post"},
    "/webhooks/{webhook_id}/replay": {"post"},
    "/webhooks/{webhook_id}/deliveries": {"get"},
    "/v1/models": {"get"},
    "/v1/models/{model}": {"get"},
    "/v1/chat/completions": {"post"},
    "/v1/completions": {"post"},
    "/v1/responses": {"post"},
    "/v1/messages": {"post"},
    "/v1/messages/count_tokens": {"post"},
    "/v1/embeddings": {"post"},
    "/v1/rerank": {"post"},
    "/v1/score": {"post"},
    "/tokenize": {"post"},
    "/detokenize": {"post"},
    "/healthz": {"get"},
    "/readyz": {"get"},
    "/metrics": {"get"},
}


async def test_the_description_names_every_route_and_how_its_errors_look(stage: Stage) -> None:
    api = await stage.api()
    document = (await api.client.get("/schema/openapi.json")).json()
    assert {path: set(item) for path, item in document["paths"].items()} == ROUTES
    operation = document["paths"]["/instances"]["post"]
    refused = document["components"]["responses"]["422"]["content"]["application/problem+json"]["schema"]
    assert operation["responses"]["422"]["$ref"] == "#/components/responses/422"
    assert refused["$ref"] == "#/components/schemas/ProblemDocument"
    assert "202" in operation["responses"]
    body = document["components"]["schemas"]["InstanceBody"]
    assert set(body["required"]) == {"model"}
    every = [one for item in document["paths"].values() for one in item.values()]
    names = [one["operationId"] for one in every if "operationId" in one]
    assert len(names) == len(set(names))
    assert (await api.client.get("/schema/openapi.yaml")).text.startswith("components:")


async def test_what_takes_long_to_write_is_written_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[object] = []

    def dump(document: object, **_: object) -> str:
        written.append(document)
        return "openapi: 3.1.0"

    monkeypatch.setattr("yaml.dump", dump)
    api = await stage.api()
    async with api.stranger() as stranger:
        texts = {(await stranger.get("/schema/openapi.yaml")).text for _ in range(3)}
    assert texts == {"openapi: 3.1.0"}
    assert len(written) == 1


async def test_the_page_needs_no_other_host_and_no_key(stage: Stage) -> None:
    api = await stage.api()
    async with api.stranger() as stranger:
        page = await stranger.get("/schema")
    assert page.headers["content-type"].startswith("text/html")
    linked = set(re.findall(r'(?:src=|href=|url\()\W*([^">]+)', page.text))
    assert linked == {"schema/openapi.json", "schema/openapi.yaml"}
    assert "<script" not in page.text
    for path in ROUTES:
        assert path in page.text


async def test_whoever_runs_it_needs_no_key_for_probes_and_may_open_the_metrics(stage: Stage) -> None:
    api = await stage.api(metrics_access="open")
    await api.client.get("/instances/8e2d9a51-6c5a-4a6e-9b60-7d1f2c3b4a59")
    await api.chat()
    async with api.stranger() as stranger:
        assert (await stranger.get("/healthz")).json() == {"status": "ok"}
        assert (await stranger.get("/readyz")).json()["status"] == "ready"
        metrics = (await stranger.get("/metrics")).text
    for line in (
        'coldstart_http_requests_total{method="GET",route="/instances/{instance_id}",status="404"}',
        'coldstart_http_requests_total{method="POST",route="/v1/chat/completions",status="404"}',
        "coldstart_http_requests_in_flight 1.0",
        "coldstart_routing_table_age_seconds 0.",
        "coldstart_sse_clients 0.0",
        "coldstart_dead_letters_stored 0.0",
    ):
        assert line in metrics, metrics
    assert MODEL not in metrics


async def test_metrics_are_for_administrators_unless_somebody_decides_otherwise(stage: Stage) -> None:
    api, without = await stage.api(), await stage.api(metrics_access="off")
    async with api.stranger() as stranger, api.as_(await api.user_key()) as user:
        assert (await stranger.get("/metrics")).status_code == 401
        assert (await user.get("/metrics")).status_code == 403
    assert "coldstart_http_requests_total" in (await api.client.get("/metrics")).text
    assert (await without.client.get("/metrics")).json()["code"] == "not_found"


async def test_no_answer_is_kept_guessed_at_or_shown_within_another_page(stage: Stage) -> None:
    api = await stage.api()
    async with api.stranger() as stranger:
        page = await stranger.get("/sign-in")
        (asset, *_) = re.findall(r"/console/static/[^\"]+", page.text)
        answers = [
            page,
            *[await stranger.get(path) for path in ("/schema", "/schema/openapi.json", "/healthz", "/instances")],
            *[
                await stranger.get(path)
                for path in ("/v1/models", "/nowhere", "/v1/nowhere", "/%00", "/console/static/a/b")
            ],
            await stranger.get("/" + "a" * 10_000),
            await api.client.get("/v1/models"),
        ]
        kept = await stranger.get(asset)
    for answer in (*answers, kept):
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"], answer.url
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert ("immutable" if answer is kept else "no-store") in answer.headers["cache-control"], answer.url
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store", answer.url
