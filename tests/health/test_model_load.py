"""What the log lines of vLLM 0.13.0 and 0.32.0 say about a load."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.health.model_load import Load, ModelLoad

STAMP = "INFO 11-24 02:11:09 "
OLD = "\x1b[0;36m(EngineCore_DP0 pid=148)\x1b[0;0m "
"""0.13 colours the name of the process, terminal or not."""
NEW = "(EngineCore pid=35) "
LINES = (
    (f"{OLD}{STAMP}[gpu_model_runner.py:3562] Starting to load model a/b...", "download", 0.0),
    ("(…)eb08/model-00001-of-00004.safetensors:  50%|█████     | 2.1G/4.2G [00:10<00:10]\x1b[A", "download", 0.04375),
    ("model-00004-of-00004.safetensors: 100%|██████████| 4.2G/4.2G [00:20<00:00, 210MB/s]", "download", 0.0875),
    (f"{OLD}{STAMP}[weight_utils.py:487] Time spent downloading weights for a/b: 21.4 seconds", "download", 0.35),
    ("Loading safetensors checkpoint shards:   0% Completed | 0/9 [00:00<?, ?it/s]", "shards", 0.35),
    ("\x1b[ALoading safetensors checkpoint shards:  56% Completed | 5/9 [00:03<00:02,  1.51it/s]", "shards", 0.5444),
    (f"(Worker_TP0 pid=311) {STAMP}[default_loader.py:308] Loading weights took 24.84 seconds", "weights", 0.7),
    (f"{OLD}{STAMP}[backends.py:703] Dynamo bytecode transform time: 6.21 s", "compile", 0.75),
    (f"{NEW}{STAMP}[decorators.py:311] Directly load AOT compilation from path /root/.cache/m", "compile", 0.85),
    (f"{OLD}{STAMP}[monitor.py:34] torch.compile takes 18.53 s in total", "compile", 0.85),
    (f"{NEW}{STAMP}[monitor.py:53] torch.compile took 1.74 s in total", "compile", 0.85),
    ("Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):  49%|████▉     | 33/67 [00:01<00:01]",
     "graph_capture", 0.8746),
    ("Capturing CUDA graphs (PIECEWISE): 100%|██████████| 51/51 [00:00<00:00, 65.56it/s]", "graph_capture", 0.9),
    ("Capturing CUDA graphs (decode, FULL):  40%|████      | 14/35 [00:00<00:00, 71.38it/s]", "graph_capture", 0.92),
    (f"{OLD}{STAMP}[gpu_model_runner.py:4587] Graph capturing finished in 5 secs", "graph_capture", 0.95),
    (f"{NEW}{STAMP}[core.py:402] init engine (profile, create kv cache, warmup model) took 32 s", "warm_up", 1),
)  # fmt: skip


@pytest.mark.parametrize(("line", "stage", "fraction"), LINES)
def test_each_line_of_a_load_says_how_far_it_is(line: str, stage: str, fraction: float) -> None:
    load = ModelLoad().after(line)
    assert load is not None
    assert load.stage == stage
    assert load.fraction == pytest.approx(fraction, abs=0.001)


def test_a_load_goes_forward_line_by_line() -> None:
    fractions = [load.fraction for load in told(line for line, *_ in LINES)]
    assert fractions == sorted(fractions)


def test_a_load_of_0_32_does_not_count_the_tokenizers_download_as_that_of_the_weights() -> None:
    log = (
        "\rFetching 7 files:   0%|          | 0/7 [00:00<?, ?it/s]\x1b[A",
        "\rReconstructing (incomplete total...):  98%|█████████▊| 36.0kB / 36.8kB            \x1b[A",
        "\rFetching 7 files: 100%|██████████| 7/7 [00:00<00:00, 148.16it/s]",
        "\rDownload complete: ██████████| 36.8kB            \x1b[A",
        f"{NEW}{STAMP}[core.py:133] Initializing a V1 LLM engine (v0.32.0) with config: model='a/b'",
        f"(Worker pid=47) {STAMP}[cpu_model_runner.py:68] Starting to load model a/b...",
        f"(Worker pid=47) {STAMP}[weight_utils.py:532] Time spent downloading weights for a/b: 8.82 seconds",
        "\rLoading safetensors checkpoint shards:   0% Completed | 0/4 [00:00<?, ?it/s]",
        "\x1b[A",
        "\rLoading safetensors checkpoint shards: 100% Completed | 4/4 [00:00<00:00, 16.98it/s]",
        f"(Worker pid=47) {STAMP}[default_loader.py:501] Loading weights took 0.26 seconds",
        f"{NEW}{STAMP}[core.py:402] init engine (profile, create kv cache, warmup model) took 0.56 s",
        "\rFetching 7 files: 100%|██████████| 7/7 [00:00<00:00, 3375.12it/s]",
    )
    assert told(log) == [
        Load("download", 0.0), Load("download", 0.35), Load("shards", 0.35), Load("shards", 0.7), Load("weights", 0.7),
        Load("warm_up", 1.0),
    ]  # fmt: skip


def test_a_load_of_0_13_counts_its_files_of_weights_and_no_other_download() -> None:
    shard = "(…)eb089e7/model-0000{}-of-00002.safetensors".format
    log = (
        "\r(…)truct/resolve/main/tokenizer_config.json: 100%|██████████| 764/764 [00:00<00:00, 6.27MB/s]",
        f"{OLD}{STAMP}[core.py:93] Initializing a V1 LLM engine (v0.13.0) with config: model='a/b'",
        f"{OLD}{STAMP}[cpu_model_runner.py:55] Starting to load model a/b...",
        f"\r{shard(1)}:   0%|          | 0.00/32.7M [00:00<?, ?B/s]\x1b[A",
        OLD,
        f"\r{shard(2)}:  50%|█████     | 12.6M/25.2M [00:02<00:03, 3.85MB/s]\x1b[A",
        f"\r{shard(2)}: 100%|██████████| 25.2M/25.2M [00:06<00:00, 3.82MB/s]",
        f"\r{shard(1)}: 100%|██████████| 32.7M/32.7M [00:08<00:00, 3.89MB/s]",
        f"{OLD}{STAMP}[weight_utils.py:487] Time spent downloading weights for a/b: 9.01 seconds",
        "\r(…)esolve/main/model.safetensors.index.json: 100%|██████████| 9.98k/9.98k [00:00<00:00, 45.7MB/s]",
        f"{OLD}\x1b[A",
        "\rLoading safetensors checkpoint shards: 100% Completed | 2/2 [00:00<00:00,  4.05it/s]",
        f"{OLD}{STAMP}[default_loader.py:308] Loading weights took 0.99 seconds",
    )
    assert told(log) == [
        Load("download", 0.0), Load("download", 0.0), Load("download", 0.087), Load("download", 0.175),
        Load("download", 0.35), Load("download", 0.35), Load("shards", 0.7), Load("weights", 0.7),
    ]  # fmt: skip


def test_a_file_is_the_same_whether_its_name_is_coloured_or_not() -> None:
    plain, later = (f"model-00001-of-00002.safetensors:  {percent}%|████      | [00:00<00:00]" for percent in (40, 80))
    assert after(plain, f"\x1b[36m{later}\x1b[0m") == after(plain, later) == Load("download", 0.14)


def a_file(name: str, percent: int) -> str:
    return f"\r{name}: {percent:3}%|█████     | 2.1G/4.2G [00:10<00:10, 210MB/s]\x1b[A"


def told(lines: Iterable[str]) -> list[Load]:
    """All that one load's lines say."""
    model_load = ModelLoad()
    return [load for line in lines if (load := model_load.after(line))]


def after(*lines: str) -> Load | None:
    """What the last of these lines says, behind the others."""
    model_load = ModelLoad()
    return [model_load.after(line) for line in lines][-1]


@pytest.mark.parametrize(("percent", "fraction"), [(0, 0.0), (40, 0.14), (100, 0.35)])
def test_a_model_of_one_file_is_told_as_it_comes(percent: int, fraction: float) -> None:
    assert after(a_file("model.safetensors", percent)) == Load("download", fraction)


def test_of_files_that_are_fetched_side_by_side_the_last_one_to_be_done_does_not_end_the_download() -> None:
    shard = "model-0000{}-of-00005.safetensors".format
    last = a_file(shard(5), 100)
    assert after(last) == Load("download", 0.07)
    begun = [a_file(shard(number), 20) for number in (1, 2, 3)]
    assert after(*begun, last) == Load("download", 0.112)
    ended = [a_file(shard(number), 100) for number in (3, 1, 2, 4)]
    assert after(*begun, last, *ended) == Load("download", 0.35)


def test_each_further_file_counts_beside_the_shards() -> None:
    shards = [a_file(f"pytorch_model-0000{number}-of-00003.bin", 100) for number in (1, 2, 3)]
    assert after(*shards, a_file("consolidated.safetensors", 0)) == Load("download", 0.262)


def test_a_long_name_is_known_by_its_end() -> None:
    begun = a_file("(…)nstruct-with-a-very-long-name-00001-of-00002.safetensors", 100)
    assert after(begun) == Load("download", 0.175)


@pytest.mark.parametrize(
    "line",
    [
        "",
        f"(APIServer pid=1) {STAMP}[utils.py:253] non-default args: {{'model': 'a/b', 'api_key': ['cs-secret']}}",
        '(APIServer pid=1) INFO:     127.0.0.1:4711 - "GET /health HTTP/1.1" 200 OK',
        f"{OLD}{STAMP}[core.py:93] Initializing a V1 LLM engine (v0.13.0) with config: model='a/b'",
        f"{OLD}Loading safetensors checkpoint shards",
        "model.safetensors.index.json: 100%|██████████| 239k/239k [00:00<00:00, 11.2MB/s]",
    ],
)
def test_all_other_lines_say_nothing(line: str) -> None:
    assert ModelLoad().after(line) is None


@given(
    st.lists(
        st.text(max_size=80)
        | st.from_regex(r"shards: +\d{1,3}% Completed \| \d{1,5}/\d{1,5}")
        | st.from_regex(r"[a-c](-\d{1,5}-of-\d{1,5})?\.(safetensors|bin): +\d{1,3}%")
    )
)
def test_whatever_is_printed_is_a_fraction_or_nothing(lines: list[str]) -> None:
    model_load = ModelLoad()
    for line in lines:
        load = model_load.after(line)
        assert load is None or 0 <= load.fraction <= 1


def test_a_log_that_names_files_without_end_is_heard_for_so_many_and_no_more() -> None:
    load = ModelLoad()
    heard = [load.after(a_file(f"file-{number}.safetensors", 100)) for number in range(3_000)]
    assert sum(one is not None for one in heard) == 1_000
    assert load.after(a_file("file-7.safetensors", 50)) is not None


def test_what_a_line_says_behind_a_length_that_no_bar_has_is_not_heard() -> None:
    assert after("x" * 5_000 + " " + a_file("model.safetensors", 50)) is None
