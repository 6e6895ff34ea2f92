"""What is asked of a deployment while somebody else changes it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from services.api.admission.deployment_intake import DeploymentIntake
from tests.api.deployed import put
from tests.api.stage import BODY, Stage

IMAGE = "ghcr.io/acme/vllm:v0.32.0"


async def test_what_was_changed_meanwhile_is_checked_before_it_is_changed_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member repeats what an administrator allowed, while the administrator takes it back at another api."""
    api, other = await stage.api(), await stage.api()
    await api.organization("acme")
    of_acme = BODY | {"organization": "acme"}
    await put(api, "chat", of_acme | {"image": IMAGE})
    catalogue: Callable[..., Awaitable[None]] = DeploymentIntake.catalogue
    taken_back: list[bool] = []

    async def while_it_is_taken_back(*arguments: Any) -> None:
        await catalogue(*arguments)
        if not taken_back:
            taken_back.append(True)
            await put(other, "chat", of_acme)

    async with api.as_(await api.user_key("acme")) as member:
        repeated = await member.put("/deployments/chat", json=BODY | {"image": IMAGE})
        assert (repeated.status_code, repeated.json()["version"]) == (200, 1)
        monkeypatch.setattr(DeploymentIntake, "catalogue", while_it_is_taken_back)
        refused = await member.put("/deployments/chat", json=BODY | {"image": IMAGE})
    assert (refused.status_code, refused.json()["code"]) == (403, "launch_not_allowed")
    shown = (await api.client.get("/deployments/chat", params={"organization": "acme"})).json()
    assert (shown["version"], shown["asked"]["image"]) == (2, None)
