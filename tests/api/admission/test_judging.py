"""A reinstall is judged by the image of today, as a launch is."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest

from services.api.admission.judging import judged, refused_again
from services.api.catalogue.hub.client import HubUnreachable, Reply
from services.api.catalogue.image_versions import ImageVersion, ImageVersions
from shared.lifecycle.wish import Findings, Wish
from shared.offers.instance_types import InstanceType
from shared.vllm_version import VllmVersion
from tests.api.admission.shapes import GB, LLAMA, QWEN2, a_repository
from tests.lifecycle import facts as f

OLD, NEW, OWN = "vllm/vllm-openai:v0.13.0", "vllm/vllm-openai:v0.32.0", "acme/vllm:latest"
UNREAD: Final = HubUnreachable("it is down")
NO_OPTION: Final = "vLLM 0.32.0 has no --swap-space: 0.18.0 removed it."


def problem(configured: str | None, reply: Reply = UNREAD, **specification: Any) -> str:
    requested = f.instance_requested(specification=f.a_specification(**specification))
    instance = f.given(requested, f.instance_created())
    kind = InstanceType(name=instance.instance_type or "", zones=("a",), gpus=1, gpu_memory_gb=24.0, image=configured)
    return refused_again(instance, reply, [kind], ImageVersions()) or ""


def test_it_is_the_image_of_the_server_s_type_unless_the_request_named_one() -> None:
    args = ("--swap-space", "4")
    assert problem(NEW, vllm_args=args).startswith(NO_OPTION)
    assert problem(OLD, vllm_args=args, image=NEW).startswith(NO_OPTION)
    accepted = (problem(OLD, vllm_args=args), problem(NEW, vllm_args=args, image=OLD), problem(None, vllm_args=args))
    assert accepted == ("", "", "")


@pytest.mark.parametrize(
    ("repository", "served", "refused", "why"),
    [
        (
            {"architectures": ["AquilaForCausalLM"], "model_type": "aquila"},
            OLD,
            NEW,
            "does not serve acme/model (Aquila",
        ),
        (
            {"quantization_config": {"quant_method": "bitsandbytes"}},
            OLD,
            NEW,
            "is quantized as bitsandbytes, which vLLM",
        ),
        ({"quantization_config": {"quant_method": "mxfp8"}}, NEW, OLD, "is quantized as mxfp8, which vLLM 0.13.0"),
    ],
)
def test_its_model_must_be_served_by_that_image(
    repository: dict[str, Any], served: str, refused: str, why: str
) -> None:
    contents = a_repository(**repository)
    assert why in problem(refused, contents)
    assert [problem(served, contents), problem(refused, contents, image=served), problem(OWN, contents)] == ["", "", ""]
    assert problem(refused) == "", "without the hub's answer nothing is known of the model"


def test_its_room_is_not_judged_again() -> None:
    assert problem(NEW, a_repository(LLAMA, gb=16.1)) == ""
    assert problem(NEW, a_repository(QWEN2, gb=150)) == ""
    assert "only as GGUF files" in problem(NEW, a_repository(files={"q4.gguf": GB}))


def test_what_a_tag_last_held_warns_of_what_it_refused_and_a_digest_refuses_it() -> None:
    """Nobody could ever launch a moved tag again if its former version refused that."""
    contents = a_repository(architectures=["AquilaForCausalLM"], model_type="aquila")
    seen, digest = ImageVersion(VllmVersion(0, 32, 0), datetime(2026, 11, 20, tzinfo=UTC)), "sha256:" + "a" * 64
    versions, kind = ImageVersions({OWN: seen, digest: seen}), InstanceType(name="L4", zones=("a",), gpus=1)
    wish = Wish(name="x", model=contents.model, image=OWN)
    by_tag = judged(contents, wish, Findings(), [kind], versions)
    assert by_tag.errors == ()
    (warning,) = by_tag.warnings
    assert warning.startswith("If acme/vllm:latest still holds vLLM 0.32.0: vLLM 0.32.0 does not serve acme/model (Aq")
    pinned = wish.model_copy(update={"image": f"acme/vllm@{digest}"})
    (error,) = judged(contents, pinned, Findings(), [kind], versions).errors
    assert error.detail.startswith("vLLM 0.32.0 does not serve acme/model (AquilaForCausalLM)")
    unloadable = a_repository(files={"q4.gguf": GB})
    assert judged(unloadable, wish, Findings(), [kind], versions).errors, "no version serves that"


def test_any_type_is_one_with_as_many_gpus_as_the_options_ask_for() -> None:
    one = InstanceType(name="L4-1-24G", zones=("a",), gpus=1, gpu_memory_gb=24.0, hourly_price=0.8)
    two = one.model_copy(update={"name": "L4-2-24G", "gpus": 2})
    wish = Wish(name="x", model="acme/model", vllm_args=("--tensor-parallel-size", "2"))
    found = judged(a_repository(), wish, Findings(), [one, two], ImageVersions())
    assert (found.errors, found.found.no_room) == ((), ("L4-1-24G",))
    (error,) = judged(a_repository(), wish, Findings(), [one], ImageVersions()).errors
    assert (error.pointer, error.detail.startswith("L4-1-24G has 1 GPU")) == ("/instance_types", True)
