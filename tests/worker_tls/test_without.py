"""An installation whose workers have no TLS says so at every start."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from coldstart.commands.stack import _welcome
from coldstart.settings import StackSettings
from coldstart.stack.files import Reach
from coldstart.stack.stack import Stack
from shared.lifecycle.transport import WorkerTls
from shared.settings import WithMachines
from shared.worker_tls import warn_if_off


async def _never_broken() -> None:
    raise AssertionError("nobody waits for it")


RUNNING = Stack(
    Reach("http://127.0.0.1:8080", "cs-admin-x", "nats://127.0.0.1", "", None, os.getpid()), (), False, _never_broken
)


@pytest.mark.parametrize(("worker_tls", "says_so"), [("mutual", False), ("off", True)])
def test_the_stack_says_it_when_it_is_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], worker_tls: WorkerTls, says_so: bool
) -> None:
    _welcome(RUNNING, StackSettings(data_dir=tmp_path, worker_tls=worker_tls), "scaleway", "a link")
    assert ("workers    WITHOUT TLS (COLDSTART_WORKER_TLS=off)" in capsys.readouterr().out) == says_so


@pytest.mark.parametrize(("worker_tls", "warnings"), [("mutual", 0), ("off", 1)])
def test_a_service_warns_of_it_in_its_log(worker_tls: WorkerTls, warnings: int) -> None:
    with capture_logs() as logged:
        warn_if_off(WithMachines.model_validate({"master_secret": "x" * 32, "worker_tls": worker_tls}))
    assert [entry["log_level"] for entry in logged] == ["warning"] * warnings


def test_tls_is_the_default_and_a_setting_that_is_neither_is_refused() -> None:
    assert WithMachines.model_validate({"master_secret": "x" * 32}).worker_tls == "mutual"
    with pytest.raises(ValidationError):
        WithMachines.model_validate({"master_secret": "x" * 32, "worker_tls": "yes"})
