"""The rules for the administrator's key. It may do everything, and nothing but its length stops guessing."""

from typing import Annotated, Final

from pydantic import AfterValidator, SecretStr

SHORTEST: Final = 32


def _long_enough(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value()) < SHORTEST:
        raise ValueError(f"needs at least {SHORTEST} characters; `openssl rand -hex 24` makes a good one")
    return key


AdminKey = Annotated[SecretStr, AfterValidator(_long_enough)]
