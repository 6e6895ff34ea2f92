"""What is checked about the vLLM in the images that a launch may get."""

from datetime import UTC, datetime
from typing import Final

import pytest

from services.api.admission.vllm_images import certain_version, default_utilization, refused_options, warnings
from services.api.catalogue.image_versions import ImageVersion, ImageVersions
from shared.lifecycle.wish import Findings, Wish
from shared.offers.instance_types import InstanceType
from shared.vllm_version import VllmVersion

OLD, NEW, OWN = "vllm/vllm-openai:v0.13.0", "vllm/vllm-openai:v0.32.0", "acme/vllm:latest"
BY_NAME: Final = ImageVersions()
DIGEST: Final = "sha256:" + "a" * 64
SWAP = ("--enforce-eager", "--swap-space", "4")


def offer(name: str, image: str | None) -> InstanceType:
    return InstanceType(name=name, zones=("a",), gpus=1, gpu_memory_gb=24.0, image=image)


def wish(*types: str, image: str | None = None, args: tuple[str, ...] = SWAP) -> Wish:
    return Wish(name="x", model="a/b", instance_types=types, image=image, vllm_args=args)


def pointers(wanted: Wish, *offered: InstanceType, versions: ImageVersions = BY_NAME) -> list[str]:
    return [error.pointer for error in refused_options(wanted, Findings(), offered, versions)]


def test_an_option_that_the_image_of_the_type_has_dropped_is_refused_at_its_place() -> None:
    (error,) = refused_options(wish("L4"), Findings(), [offer("L4", NEW)], BY_NAME)
    assert error.pointer == "/vllm_args/1"
    assert error.detail.startswith("vLLM 0.32.0 has no --swap-space: 0.18.0 removed it.")
    assert pointers(wish("L4"), offer("L4", OLD)) == []


def test_the_image_of_the_request_counts_before_that_of_the_type() -> None:
    assert pointers(wish("L4", image=OLD), offer("L4", NEW)) == []
    assert pointers(wish("L4", image=NEW), offer("L4", OLD)) == ["/vllm_args/1"]


def test_every_type_that_the_launch_may_get_must_take_the_options() -> None:
    types = (offer("L4", OLD), offer("H100", NEW))
    assert pointers(wish("L4"), *types) == []
    assert pointers(wish("L4", "H100"), *types) == ["/vllm_args/1"]
    assert pointers(wish(), *types) == ["/vllm_args/1"]


def test_two_builds_of_a_version_refuse_an_option_once() -> None:
    assert pointers(wish(), offer("L4", NEW), offer("H100", f"{NEW}-cu129")) == ["/vllm_args/1"]


@pytest.mark.parametrize("image", [OWN, None])
def test_an_image_without_a_known_version_takes_any_option_that_may_be_set(image: str | None) -> None:
    assert pointers(wish("L4"), offer("L4", image)) == []


def warned(wanted: Wish, *offered: InstanceType, versions: ImageVersions = BY_NAME) -> list[str]:
    return list(warnings(wanted, Findings(), offered, versions))


def test_a_version_that_nobody_knows_is_warned_of_with_what_was_not_checked() -> None:
    (warning,) = warned(wish("L4"), offer("L4", OWN))
    assert warning == (
        "Whether it serves this model and takes these options was not checked, because acme/vllm:latest names no "
        "version of vLLM, and no worker of it has said it yet. Use a tag such as v0.32.0."
    )
    (warning,) = warned(wish("L4", args=()), offer("L4", OWN))
    assert warning.startswith("Whether it serves this model was not checked, because acme/vllm:latest names no")
    (warning,) = warned(wish("L4", args=(), image=f"vllm/vllm-openai@{DIGEST}"), offer("L4", NEW))
    assert warning.endswith("As soon as one is ready, launches of this digest are checked.")
    assert warned(wish("L4"), offer("L4", None)) == []


def said_by_workers(*images: str, version: str = "0.32.0") -> ImageVersions:
    seen = ImageVersion(VllmVersion.parsed(version), datetime(2026, 11, 20, tzinfo=UTC))
    return ImageVersions(dict.fromkeys(images, seen))


def test_a_digest_is_for_ever_what_a_worker_of_it_has_said() -> None:
    image, versions = f"vllm/vllm-openai:v0.13.0@{DIGEST}", said_by_workers(DIGEST)
    assert pointers(wish("L4", image=image), offer("L4", NEW), versions=versions) == ["/vllm_args/1"]
    assert warned(wish("L4", image=image), offer("L4", NEW), versions=versions) == []
    other = image.replace("a" * 64, "b" * 64)
    assert pointers(wish("L4", image=other), offer("L4", NEW), versions=versions) == []


def test_a_tag_is_only_likely_to_be_what_a_worker_of_it_has_said() -> None:
    wanted, versions = wish("L4", image=OWN), said_by_workers(OWN)
    assert pointers(wanted, offer("L4", NEW), versions=versions) == []
    first, second = warned(wanted, offer("L4", NEW), versions=versions)
    assert first == (
        "acme/vllm:latest held vLLM 0.32.0 on 2026-11-20, and was checked as that, but the tag may name another "
        "version by now. Use a tag such as v0.32.0, or a digest."
    )
    assert second.startswith("If acme/vllm:latest still holds vLLM 0.32.0: vLLM 0.32.0 has no --swap-space: ")


def test_a_tag_that_names_a_version_needs_no_worker_to_say_it() -> None:
    assert pointers(wish("L4"), offer("L4", NEW), versions=said_by_workers(NEW, version="0.13.0")) == ["/vllm_args/1"]


def test_a_version_with_holes_is_warned_of_with_those_that_it_has() -> None:
    (warning,) = warned(wish("L4", args=()), offer("L4", OLD))
    assert warning == (
        "vllm/vllm-openai:v0.13.0: vLLM 0.13.0 has known security holes (CVE-2026-22807, CVE-2026-22778, "
        "CVE-2026-27893). Choose 0.18.0 or later."
    )
    (warning,) = warned(wish("L4", image="vllm/vllm-openai:v0.14.1"), offer("L4", NEW))
    assert "(CVE-2026-27893)" in warning
    assert warned(wish("L4"), offer("L4", NEW)) == []


@pytest.mark.parametrize("tag", ["v0.12.0", "v0.33.0", "v1.0.0"])
def test_options_of_a_version_that_is_not_supported_are_taken_with_a_warning(tag: str) -> None:
    wanted = wish("L4", image=f"vllm/vllm-openai:{tag}", args=("--tool-call-parser", "brand-new"))
    assert pointers(wanted, offer("L4", NEW)) == []
    assert warned(wanted, offer("L4", NEW))[-1] == (
        f"vllm/vllm-openai:{tag}: vLLM {tag[1:]} is not supported: models and options are not checked. "
        "Use 0.13.0 to 0.32.0."
    )


@pytest.mark.parametrize("tag", ["v0.13.0", "v0.13.7", "v0.20.3", "v0.32.0", "v0.32.4"])
def test_a_patch_of_a_supported_version_is_supported(tag: str) -> None:
    wanted = wish("L4", image=f"vllm/vllm-openai:{tag}", args=("--tool-call-parser", "nobody"))
    assert pointers(wanted, offer("L4", NEW)) == ["/vllm_args/0"]
    assert not [warning for warning in warned(wanted, offer("L4", NEW)) if "not supported" in warning]


def test_the_share_of_memory_is_the_version_s_own() -> None:
    assert [default_utilization(certain_version(image, BY_NAME)) for image in (OLD, NEW, OWN, None)] == [
        0.9,
        0.92,
        0.9,
        0.9,
    ]
    assert default_utilization(certain_version(f"acme/x@{DIGEST}", said_by_workers(DIGEST))) == 0.92
