"""Which vLLM an image holds, as its tag and its workers name it."""

import pytest

from shared.vllm_version import VllmVersion, version_in

DIGEST = "@sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("vllm/vllm-openai:v0.32.0", (0, 32, 0)),
        ("docker.io/vllm/vllm-openai:v0.32.0-cu129", (0, 32, 0)),
        ("vllm/vllm-openai:v0.14.1" + DIGEST, (0, 14, 1)),
        ("localhost:5000/ml/vllm:0.13.0", (0, 13, 0)),
        ("registry.example/acme/our-vllm:v0.20.2.post1", (0, 20, 2)),
        ("vllm/vllm-openai:v0.14.0rc1", (0, 14, 0)),
        ("acme/vllm:v0.20.0_tools", (0, 20, 0)),
    ],
)
def test_a_tag_that_begins_with_a_version_names_it(image: str, version: tuple[int, int, int]) -> None:
    assert version_in(image) == version


@pytest.mark.parametrize(
    "image",
    [
        "vllm/vllm-openai", "vllm/vllm-openai:latest", "vllm/vllm-openai" + DIGEST, "vllm/vllm-openai:nightly-0.32.0",
        "vllm/vllm-openai:v0.32", "vllm/vllm-openai:v0.32.0.1", "vllm/vllm-openai:v0.32.0x", "acme/gateway:v1.2.3",
        "vllm.example/acme/gateway:v1.2.3", "vllm/vllm-openai:v٠.32.0", "no image",
    ],
)  # fmt: skip
def test_any_other_name_says_nothing(image: str) -> None:
    assert version_in(image) is None


@pytest.mark.parametrize(
    ("text", "version"),
    [
        *(("0.32.0", "0.32.0"), ("v0.32.0", "0.32.0"), ("0.32.0+cpu", "0.32.0"), ("0.6.3.post1", "0.6.3")),
        *(("0.32.1rc1.dev57+g0123abc", "0.32.1"), ("0.1.dev1+g0123abc", None), ("dev", None), ("", None)),
        *(("0.32", None), ("0.32.00000", None), ("x0.32.0", None), ("٠.32.0", None)),
    ],
)
def test_a_worker_names_its_version_with_what_it_was_built_from(text: str, version: str | None) -> None:
    answered = VllmVersion.answered(text)
    assert (None if answered is None else str(answered)) == version


def test_versions_are_compared_by_their_numbers() -> None:
    assert VllmVersion.parsed("0.9.2") < VllmVersion.parsed("v0.13.0") < VllmVersion.parsed("0.13.1")
    assert str(VllmVersion.parsed("v0.13.0")) == "0.13.0"
    with pytest.raises(ValueError, match=r"'0\.13' is no version of vLLM"):
        VllmVersion.parsed("0.13")
