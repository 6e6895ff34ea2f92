"""What the api says of itself: its description, its page, its metrics, its probes."""

import re

import httpx

from tests.api.stage import MODEL, Stage

ROUTES = {
    "/instances": {"get", "post"},
    "/instances/{instance_id}": {"get", "delete"},
    "/instances/{instance_id}/timeline": {"get"},
    "/instances/{instance_id}/logs": {"get"},
    "/instances/{instance_id}/events": {"get"},
    "/instances/{instance_id}/steps": {"get"},
    "/instances/{instance_id}/drain": {"post"},
    "/instances/{instance_id}/reinstall": {"post"},
    "/instances/{instance_id}/archive": {"post"},
    "/events": {"get"},
    "/instance-types": {"get"},
    "/launches": {"get"},
    "/costs": {"get"},
    "/reconcile": {"post"},
    "/sign-in-links": {"post"},
    "/models": {"get", "post"},
    "/models/{model_id}": {"delete"},
    "/models/resolve": {"get"},
    "/models/search": {"get"},
    "/usage": {"get"},
    "/api-keys": {"get", "post"},
    "/api-keys/{key_id}": {"patch", "delete"},
    "/organizations": {"get", "post"},
    "/organizations/{slug}": {"get", "patch", "delete"},
    "/organizations/{slug}/offerings": {"get", "post"},
    "/organizations/{slug}/offerings/{code}": {"patch", "delete"},
    "/v1/models": {"get"},
    "/v1/models/{model}": {"get"},
    "/v1/chat/completions": {"post"},
    "/v1/completions": {"post"},
    "/v1/embeddings": {"post"},
    "/healthz": {"get"},
    "/readyz": {"get"},
    "/metrics": {"get"},
}


async def test_the_description_names_every_route_and_how_its_errors_look(stage: Stage) -> None:
    api = await stage.api()
    document = (await api.client.get("/schema/openapi.json")).json()
    assert {path: set(item) for path, item in document["paths"].items()} == ROUTES
    operation = document["paths"]["/instances"]["post"]
    assert "application/problem+json" in operation["responses"]["default"]["content"]
    assert "202" in operation["responses"]
    body = document["components"]["schemas"]["InstanceBody"]
    assert set(body["required"]) == {"model"}
    every = [one for item in document["paths"].values() for one in item.values()]
    names = [one["operationId"] for one in every if "operationId" in one]
    assert len(names) == len(set(names))
    assert (await api.client.get("/schema/openapi.yaml")).text.startswith("components:")


async def test_the_page_needs_no_other_host_and_no_key(stage: Stage) -> None:
    api = await stage.api()
    async with httpx.AsyncClient(base_url=api.url) as stranger:
        page = await stranger.get("/schema")
    assert page.headers["content-type"].startswith("text/html")
    linked = set(re.findall(r'(?:src|href|url)\W+([^">]+)', page.text))
    assert linked == {"schema/openapi.json", "schema/openapi.yaml"}
    assert "<script" not in page.text
    for path in ROUTES:
        assert path in page.text


async def test_whoever_runs_it_needs_no_key_for_probes_and_metrics(stage: Stage) -> None:
    api = await stage.api()
    await api.client.get("/instances/8e2d9a51-6c5a-4a6e-9b60-7d1f2c3b4a59")
    await api.chat()
    async with httpx.AsyncClient(base_url=api.url) as stranger:
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
