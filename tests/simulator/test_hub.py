"""The hub as huggingface_hub's own client sees it."""

import hashlib
from typing import Any

import httpx2
import pytest
from httpx2 import TimeoutException
from huggingface_hub import HfApi
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import ModelInfo, RepoFile
from huggingface_hub.utils import paginate  # type: ignore[attr-defined]  # exported lazily

from simulator.app import Simulator
from simulator.scenario import HubError
from tests.simulator.clients import DEADLINE, Control, ask
from tests.simulator.conftest import QUICK

EXPAND = ["gated", "private", "sha", "safetensors", "config", "pipeline_tag"]


async def info(simulator: Simulator, model: str, *, token: str | bool = False, **more: Any) -> ModelInfo:
    api = HfApi(endpoint=simulator.hub_url, token=token)
    return await ask(api.model_info, model, **{"expand": EXPAND, "timeout": DEADLINE, **more})


def token_of(simulator: Simulator) -> str:
    return simulator.settings.hub_token.get_secret_value()


async def test_a_public_model_says_its_task_and_size(simulator: Simulator) -> None:
    model = await info(simulator, "Qwen/Qwen2.5-0.5B-Instruct")
    assert (model.id, model.private, model.gated) == ("Qwen/Qwen2.5-0.5B-Instruct", False, False)
    assert model.pipeline_tag == "text-generation"
    assert model.safetensors is not None
    assert model.safetensors.total == 494_032_768
    assert model.config == {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"}
    assert model.downloads is None


async def test_a_model_of_packed_weights_says_how_they_are_packed(simulator: Simulator) -> None:
    model = await info(simulator, "Qwen/Qwen2.5-7B-Instruct-AWQ")
    assert model.safetensors is not None
    assert model.safetensors.parameters["I32"] == 6_525_288_448
    assert model.config is not None
    assert model.config["quantization_config"] == {"bits": 4, "quant_method": "awq"}


async def test_of_other_files_than_safetensors_nothing_is_counted(simulator: Simulator) -> None:
    assert (await info(simulator, "facebook/opt-125m")).safetensors is None


@pytest.mark.parametrize(
    ("hub_error", "seen"),
    [
        (HubError.TOO_MANY_REQUESTS, HfHubHTTPError),
        (HubError.INTERNAL, HfHubHTTPError),
        (HubError.TIMEOUT, TimeoutException),
    ],
)
async def test_a_scenario_has_the_hub_fail(
    simulator: Simulator, control: Control, hub_error: HubError, seen: type[Exception]
) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"hub_error": hub_error, "hang": 60, "retry_after": 7}))
    with pytest.raises(seen) as failed:
        await info(simulator, "Qwen/Qwen2.5-0.5B-Instruct", timeout=0.2)
    if hub_error is HubError.TOO_MANY_REQUESTS:
        assert "Retry after 7 seconds" in str(failed.value)


async def test_without_expand_everything_is_told(simulator: Simulator) -> None:
    model = await info(simulator, "Qwen/Qwen2.5-7B-Instruct", expand=None)
    assert model.tags is not None
    assert "license:apache-2.0" in model.tags
    assert model.siblings


async def test_an_embedding_model_says_so(simulator: Simulator) -> None:
    assert (await info(simulator, "BAAI/bge-small-en-v1.5")).pipeline_tag == "feature-extraction"


async def test_a_gated_models_card_is_public_but_its_files_are_not(simulator: Simulator) -> None:
    gated = "meta-llama/Llama-3.1-8B-Instruct"
    assert (await info(simulator, gated)).gated == "manual"
    with pytest.raises(GatedRepoError):
        await ask(HfApi(endpoint=simulator.hub_url, token=False).auth_check, gated)
    await ask(HfApi(endpoint=simulator.hub_url, token=token_of(simulator)).auth_check, gated)


@pytest.mark.parametrize("model", ["acme-labs/support-7b", "nobody/nothing", "nothing"])
async def test_private_and_missing_look_the_same_to_a_stranger(simulator: Simulator, model: str) -> None:
    with pytest.raises(RepositoryNotFoundError) as refused:
        await info(simulator, model)
    assert refused.value.response.status_code == 401


async def test_the_right_token_sees_the_private_model_and_a_missing_one_is_404(simulator: Simulator) -> None:
    assert (await info(simulator, "acme-labs/support-7b", token=token_of(simulator))).private
    with pytest.raises(RepositoryNotFoundError) as missing:
        await info(simulator, "nobody/nothing", token=token_of(simulator))
    assert missing.value.response.status_code == 404


async def test_a_legacy_name_leads_to_its_model(simulator: Simulator) -> None:
    assert (await info(simulator, "gpt2")).id == "openai-community/gpt2"


async def test_a_revision_is_the_branch_or_the_commit(simulator: Simulator) -> None:
    sha = (await info(simulator, "Qwen/Qwen2.5-0.5B-Instruct")).sha
    assert (await info(simulator, "Qwen/Qwen2.5-0.5B-Instruct", revision=sha)).sha == sha
    with pytest.raises(RevisionNotFoundError):
        await info(simulator, "Qwen/Qwen2.5-0.5B-Instruct", revision="v2")


LISTED = ["gated", "private", "safetensors", "config", "pipeline_tag", "downloads", "disabled"]


async def listed(simulator: Simulator, *, token: str | bool = False, **query: Any) -> list[ModelInfo]:
    api = HfApi(endpoint=simulator.hub_url, token=token)
    return await ask(lambda: list(api.list_models(**query)))


async def test_models_are_searched_by_words_and_the_most_downloaded_comes_first(simulator: Simulator) -> None:
    found = await listed(simulator, search="qwen INSTRUCT", sort="downloads", limit=2, expand=LISTED)
    assert [model.id for model in found] == ["Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-0.5B-Instruct"]
    assert found[0].safetensors is not None
    assert (found[0].safetensors.total, found[0].gated, found[0].private) == (7_615_616_512, False, False)
    assert found[0].config == {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"}
    assert found[0].sha is None


async def test_a_list_tells_little_unless_asked_for_more(simulator: Simulator) -> None:
    (model,) = await listed(simulator, search="bge-small")
    assert (model.pipeline_tag, model.downloads) == ("feature-extraction", 7_000_000)
    assert (model.config, model.safetensors, model.gated) == (None, None, None)


async def test_only_the_right_token_has_private_models_listed(simulator: Simulator) -> None:
    assert await listed(simulator, search="support") == []
    (private,) = await listed(simulator, search="support", token=token_of(simulator), expand=["private"])
    assert private.private


async def test_a_list_is_followed_from_page_to_page(simulator: Simulator) -> None:
    address = f"{simulator.hub_url}/api/models"
    query = {"limit": 2, "search": "qwen2.5", "sort": "downloads", "expand": ["downloads"]}
    items = await ask(lambda: list(paginate(address, params=query, headers={})))
    assert len(items) == 6
    assert [item["downloads"] for item in items] == sorted((item["downloads"] for item in items), reverse=True)
    assert {model.id for model in await listed(simulator, search="qwen2.5")} == {item["id"] for item in items}


@pytest.mark.parametrize("query", [{"expand": ["usedStorage"]}, {"expand": ["nonsense"]}, {"sort": "size"}])
async def test_a_list_refuses_what_the_hub_refuses(simulator: Simulator, query: dict[str, Any]) -> None:
    with pytest.raises(HfHubHTTPError) as refused:
        await listed(simulator, **query)
    assert refused.value.response.status_code == 400


async def test_owners_have_an_overview_and_nobody_else(simulator: Simulator) -> None:
    api = HfApi(endpoint=simulator.hub_url, token=False)
    assert (await ask(api.get_organization_overview, "qwen")).name == "Qwen"
    assert (await ask(api.get_user_overview, "julien-c")).username == "julien-c"
    for question in (api.get_organization_overview, api.get_user_overview):
        with pytest.raises(HfHubHTTPError) as missing:
            await ask(question, "nobody")
        assert missing.value.response.status_code == 404
    with pytest.raises(HfHubHTTPError):
        await ask(api.get_user_overview, "Qwen")


async def test_the_files_of_a_commit_are_listed_with_sizes_and_checksums(simulator: Simulator) -> None:
    api = HfApi(endpoint=simulator.hub_url, token=False)
    commit = (await info(simulator, "Qwen/Qwen2.5-7B-Instruct")).sha
    listed = await ask(lambda: list(api.list_repo_tree("Qwen/Qwen2.5-7B-Instruct", revision=commit)))
    files = {file.path: file for file in listed if isinstance(file, RepoFile)}
    shards = [file for path, file in files.items() if path.endswith(".safetensors")]
    assert (len(shards), sum(file.size for file in shards)) == (4, 2 * 7_615_616_512)
    assert all(file.lfs is not None and len(file.lfs.sha256) == 64 for file in shards)
    assert files["config.json"].lfs is None


async def test_the_information_on_a_model_tells_the_same_of_its_files(simulator: Simulator) -> None:
    api = HfApi(endpoint=simulator.hub_url, token=False)
    model = "Qwen/Qwen2.5-0.5B-Instruct"
    siblings = (await ask(api.model_info, model, files_metadata=True)).siblings
    listed = await ask(lambda: list(api.list_repo_tree(model)))
    assert siblings is not None
    assert {(each.rfilename, each.size, each.blob_id) for each in siblings} == {
        (file.path, file.size, file.blob_id) for file in listed if isinstance(file, RepoFile)
    }


async def test_a_small_file_has_the_git_id_that_the_list_says(simulator: Simulator) -> None:
    api = HfApi(endpoint=simulator.hub_url, token=False)
    model = "Qwen/Qwen2.5-0.5B-Instruct"
    listed = await ask(lambda: list(api.list_repo_tree(model)))
    small = [file for file in listed if isinstance(file, RepoFile) and file.lfs is None]
    assert [file.path for file in small] == ["config.json", "tokenizer.json"]
    for file in small:
        content = (await ask(httpx2.get, f"{simulator.hub_url}/{model}/resolve/main/{file.path}")).content
        assert len(content) == file.size
        assert hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest() == file.blob_id
