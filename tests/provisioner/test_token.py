"""Who gets the operator's HF token: gated models on images that may have it, and nobody else."""

from typing import Any

import pytest
from pydantic import ValidationError

from shared.lifecycle import decide
from shared.lifecycle import events as e
from shared.lifecycle.wish import Findings, Wish
from tests.provisioner.stage import Stage, quick

TOKEN = "hf_secret"
OWN = "by/the-operator:1"


@pytest.mark.parametrize(
    ("specification", "given"),
    [
        ({"gated": True}, True),
        ({"gated": True, "image": "vllm/vllm-openai:v0.12.0"}, True),
        ({"gated": False}, False),
        ({"gated": False, "image": "vllm/vllm-openai:v0.12.0"}, False),
        ({"gated": True, "image": "evil/vllm-openai:v0.32.0"}, False),
        ({"gated": True, "image": "evil.example/vllm/vllm-openai"}, False),
        ({"gated": None}, True),  # requested before anybody recorded it
        ({"gated": None, "image": "evil/vllm-openai:v0.32.0"}, False),
    ],
)
async def test_the_token_goes_to_gated_models_on_allowed_images_only(
    stage: Stage, specification: dict[str, Any], *, given: bool
) -> None:
    stage.with_settings(hf_token=TOKEN)
    await stage.launched(**specification)
    await stage.deliver(e.SshReachable)
    (script,) = stage.shell.received
    assert (TOKEN.encode() in script) is given


async def test_a_reinstall_gives_what_the_recorded_request_allows_whatever_is_asked_for_later(stage: Stage) -> None:
    stage.with_settings(hf_token=TOKEN)
    await stage.launched(gated=False)
    await stage.deliver(e.SshReachable)
    await stage.happened(e.InstanceReady, attempt=1)
    await stage.intended(decide.reinstall)
    await stage.deliver(e.ReinstallRequested)
    assert [TOKEN.encode() in script for script in stage.shell.received] == [False, False]


def test_an_image_of_the_settings_may_have_it_and_more_repositories_may_be_allowed() -> None:
    settings = quick(hf_token=TOKEN, vllm_image=OWN, allowed_images=("registry.example:5000/ml/vllm",))
    tokens = {
        image: settings.hf_token_for(Wish(name="a", model="a/b", image=image), Findings(gated=True))
        for image in (None, "registry.example:5000/ml/vllm:v2", "vllm/vllm-openai:v0.32.0")
    }
    assert tokens == {None: TOKEN, "registry.example:5000/ml/vllm:v2": TOKEN, "vllm/vllm-openai:v0.32.0": None}


@pytest.mark.parametrize("wrong", ["vllm/vllm-openai:v0.32.0", "VLLM/vllm", "", "*"])
def test_what_is_no_repository_is_refused_at_the_start(wrong: str) -> None:
    with pytest.raises(ValidationError, match="allowed_images"):
        quick(allowed_images=(wrong,))
