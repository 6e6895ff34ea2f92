"""What the logs of two workers tell of vLLM's compile cache; the lines are those of vLLM 0.32."""

import pytest

from real_line.compilation import found_again
from real_line.line import Wrong

PATH = "/var/cache/coldstart/vllm/torch_compile_cache/torch_aot_compile/2d7f/rank_0_0/model"
HEAD = "(Worker pid=40) INFO 12-01 00:45:12 [decorators.py:743] [backbone] "
SAVED = f"{HEAD}saved AOT compiled function to {PATH}\n"
LOADED = f"{HEAD}Directly load AOT compilation from path {PATH}\n"
FAILED = f"{HEAD}Compiling model again due to a load failure from {PATH}, reason: "
ON_A_CPU = "'function' object has no attribute 'finalize_loading'"


def test_a_worker_loads_what_the_one_before_has_saved() -> None:
    assert found_again(SAVED, LOADED) == f"loaded from {PATH}"


def test_on_a_cpu_it_finds_the_same_file_and_says_why_it_cannot_load_it() -> None:
    assert found_again(SAVED, f"{FAILED}{ON_A_CPU}\n{SAVED}").endswith(ON_A_CPU)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", LOADED),
        (SAVED, SAVED),
        (SAVED, LOADED.replace("2d7f", "91ab")),
        (SAVED, f"{FAILED}Compile cache file corrupted.\n"),
        (SAVED, f"{FAILED.replace('2d7f', '91ab')}{ON_A_CPU}\n"),
    ],
)
def test_anything_else_is_wrong(first: str, second: str) -> None:
    with pytest.raises(Wrong):
        found_again(first, second)
