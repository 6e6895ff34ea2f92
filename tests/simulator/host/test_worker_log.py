"""The simulated worker's log of a load, as the health service reads it."""

import re
from itertools import groupby

import pytest

from services.health.model_load import Load, ModelLoad
from simulator.host.worker.arguments import parse
from simulator.host.worker.log import Log
from simulator.host.worker.version import version_of
from tests.simulator.host.workers import MODEL, OLD, RECENT


def printed(capsys: pytest.CaptureFixture[str], version: str, *arguments: str, bars: bool = True) -> list[str]:
    """The lines of one load. A carriage return ends a line, too, as for those who follow the log."""
    played = version_of(f"vllm/vllm-openai:v{version}")
    log, given = Log(played), parse((MODEL, *arguments), {"TQDM_POSITION": "-1"} if bars else {}, played)
    log.started(given)
    shares = list(log.loading(given))
    assert shares == sorted(shares)
    log.listening(given.port)
    return re.split(r"\r\n|\n|\r", capsys.readouterr().out)


def told(lines: list[str]) -> list[Load]:
    model_load = ModelLoad()
    return [load for line in lines if (load := model_load.after(line))]


@pytest.mark.parametrize("version", [OLD, RECENT])
@pytest.mark.parametrize("bars", [True, False])
def test_every_stage_of_a_load_is_read_in_its_order(
    capsys: pytest.CaptureFixture[str], version: str, *, bars: bool
) -> None:
    loads = told(printed(capsys, version, bars=bars))
    assert [stage for stage, _ in groupby(load.stage for load in loads)] == [
        "download", "shards", "weights", "compile", "graph_capture", "warm_up",
    ]  # fmt: skip
    assert [load.fraction for load in loads] == sorted(load.fraction for load in loads)
    assert loads[-1].fraction == 1.0


def test_only_0_13_shows_how_far_the_weights_are(capsys: pytest.CaptureFixture[str]) -> None:
    downloads = {
        version: [load.fraction for load in told(printed(capsys, version)) if load.stage == "download"]
        for version in (OLD, RECENT)
    }
    assert downloads[OLD] == [0.0, 0.0, 0.14, 0.35, 0.35]
    assert downloads[RECENT] == [0.0, 0.35]


def test_0_32_fetches_its_tokenizer_before_the_weights(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, RECENT)
    fetched = next(number for number, line in enumerate(lines) if "Fetching 7 files: 100%" in line)
    assert told(lines[: fetched + 1]) == []


def test_0_13_colours_its_log_and_0_32_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert any("\x1b[0;36m(EngineCore_DP0 pid=148)\x1b[0;0m INFO" in line for line in printed(capsys, OLD))
    assert not any("\x1b[0;36m" in line for line in printed(capsys, RECENT))


@pytest.mark.parametrize("version", [OLD, RECENT])
def test_an_eager_load_compiles_and_captures_nothing(capsys: pytest.CaptureFixture[str], version: str) -> None:
    lines = printed(capsys, version, "--enforce-eager")
    assert not any("compil" in line for line in lines)
    stages = {load.stage for load in told(lines)}
    assert stages == {"download", "shards", "weights", "warm_up"}
