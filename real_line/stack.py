"""The product, as its users run it: `coldstart ssh-key`, `coldstart up`, and its HTTP API."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from coldstart.api_client import Api, ApiProblem
from coldstart.stack.files import MASTER_SECRET, NoInstallation, NoStack, Reach, find_reach, stored
from real_line.addresses import HUB, MACHINE
from real_line.waiting import until
from shared.secrets import Secrets

_COLDSTART: Final = Path(sys.executable).parent / "coldstart"
_START_S: Final = 120
_STOP_S: Final = 60
_OURS: Final = ("COLDSTART_", "SCW_", "HF_", "NATS_")
_MACHINES: Final = """\
[[machine]]
name = "gpu1"
address = "{address}"
host_key = "{host_key}"
gpu = "Stand-in"
gpu_memory_gb = 24
"""


@dataclass
class Stack:
    """A data folder, the settings for it, and the running stack's api and addresses."""

    data_dir: Path
    log: Path
    settings: Mapping[str, str]
    api: Api = field(init=False)
    reach: Reach = field(init=False)
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def secrets(self) -> Secrets:
        """What the installation derives its keys and certificates from."""
        master = stored(self.data_dir, MASTER_SECRET)
        if master is None:
            raise NoInstallation(self.data_dir)
        return Secrets(master)

    @property
    def environment(self) -> dict[str, str]:
        """Ours without any setting of a Coldstart that runs here otherwise."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        return {
            **kept,
            "COLDSTART_DATA_DIR": str(self.data_dir),
            "COLDSTART_API_PORT": "8080",
            "COLDSTART_MACHINES": str(self.data_dir.with_name("machines.toml")),
            "HF_ENDPOINT": HUB,
            **self.settings,
        }

    def command(self, *words: str) -> str:
        """What `coldstart …` prints. Raises subprocess.CalledProcessError."""
        ran = subprocess.run(
            [_COLDSTART, *words], env=self.environment, stdout=subprocess.PIPE, check=True, text=True, timeout=120
        )
        return ran.stdout

    @contextmanager
    def running(self, host_key: str) -> Iterator[None]:
        """`coldstart up` until the end of the block, with one machine that has this host key."""
        file = Path(self.environment["COLDSTART_MACHINES"])
        file.write_text(_MACHINES.format(address=MACHINE, host_key=host_key))
        try:
            self._start()
            yield
        finally:
            self._stop()

    @contextmanager
    def restarted_with(self, settings: Mapping[str, str]) -> Iterator[None]:
        """Stops the running stack and starts it with these settings besides; with its own again after the block."""
        former = self.settings
        try:
            self._restart({**former, **settings})
            yield
        finally:
            self._restart(former)

    def _restart(self, settings: Mapping[str, str]) -> None:
        self._stop()
        self.settings = settings
        self._start()

    def _start(self) -> None:
        with self.log.open("ab") as said:
            self._process = subprocess.Popen([_COLDSTART, "up"], env=self.environment, stdout=said, stderr=said)
        until(self._answers, "the stack", _START_S)

    def _stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"`coldstart up` has ended with status {self._process.returncode}. See {self.log}.")
        try:
            self.reach = find_reach(self.data_dir)
            self.api = Api(self.reach.api_url, self.reach.admin_key)
            types: list[dict[str, Any]] = self.api.get("/instance-types")["items"]
        except (NoStack, ApiProblem):
            return False
        return bool(types)
