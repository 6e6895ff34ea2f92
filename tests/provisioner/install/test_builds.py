"""Which image is taken instead where the driver is too old for CUDA 13."""

import pytest

from services.provisioner.install.builds import for_older_drivers, is_for_cuda_12_9

DIGEST = "@sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("image", "older"),
    [
        ("vllm/vllm-openai:v0.32.0", "vllm/vllm-openai:v0.32.0-cu129"),
        ("docker.io/vllm/vllm-openai:v0.20.0", "docker.io/vllm/vllm-openai:v0.20.0-cu129"),
        ("mirror.example:5000/vllm/vllm-openai:v0.32.0", "mirror.example:5000/vllm/vllm-openai:v0.32.0-cu129"),
    ],
)
def test_a_version_for_cuda_13_has_a_build_for_older_drivers(image: str, older: str) -> None:
    assert for_older_drivers(image) == older


@pytest.mark.parametrize(
    "image",
    [
        "vllm/vllm-openai:v0.19.1", "vllm/vllm-openai:v0.13.0", "vllm/vllm-openai:v0.32.0-cu129",
        "vllm/vllm-openai:v0.19.0-cu130", "vllm/vllm-openai:latest", "vllm/vllm-openai:v0.32.0" + DIGEST,
        "vllm/vllm-openai:v0.32.0rc1", "acme/vllm:v0.32.0", "evil/vllm/vllm-openai-evil:v0.32.0", "no image",
    ],
)  # fmt: skip
def test_an_image_for_cuda_12_or_of_one_s_own_is_taken_as_it_is(image: str) -> None:
    assert for_older_drivers(image) is None


@pytest.mark.parametrize(
    ("image", "known"),
    [
        ("vllm/vllm-openai:v0.32.0-cu129", True), ("vllm/vllm-openai:v0.13.0", True),
        ("vllm/vllm-openai:v0.19.1", True), ("vllm/vllm-openai:v0.20.0", False),
        ("vllm/vllm-openai:v0.12.0", False), ("vllm/vllm-openai:v0.19.0-cu130", False),
        ("acme/vllm:v0.13.0", False), ("no image", False),
    ],
)  # fmt: skip
def test_the_builds_for_cuda_12_9_are_known_by_their_tags(image: str, known: bool) -> None:
    assert is_for_cuda_12_9(image) is known
