"""The path of the file that lists the machines."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class MachinesSettings(BaseSettings):
    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, extra="ignore")

    machines: Path = Field(validation_alias="COLDSTART_MACHINES")
    """A TOML file that lists one's own machines; docs/providers.md describes it."""
