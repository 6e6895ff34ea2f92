"""What the logs of two workers tell of vLLM's compile cache; the lines are those of vLLM 0.32."""

import pytest

from real_line.compilation import loaded_again, shorter
from real_line.line import Wrong

PATH = "/var/cache/coldstart/vllm/torch_compile_cache/torch_aot_compile/2d7f/rank_0_0/model"
HEAD = "(Worker pid=40) INFO 12-01 00:45:12 [decorators.py:743] [backbone] "
SAVED = f"{HEAD}saved AOT compiled function to {PATH}\n{HEAD}torch.compile took 35.33 s in total\n"
LOADED = f"{HEAD}Directly load AOT compilation from path {PATH}\n{HEAD}torch.compile took 10.04 s in total\n"
FAILED = f"{HEAD}Compiling model again due to a load failure from {PATH}, reason: Compile cache file corrupted.\n"


def test_a_worker_loads_what_the_one_before_has_saved() -> None:
    assert loaded_again(SAVED, LOADED) == f"loaded from {PATH}; torch.compile took 35.33 s, then 10.04 s"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", LOADED),
        ("", ""),
        (SAVED, SAVED),
        (SAVED, f"{LOADED}{SAVED}"),
        (SAVED, LOADED.replace("2d7f", "91ab")),
        (SAVED, f"{FAILED}{SAVED}"),
    ],
)
def test_anything_else_is_wrong(first: str, second: str) -> None:
    with pytest.raises(Wrong):
        loaded_again(first, second)


def test_a_reinstall_may_take_three_tenths_of_the_first_install() -> None:
    assert shorter(100, 30) == "30 s instead of 100 s, 0.30 ×"
    with pytest.raises(Wrong):
        shorter(100, 31)
