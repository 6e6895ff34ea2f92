"""The settings of the mirror of models' weights: the same for the services and for the command that fills it."""

import re
from dataclasses import dataclass
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.settings import HttpUrl

_SCHEME: Final = "s3://"
_WHERE: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/(?!\.+(?:/|$))[A-Za-z0-9._-]+)*/?")


def _a_prefix(url: str) -> str:
    where = url.removeprefix(_SCHEME)
    if where == url or not _WHERE.fullmatch(where):
        raise ValueError("not a bucket")
    return url.rstrip("/")


@dataclass(frozen=True)
class WeightsMirror:
    """`endpoint` as the control plane reaches it, `machine_endpoint` as machines do; None: AWS."""

    bucket: str
    prefix: str
    endpoint: str | None
    machine_endpoint: str | None
    region: str
    access_key: SecretStr
    secret_key: SecretStr

    def __str__(self) -> str:
        return f"s3://{'/'.join(filter(None, (self.bucket, self.prefix)))}"


class WithWeightsMirror(BaseSettings):
    """Without `weights_mirror` there is none. The keys stay in this process: machines get signed URLs."""

    model_config = SettingsConfigDict(env_prefix="COLDSTART_", env_ignore_empty=True, frozen=True, extra="ignore")

    weights_mirror: (
        Annotated[
            str, AfterValidator(_a_prefix), Field(examples=["a bucket such as s3://models or s3://models/prefix"])
        ]
        | None
    ) = None
    weights_mirror_endpoint: HttpUrl | None = None
    weights_mirror_machine_endpoint: HttpUrl | None = None
    weights_mirror_region: Annotated[str, Field(pattern=r"^[a-zA-Z0-9-]+$")] = "us-east-1"
    weights_mirror_access_key: SecretStr | None = None
    weights_mirror_secret_key: SecretStr | None = None

    @property
    def mirror(self) -> WeightsMirror | None:
        where, access, secret = self.weights_mirror, self.weights_mirror_access_key, self.weights_mirror_secret_key
        if where is None or access is None or secret is None:
            return None
        bucket, _, prefix = where.removeprefix(_SCHEME).partition("/")
        endpoint = self.weights_mirror_endpoint
        return WeightsMirror(
            bucket,
            prefix,
            endpoint,
            self.weights_mirror_machine_endpoint or endpoint,
            self.weights_mirror_region,
            access,
            secret,
        )

    @model_validator(mode="after")
    def _whole_mirror(self) -> Self:
        given = (self.weights_mirror, self.weights_mirror_access_key, self.weights_mirror_secret_key)
        if any(part is None for part in given) and any(part is not None for part in given):
            raise ValueError(
                "weights_mirror, weights_mirror_access_key and weights_mirror_secret_key must be set together"
            )
        return self
