"""`coldstart deployments --backtest` in this process: it asks no server."""

import json
from pathlib import Path

from typer.testing import CliRunner

from coldstart.cli import app


def test_recorded_arrivals_are_played_against_every_policy(tmp_path: Path) -> None:
    arrivals = tmp_path / "arrivals.csv"
    arrivals.write_text("0,5\n100,5\n")
    ended = CliRunner().invoke(app, ["deployments", "--backtest", "--csv", str(arrivals), "--json"])
    assert [(each["policy"], each["requests"]) for each in json.loads(ended.stdout)] == [
        ("fixed 1", 2),
        ("knative", 2),
        ("oracle", 2),
        ("coldstart", 2),
    ]


def test_a_row_that_is_no_arrival_is_named_with_its_option(tmp_path: Path) -> None:
    (tmp_path / "arrivals.csv").write_text("soon,5\n")
    ended = CliRunner().invoke(app, ["deployments", "--backtest", "--csv", str(tmp_path / "arrivals.csv")])
    assert (ended.exit_code, "--csv" in ended.stderr, "soon" in ended.stderr) == (2, True, True)


def test_an_option_of_the_backtest_alone_says_what_is_missing() -> None:
    ended = CliRunner().invoke(app, ["deployments", "--seed", "2"])
    assert (ended.exit_code, "--backtest" in ended.stderr) == (2, True)
