"""Names of images are read as Docker reads them."""

import pytest

from shared.images import digest_of, is_allowed, repository_of

DIGEST = "@sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("vllm/vllm-openai", "docker.io/vllm/vllm-openai"),
        ("docker.io/vllm/vllm-openai:v0.32.0", "docker.io/vllm/vllm-openai"),
        ("index.docker.io/vllm/vllm-openai", "docker.io/vllm/vllm-openai"),
        ("ubuntu:24.04", "docker.io/library/ubuntu"),
        ("docker.io/ubuntu", "docker.io/library/ubuntu"),
        ("localhost/vllm", "localhost/vllm"),
        ("localhost:5000/ml/vllm:v1" + DIGEST, "localhost:5000/ml/vllm"),
        ("ghcr.io/vllm/vllm-openai", "ghcr.io/vllm/vllm-openai"),
    ],
)
def test_the_repository_is_told_whatever_the_tag(image: str, repository: str) -> None:
    assert repository_of(image) == repository


@pytest.mark.parametrize(
    "image",
    [
        "", "/", "a/", "/a", "a//b", "vllm/VLLM", "VLLM/vllm-openai", "vLLM/vllm-openai", "Docker.io/vllm/vllm-openai",
        "vllm/vllm-openai:", "vllm/vllm-openai@", "vllm/vllm-openai@sha256:00", "vllm/vllm-openai:a:b",
        "vllm/vllm-openai:v1\n", "vllm/vllm-openai ", "vllm/../vllm", "vllm/vllm-openai:ünicode", "https://docker.io/a",
    ],
)  # fmt: skip
def test_what_docker_would_not_take_for_a_name_has_no_repository(image: str) -> None:
    assert repository_of(image) is None


@pytest.mark.parametrize(
    "image", ["vllm/vllm-openai", "vllm/vllm-openai:nightly", "vllm/vllm-openai" + DIGEST, "docker.io/vllm/vllm-openai"]
)
def test_any_tag_or_digest_of_an_allowed_repository_is_allowed(image: str) -> None:
    assert is_allowed(image, ["vllm/vllm-openai"])


@pytest.mark.parametrize(
    "image",
    [
        "vllm/vllm-openai.evil.example/x", "vllm/vllm-openai-evil", "vllm/vllm-openai/x", "evil/vllm/vllm-openai",
        "evil.example/vllm/vllm-openai", "localhost/vllm/vllm-openai", "evil:5000/vllm/vllm-openai", "vllm-openai",
        "docker.io.evil.example/vllm/vllm-openai", "docker.io:443/vllm/vllm-openai", "docker.io/vllm/vllm/vllm-openai",
        "vLLM/vllm-openai", "vllm/vllm-opena\u00ed", "vllm/vllm-openai:v1/../../x", "evil/x@vllm/vllm-openai",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_not(image: str) -> None:
    assert not is_allowed(image, ["vllm/vllm-openai"])


def test_only_a_digest_names_the_same_image_for_ever() -> None:
    assert digest_of("vllm/vllm-openai:v0.32.0" + DIGEST) == digest_of("acme/mirror" + DIGEST) == DIGEST[1:]
    assert digest_of("vllm/vllm-openai:v0.32.0") is digest_of("no image" + DIGEST[:-1]) is None
