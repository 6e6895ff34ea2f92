"""A month in a small company that runs models on rented GPUs: what the pictures show. The same for the same seed."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

from shared.install_output import InstallOutput, InstallOutputs, OutputLine
from shared.lifecycle.events import Event
from shared.lifecycle.fact import Action
from shared.lifecycle.instance import Instance
from shared.postgres.connection import connect_pool
from tests.api.stage import RunningApi, Stage, until
from tests.console.scenery import endpoints
from tests.console.scenery.kinds import CHAT, EMBEDDING, LARGE, SMALL, TYPES
from tests.console.scenery.lives import Lives, at_address, ended, from_then, until_now
from tests.console.scenery.traffic import DAYS, SATURDAY, requests, spoken
from tests.lifecycle import facts as f
from tests.lifecycle.facts import Facts

SEED: Final = 7
AS_IT_CAME: Final = "UPDATE timeline SET recorded_at = occurred_at"
"""The stream's clock says when it was told of all this, which is now."""


@dataclass
class Scenery:
    """What the pages are about."""

    loading: Instance
    failed: Instance
    ready: Instance


async def a_month(stage: Stage, api: RunningApi) -> Scenery:
    """Organisations, keys, models and offerings; thirty days of instances and requests; and what there is now."""
    random, now = Random(SEED), datetime.now(UTC)  # noqa: S311  nothing secret
    lives = Lives(random)
    await stage.offer(*TYPES)
    organizations = await _tenants(api)
    await _past(stage, lives, random, now, list(organizations.values()))
    worker = await stage.worker()
    worker.answer = spoken
    await endpoints.deployed(stage, lives, now, organizations, worker.address)
    scenery = await _present(stage, lives, now, organizations, worker.address)
    last = await stage.last_sequence()

    async def projected() -> bool:
        seen = (await api.client.get("/instances", params={"limit": 1})).headers["last-event-id"]
        return int(seen.partition("-")[2]) >= last

    await until(projected, within_s=60)
    async with connect_pool(stage.database_url, name="scenery", command_timeout_s=30) as pool:
        await pool.execute(AS_IT_CAME)
        await requests(pool, api, random, now, scenery.ready.id)
        await endpoints.load(pool, now)
    await stage.stack.enter_async_context(endpoints.asked(stage))
    return scenery


async def _tenants(api: RunningApi) -> dict[str, UUID]:
    for model in (EMBEDDING, LARGE, SMALL, CHAT):
        (await api.client.post("/models", json={"model": model})).raise_for_status()
    acme = await api.organization("acme", name="Acme", max_instances=6, spend_per_month=2500, at_limit="drain")
    lab = await api.organization("vision-lab", name="Vision lab", max_instances=2, spend_per_hour=6)
    await api.offering("acme", "chat", CHAT)
    await api.offering("acme", "search", EMBEDDING)
    await api.offering("acme", "chat-next", LARGE, active=False)
    keys: tuple[dict[str, Any], ...] = (
        {"name": "support desk", "organization": "acme", "requests_per_minute": 600, "allowed_models": ["acme/chat"]},
        {"name": "search index", "organization": "acme", "tokens_per_minute": 200_000},
        {"name": "evaluation", "organization": "vision-lab", "max_concurrent": 8},
        {"name": "notebooks", "requests_per_minute": 60},
    )
    for key in keys:
        made = await api.client.post("/api-keys", json=key)
        assert made.status_code == 201, made.text
    return {"acme": UUID(acme["id"]), "vision-lab": UUID(lab["id"])}


async def _past(stage: Stage, lives: Lives, random: Random, now: datetime, owners: list[UUID]) -> None:
    kinds = ((CHAT, "L40S-1-48G"), (SMALL, "L4-1-24G"), (LARGE, "H100-2-80G"), (EMBEDDING, "L4-1-24G"))
    histories: list[Facts] = []
    for day in range(DAYS, 0, -1):
        weekend = (now - timedelta(days=day)).weekday() >= SATURDAY
        for _ in range(random.choice((0, 1)) if weekend else random.choice((1, 2, 2, 3))):
            model, instance_type = random.choices(kinds, (4, 3, 2, 1))[0]
            owner = random.choice((*owners, owners[0], None))
            begin = now - timedelta(days=day) + timedelta(hours=random.uniform(-3, 4))
            until_then = begin + timedelta(hours=random.uniform(3, 16))
            launch = lives.launch(f"run-{len(histories)}", model, instance_type, organization_id=owner)
            histories.append(ended(from_then(launch, begin), min(until_then, now - timedelta(hours=2))))
    await asyncio.gather(*(stage.happened(*history) for history in histories))


async def _present(stage: Stage, lives: Lives, now: datetime, owners: dict[str, UUID], address: str) -> Scenery:
    acme, lab = owners["acme"], owners["vision-lab"]
    chat = at_address(lives.launch("support-chat", CHAT, "L40S-1-48G"), address)
    ready = await stage.happened(*until_now(chat, now, timedelta(days=2, hours=7)))
    search = lives.launch("search", EMBEDDING, "L4-1-24G", organization_id=acme, zone="pl-waw-2")
    await stage.happened(*until_now(search, now, timedelta(days=5, hours=1)))
    evaluation = lives.launch("evaluation-72b", LARGE, "H100-2-80G", organization_id=lab, zone="pl-waw-2")
    loading = await stage.happened(*until_now(evaluation[:-8], now, timedelta(seconds=95)))
    await stage.happened(*until_now(lives.launch("notebooks", SMALL, "L4-1-24G")[:15], now, timedelta(seconds=31)))
    await stage.happened(*_out_of_stock(lives, now))
    failed = await _failed(stage, lives, now, lab)
    return Scenery(loading, failed, ready)


def _out_of_stock(lives: Lives, now: datetime) -> Facts:
    request = lives.launch("reranker", SMALL, "L4-1-24G", zone="fr-par-2")[0]
    refusals = (
        f.action_delayed(number=number, reason=f"no L4-1-24G in {zone}", code="out_of_stock")
        for number, zone in enumerate(("fr-par-2", "pl-waw-2"), start=1)
    )
    begin = now - timedelta(seconds=38)
    return from_then(f.timed(request, *refusals, start=begin, seconds=16), begin)


async def _failed(stage: Stage, lives: Lives, now: datetime, owner: UUID) -> Instance:
    """Its image was never published: three tries, and why."""
    history = lives.launch("captions", CHAT, "L40S-1-48G", organization_id=owner, keep_for_inspection=True)[:16]
    message = "The install failed three times, last at image_pull: manifest for vllm/vllm-openai:v0.31.0 not found."
    lines = (
        "::phase::docker_install",
        "docker 28.2.2 is there",
        "::phase::nvidia_toolkit",
        "nvidia-container-toolkit 1.17.8 is there",
        "::phase::image_pull",
        "Error response from daemon: manifest for vllm/vllm-openai:v0.31.0 not found: manifest unknown",
    )
    tries = (
        f.ssh_install_failed(
            install_try=number, exit_status=1, phase="image_pull", reason="the image could not be pulled", output=lines
        )
        for number in (1, 2, 3)
    )
    end = f.startup_failed(code="install_failed", message=message)
    delayed = f.action_delayed(action=Action.INSTALL, number=1, code="install_failed", reason="docker pull failed")
    late: tuple[Event, ...] = (delayed, *tries, end)
    begin = history[-1].occurred_at
    placed = (
        one.model_copy(update={"occurred_at": begin + timedelta(seconds=20 * index)})
        for index, one in enumerate(late, start=1)
    )
    failed = await stage.happened(*until_now((*history, *placed), now, timedelta(minutes=12)))
    told = tuple(
        OutputLine(number=number, at=failed.updated_at - timedelta(seconds=9 - number), text=text)
        for number, text in enumerate(lines, start=1)
    )
    outputs = InstallOutputs(stage.connection.jetstream(), replicas=1)
    await outputs.publish(failed.id, InstallOutput(attempt=1, install_try=3, lines=told, updated_at=failed.updated_at))
    return failed
