"""The list of machines: a TOML file with `[[machine]]` tables, written by their owner."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import asyncssh
from pydantic import BaseModel, ConfigDict, Field, IPvAnyAddress, ValidationError, field_validator, model_validator

_Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class InventoryInvalid(Exception):
    """Names the file, the machine and the field."""


class Machine(BaseModel):
    """`host_key` as in the machine's /etc/ssh/ssh_host_ed25519_key.pub; memory in 10⁹ bytes, price per hour."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: _Label
    address: IPvAnyAddress
    host_key: str
    instance_type: _Label = "own"
    zone: _Label = "own"
    gpus: Annotated[int, Field(ge=0)] = 1
    gpu: str | None = None
    gpu_memory_gb: Annotated[float, Field(gt=0)] | None = None
    hourly_price: Annotated[float, Field(ge=0)] | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None

    @field_validator("host_key")
    @classmethod
    def _is_an_ed25519_key(cls, text: str) -> str:
        """The key without its comment."""
        words = text.split()
        try:
            key = asyncssh.import_public_key(" ".join(words[:2]))
        except asyncssh.KeyImportError:
            key = None
        if key is None or key.get_algorithm() != "ssh-ed25519":
            raise ValueError("a line of /etc/ssh/ssh_host_ed25519_key.pub is needed: ssh-ed25519 AAAA…")
        return " ".join(words[:2])

    @model_validator(mode="after")
    def _price_has_a_currency(self) -> "Machine":
        if (self.hourly_price is None) != (self.currency is None):
            raise ValueError("hourly_price and currency go together")
        return self

    @property
    def offered_as(self) -> tuple[Any, ...]:
        """The fields that all machines of one type must share."""
        return (self.gpus, self.gpu, self.gpu_memory_gb, self.hourly_price, self.currency)


class Inventory(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: Annotated[tuple[Machine, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_once(self) -> "Inventory":
        for what in ("name", "address"):
            values = [str(getattr(each, what)) for each in self.machine]
            if twice := sorted({value for value in values if values.count(value) > 1}):
                raise ValueError(f"two machines have the {what} {', '.join(twice)}")
        for each in self.machine:
            like = next(other for other in self.machine if other.instance_type == each.instance_type)
            if each.offered_as != like.offered_as:
                raise ValueError(
                    f"{like.name} and {each.name} are both {each.instance_type}, but differ in their GPUs or their "
                    "price: give one another instance_type"
                )
        return self

    @property
    def zones(self) -> Sequence[str]:
        """In the file's order, each once."""
        return tuple(dict.fromkeys(machine.zone for machine in self.machine))


def inventory_at(path: Path) -> Inventory:
    """Raises InventoryInvalid."""
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise InventoryInvalid(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InventoryInvalid(f"{path} is no TOML: {error}") from None
    try:
        return Inventory.model_validate(content)
    except ValidationError as error:
        wrong = [f"{_place(item['loc'], content)}: {item['msg']}" for item in error.errors()]
        raise InventoryInvalid("\n".join(f"{path}: {line}" for line in wrong)) from None


def _place(where: tuple[int | str, ...], content: dict[str, Any]) -> str:
    """`machine 2 (desk), host_key` from ("machine", 1, "host_key")."""
    match where:
        case ("machine", int(index), *fields):
            name = content["machine"][index].get("name") if isinstance(content["machine"][index], dict) else None
            return ", ".join([f"machine {index + 1}" + (f" ({name})" if name else ""), *map(str, fields)])
        case _:
            return ".".join(map(str, where)) or "the file"
