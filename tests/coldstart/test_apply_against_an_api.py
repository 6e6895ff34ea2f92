"""`coldstart apply`, `get` and `deploy` against an api that really runs."""

import asyncio
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from tests.api.conftest import stage
from tests.api.stage import ADMIN_KEY, EMBEDDING_MODEL, MODEL, RunningApi, Stage
from tests.coldstart.declared.test_page import DECLARED

__all__ = ["stage"]

FILE: Final = f"""\
kind: Organization
slug: acme
name: "Acme: the first"
insist: true
max_instances: 8
spend_per_hour: 12.5
---
kind: Model
model: {EMBEDDING_MODEL}
---
kind: Offering
organization: acme
code: embed
model: {EMBEDDING_MODEL}
---
kind: KeyLimits
organization: acme
name: somebody
requests_per_minute: 600
allowed_models: [acme/embed]
---
kind: Deployment
name: chat
organization: acme
model: {MODEL}
zones: [fr-par-2]
instance_types: [L4-1-24G, H100-1-80G]
max_replicas: 4
scale_to_zero_after: null
schedule:
  - {{ cron: 0 8 * * mon-fri, time_zone: Europe/Paris, min_replicas: 2, max_replicas: 4 }}
rollout: {{ surge: 2 }}
---
kind: Deployment
name: shared
model: {MODEL}
revision: refs/pr/1
vllm_args: ["--max-model-len=8192"]
"""


@pytest.fixture
async def api(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> RunningApi:
    await stage.projector()
    await stage.offer()
    api = await stage.api()
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", ADMIN_KEY)
    return api


async def run(*words: str | Path) -> Any:
    return await asyncio.to_thread(CliRunner().invoke, app, [str(word) for word in words])


async def applied(file: Path, *more: str) -> str:
    result = await run("apply", "-f", file, *more)
    assert result.exit_code == 0, result.output
    return str(result.stdout)


async def test_what_is_declared_is_there_and_what_is_got_changes_nothing(
    stage: Stage, api: RunningApi, tmp_path: Path
) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(FILE)
    first = await run("apply", "-f", file)
    assert (first.exit_code, "coldstart keys create somebody --organization acme" in first.stderr) == (1, True)
    await api.user_key("acme")
    assert "~ limits of the key acme/somebody" in await applied(file)
    recorded = await stage.last_sequence()
    assert "Nothing differs." in await applied(file)
    for form in ("yaml", "json"):
        for kind in ("orgs", "models", "offerings", "keys", "deployments"):
            got = await run("get", kind, "-o", form)
            assert got.exit_code == 0, got.output
            (tmp_path / f"{kind}.yaml").write_text(got.stdout)
        file.unlink(missing_ok=True)
        assert "Nothing differs." in await applied(tmp_path, "--prune")
    assert await stage.last_sequence() == recorded


async def test_what_the_page_declares_is_there_and_an_offering_of_a_deployment_is_got_as_one(
    api: RunningApi, tmp_path: Path
) -> None:
    await api.organization("acme")
    made = await api.client.post("/api-keys", json={"name": "backend", "organization": "acme"})
    assert made.status_code == 201, made.text
    file = tmp_path / "acme.yaml"
    file.write_text(DECLARED.replace("Qwen/Qwen2.5-7B-Instruct", MODEL))
    assert "2 to create, 2 to change." in await applied(file)
    assert "Nothing differs." in await applied(file, "--prune")
    file.write_text((await run("get", "offerings", "acme/assistant")).stdout)
    assert "model: chat\n" in file.read_text()
    assert "Nothing differs." in await applied(file, "--prune")


async def test_a_refusal_is_told_at_its_line_and_what_is_not_declared_is_deleted_by_command(
    api: RunningApi, tmp_path: Path
) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(FILE.replace("H100-1-80G", "H900"))
    refused = await run("apply", "-f", file)
    assert refused.exit_code == 1
    assert f"{file}:27: deployment acme/chat: instance_types.1: H900 is not offered; known are " in refused.stderr
    file.write_text(FILE.replace("0 8 * * mon-fri", "0 25 * * mon-fri"))
    assert f"{file}:31: deployment acme/chat: schedule.0.cron: " in (await run("apply", "-f", file)).stderr
    file.write_text(FILE)
    await api.user_key("acme")
    await applied(file)
    file.write_text("".join(f"{part}---\n" for part in FILE.split("---\n")[:4]))
    assert "Nothing differs." in await applied(file, "--prune"), "no file has a deployment"
    file.write_text(FILE.replace("name: shared", "name: other").replace("max_replicas: 4\nscale", "scale"))
    told = await applied(file, "--prune", "--yes")
    assert [line for line in told.splitlines() if line[0] in "+~-"] == [
        "~ deployment acme/chat",
        "+ deployment other",
        "- deployment shared",
    ]
    assert (await api.client.get("/deployments/shared")).status_code == 404


async def test_a_member_declares_what_its_organisation_has_without_naming_it(
    api: RunningApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.organization("acme")
    monkeypatch.setenv("COLDSTART_API_KEY", await api.user_key("acme"))
    await api.client.post("/models", json={"model": MODEL})
    file = tmp_path / "chat.yaml"
    file.write_text(f"kind: Deployment\nname: chat\nmodel: {MODEL}\n")
    assert "+ deployment chat" in await applied(file)
    assert "Nothing differs." in await applied(file, "--prune")
    file.write_text((await run("get", "deployments")).stdout)
    assert "organization: acme" in file.read_text()
    assert "Nothing differs." in await applied(file, "--prune")
    refused = await run("get", "keys")
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)


async def test_an_endpoint_is_made_in_one_line_changed_looked_at_and_ended(api: RunningApi) -> None:
    made = await run("deploy", MODEL, "--name", "chat", "--type", "L4-1-24G", "--max", "3", "--hold", "1m")
    assert made.exit_code == 0, made.output
    assert made.stdout.startswith("chat  at zero  0 of 0 ready\nbase URL   ")
    assert (await run("deploy", MODEL, "--name", "chat", "--scale-to-zero-after", "never")).exit_code == 0
    asked = (await api.client.get("/deployments/chat")).json()["asked"]
    assert (asked["max_replicas"], asked["hold"], asked["scale_to_zero_after"]) == (3, 60, None)
    assert (await run("deployments", "scale", "chat", "--max", "2")).exit_code == 0
    wrong = await run("deployments", "scale", "chat", "--min", "3")
    assert wrong.exit_code == 1
    assert "--min 3: " in wrong.stderr
    assert "at zero" in (await run("deployments", "list")).stdout
    for words in (("show",), ("pause",), ("resume",), ("restart",), ("timeline",), ("delete", "--yes")):
        result = await run("deployments", words[0], "chat", *words[1:])
        assert result.exit_code == 0, result.output
    assert (await run("deployments", "show", "nothing")).exit_code == 1
