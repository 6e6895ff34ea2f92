"""The settings of one simulator process. Every variable begins with `SIMULATOR_`."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from uuid import UUID

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from simulator.scenario import Scenario

Port = Annotated[int, Field(ge=0, le=65_535)]


class SimulatorSettings(BaseSettings):
    """One account in one cloud. The keys are made up and open nothing but this process."""

    model_config = SettingsConfigDict(env_prefix="SIMULATOR_", frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: Port = 0
    """0: any free port. The first line on standard output says which."""
    data_dir: Path = Path(".coldstart/simulator")
    """The disks of the hosts, and with `keep` the account."""
    keep: bool = False
    """Whether the account outlives the process: the next one with this data folder continues with its servers."""
    ssh_port: Annotated[int, Field(ge=1, le=65_535)] = 2222
    worker_port: Annotated[int, Field(ge=1, le=65_535)] = 8000

    access_key: str = Field(default="SCWSIMULATED00000000", pattern="^SCW[A-Z0-9]{17}$")
    secret_key: SecretStr = SecretStr("51a0c0de-0000-4000-8000-00000000c01d")
    project_id: UUID = UUID("51a0c0de-0000-4000-8000-000000009207")
    organization_id: UUID = UUID("51a0c0de-0000-4000-8000-00000000026a")
    zones: tuple[str, ...] = ("fr-par-2", "pl-waw-2", "fr-par-1", "nl-ams-1")
    project_keys: tuple[str, ...] = ()
    """Public SSH keys of the project, which every machine lets in as root; JSON."""
    hub_token: SecretStr = SecretStr("hf_simulated_reader")
    """The Hugging Face token that may read the hub's private and gated models."""

    server_quota: Annotated[int, Field(ge=1)] = 1_000
    scenario: Scenario = Scenario()
    """The default scenario, as JSON."""

    @field_validator("host")
    @classmethod
    def _loopback_only(cls, host: str) -> str:
        if not ip_address(host).is_loopback:
            raise ValueError("the simulator listens on loopback only")
        return host
