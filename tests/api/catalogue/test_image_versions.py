"""What a worker has answered about its image is known at the next launch."""

from typing import Any, Final

import pytest

from services.api.catalogue.image_versions import ImageVersionRepository
from shared.lifecycle.events import Event
from shared.postgres.connection import connect_pool
from tests.api.stage import BODY, RunningApi, Stage
from tests.health.fake_worker import a_closed_port
from tests.lifecycle import facts as f

DIGEST: Final = "sha256:" + "0a" * 32
MOVING: Final = "registry.example/acme/vllm:latest"


def a_launch_on(image: str, version: str | None, **specification: Any) -> list[Event]:
    return [
        f.instance_requested(specification=f.a_specification(image=image, **specification)),
        f.instance_created(),
        f.instance_started(),
        f.ip_assigned(),
        f.ssh_install_started(),
        f.ssh_install_phase_reached(phase="image_pull", index=6, image=image),
        f.ssh_install_completed(),
        f.warmup_completed(vllm_version=version),
        f.instance_ready(),
    ]


async def refused_option(api: RunningApi, image: str) -> tuple[int, str]:
    """Whether an option that 0.13.0 does not have is refused, or what is warned of."""
    asked = {**BODY, "image": image, "vllm_args": ["--generation-config=vllm", "--tool-call-parser=gemma4"]}
    answer = await api.client.post("/instances", json=asked)
    told = answer.json()
    return answer.status_code, " ".join(told.get("warnings") or [error["detail"] for error in told["errors"]])


async def test_the_next_launch_of_a_digest_is_checked_by_what_its_worker_has_said(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api()
    pinned = f"vllm/vllm-openai@{DIGEST}"
    status, words = await refused_option(api, pinned)
    assert (status, "As soon as one is ready, launches of this digest are checked." in words) == (202, True)
    await api.projected(await stage.happened(*a_launch_on(pinned, "0.13.0")))
    for image in (pinned, f"registry.example/mirror/vllm:v0.32.0@{DIGEST}"):
        status, words = await refused_option(api, image)
        assert (status, "vLLM 0.13.0" in words) == (422, True), words


async def test_the_next_launch_of_a_tag_is_warned_by_what_its_latest_worker_has_said(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api()
    for version in ("0.32.0", None, "0.13.0"):
        await api.projected(await stage.happened(*a_launch_on(MOVING, version)))
    status, words = await refused_option(api, MOVING)
    assert status == 202
    assert f"{MOVING} held vLLM 0.13.0 on 2026-" in words
    assert f"If {MOVING} still holds vLLM 0.13.0: Invalid value 'gemma4' for --tool-call-parser" in words
    fit = await api.client.post("/models/fit", json={"model": BODY["model"], "image": MOVING})
    assert [warning for warning in fit.json()["warnings"] if "still holds" in warning or "held vLLM" in warning]


@pytest.mark.parametrize("images", [(MOVING,), ("vllm/vllm-openai:v0.32.0", None)])
async def test_without_the_database_only_the_names_say_it(images: tuple[str | None, ...]) -> None:
    url = f"postgresql://nobody@127.0.0.1:{a_closed_port()}/none"
    async with connect_pool(url, name="test", min_size=0) as pool:
        known = (await ImageVersionRepository(pool).of(images)).of(images[0])
    assert (known is None) is (images == (MOVING,))
