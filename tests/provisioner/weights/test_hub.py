"""The list of a model's files, as the simulated hub tells it and huggingface_hub reads it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.provisioner.weights.hub import HubWeights
from simulator.app import Simulator
from simulator.hub.models import MODELS
from simulator.scenario import HubError, Scenario
from simulator.settings import SimulatorSettings
from tests.provisioner.listed import listed

SMALL = "Qwen/Qwen2.5-0.5B-Instruct"
PRIVATE = "acme-labs/support-7b"


@asynccontextmanager
async def asking(
    folder: Path, scenario: Scenario | None = None, *, with_token: bool = True
) -> AsyncGenerator[HubWeights]:
    settings = SimulatorSettings(data_dir=folder, scenario=scenario or Scenario())
    async with Simulator(settings) as simulator:
        token: SecretStr | None = simulator.settings.hub_token if with_token else None
        weights = HubWeights(simulator.hub_url, token, served_by="https://huggingface.co", timeout_s=2.0)
        yield weights
        weights.close()


async def test_a_list_has_each_file_of_the_commit_with_its_size_its_checksum_and_its_address(tmp_path: Path) -> None:
    async with asking(tmp_path) as weights:
        assert await weights.list(SMALL, MODELS[SMALL].sha) == listed(SMALL)


async def test_of_a_commit_that_the_hub_does_not_have_there_is_no_list(tmp_path: Path) -> None:
    async with asking(tmp_path) as weights:
        assert await weights.list(SMALL, "0" * 40) is None
        assert await weights.list("nobody/nothing", "0" * 40) is None
        assert await weights.list("ggml-org/gpt2-GGUF", MODELS["ggml-org/gpt2-GGUF"].sha) is None


async def test_our_token_lists_what_is_private(tmp_path: Path) -> None:
    for with_token in (True, False):
        async with asking(tmp_path / str(with_token), with_token=with_token) as weights:
            assert (await weights.list(PRIVATE, MODELS[PRIVATE].sha) is not None) is with_token


@pytest.mark.parametrize("error", [HubError.TOO_MANY_REQUESTS, HubError.INTERNAL, HubError.TIMEOUT])
async def test_a_hub_that_fails_gives_no_list_and_raises_nothing(tmp_path: Path, error: HubError) -> None:
    async with asking(tmp_path, Scenario(hub_error=error, hang=0.1)) as weights:
        assert await weights.list(SMALL, MODELS[SMALL].sha) is None
