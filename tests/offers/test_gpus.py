"""Which GPUs vLLM can use, by the names that Scaleway and owners of machines give them."""

import pytest

from shared.offers.gpus import compute_capability, why_unusable


@pytest.mark.parametrize(
    ("gpu", "capability"),
    [
        ("P100", 6.0),
        ("L4", 8.9),
        ("L40S", 8.9),
        ("H100-PCIe", 9.0),
        ("H100-SXM", 9.0),
        ("B300-SXM", 10.3),
        ("NVIDIA A100-SXM4-80GB", 8.0),
        ("RTX 4090", 8.9),
        ("Tesla T4", 7.5),
    ],
)
def test_a_capability_is_known_by_the_gpus_name(gpu: str, capability: float) -> None:
    assert compute_capability(gpu) == capability


@pytest.mark.parametrize("gpu", [None, "", "GPU", "MI300X", "L400"])
def test_nobody_knows_about_other_gpus_so_they_are_not_refused(gpu: str | None) -> None:
    assert (compute_capability(gpu), why_unusable(gpu)) == (None, None)


def test_the_least_capability_is_usable_and_one_below_is_refused_with_both_figures() -> None:
    assert why_unusable("T4") is None
    assert why_unusable("V100") == "its V100 has compute capability 7.0, and vLLM needs 7.5 or more"
