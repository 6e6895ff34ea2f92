"""What vLLM's lines say of a load, as v0.13.0 prints them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.health.model_load import load_in

ENGINE = "(EngineCore_DP0 pid=148) "
STAMP = "INFO 11-24 02:11:09 "
LOAD = (
    ("model-00001-of-00004.safetensors:  50%|█████     | 2.1G/4.2G [00:10<00:10, 210MB/s]", "download", 0.04375),
    ("model-00004-of-00004.safetensors: 100%|██████████| 4.2G/4.2G [00:20<00:00, 210MB/s]", "download", 0.35),
    (f"{ENGINE}Loading safetensors checkpoint shards:   0% Completed | 0/9 [00:00<?, ?it/s]", "shards", 0.35),
    (f"{ENGINE}Loading safetensors checkpoint shards:  56% Completed | 5/9 [00:03<00:02,  1.51it/s]", "shards", 0.5444),
    (f"(Worker_TP0 pid=311) {STAMP}[default_loader.py:308] Loading weights took 24.84 seconds", "weights", 0.7),
    (f"{ENGINE}{STAMP}[backends.py:703] Dynamo bytecode transform time: 6.21 s", "compile", 0.75),
    (f"{ENGINE}{STAMP}[monitor.py:34] torch.compile takes 18.53 s in total", "compile", 0.85),
    (f"{ENGINE}Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):  49%|████▉     | 33/67 [00:01<00:01]",
     "graph_capture", 0.8993),
    (f"{ENGINE}{STAMP}[gpu_model_runner.py:4587] Graph capturing finished in 5 secs", "graph_capture", 0.95),
    (f"{ENGINE}{STAMP}[core.py:259] init engine (profile, create kv cache, warmup model) took 32 s", "warm_up", 1),
)  # fmt: skip


@pytest.mark.parametrize(("line", "stage", "fraction"), LOAD)
def test_each_line_of_a_load_says_how_far_it_is(line: str, stage: str, fraction: float) -> None:
    load = load_in(line)
    assert load is not None
    assert load.stage == stage
    assert load.fraction == pytest.approx(fraction, abs=0.001)


def test_a_load_goes_forward_line_by_line() -> None:
    fractions = [load.fraction for line, *_ in LOAD if (load := load_in(line))]
    assert fractions == sorted(fractions)


@pytest.mark.parametrize(
    "line",
    [
        "",
        f"(APIServer pid=1) {STAMP}[utils.py:253] non-default args: {{'model': 'a/b', 'api_key': ['cs-secret']}}",
        '(APIServer pid=1) INFO:     127.0.0.1:4711 - "GET /health HTTP/1.1" 200 OK',
        f"{ENGINE}{STAMP}[core.py:93] Initializing a V1 LLM engine (v0.13.0) with config: model='a/b'",
        f"{ENGINE}Loading safetensors checkpoint shards",
    ],
)
def test_all_other_lines_say_nothing(line: str) -> None:
    assert load_in(line) is None


@given(st.text(max_size=80) | st.from_regex(r"shards: +\d{1,3}% Completed \| \d{1,5}/\d{1,5}"))
def test_whatever_is_printed_is_a_fraction_or_nothing(line: str) -> None:
    load = load_in(line)
    assert load is None or 0 <= load.fraction <= 1
