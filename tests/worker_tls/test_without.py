"""An installation whose workers have no TLS says so at every start."""

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from coldstart.commands.stack import _welcome
from coldstart.settings import StackSettings
from coldstart.stack.files import Reach
from coldstart.stack.stack import Stack
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status
from shared.lifecycle.transport import WorkerTls
from shared.settings import WithMachines
from shared.worker_tls import warn_if_off, warn_of_plain_workers
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import given


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


def test_the_workers_of_attempts_that_began_without_tls_are_named_in_the_log_of_a_start() -> None:
    def ready(name: str, **began: Any) -> Instance:
        return given(*h.a_launch(name=name), f.ssh_install_started(**began), f.instance_ready())

    launching, gone = given(*h.a_launch(name="launching")), given(*h.IN_STATUS[Status.TERMINATED])
    with capture_logs() as logged:
        warn_of_plain_workers((ready("secret", worker_tls="mutual"), launching, gone))
        warn_of_plain_workers((ready("earlier", worker_tls="off"), launching))
    assert [(entry["log_level"], entry["instances"]) for entry in logged] == [("warning", ["earlier"])]


def test_tls_is_the_default_and_a_setting_that_is_neither_is_refused() -> None:
    assert WithMachines.model_validate({"master_secret": "x" * 32}).worker_tls == "mutual"
    with pytest.raises(ValidationError):
        WithMachines.model_validate({"master_secret": "x" * 32, "worker_tls": "yes"})
