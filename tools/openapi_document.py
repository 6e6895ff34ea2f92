"""docs/openapi.yaml: the OpenAPI document as an api with the default settings serves it.

`python -m tools.openapi_document` prints it.
"""

import asyncio
import sys
from functools import cache
from typing import Any, Final, TypeVar, cast

import httpx
import yaml
from pydantic import SecretStr

from services.api.access.authentication import Authentication
from services.api.application import application
from services.api.control.dependencies import Services
from services.api.router.inference import Inference
from services.api.settings import ApiSettings

Service = TypeVar("Service")
_HEAD: Final = "# Drawn from the code by `make docs`.\n"
_NOWHERE: Final = "x.invalid"
_Dumper: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _NoServices(Services):
    """The document needs none."""

    def of(self, kind: type[Service]) -> Service:
        return cast("Service", kind)


@cache
def document() -> dict[str, Any]:
    """As `/schema/openapi.json` answers it."""
    return asyncio.run(_asked())


def as_yaml() -> str:
    text: str = yaml.dump(_ordered(document()), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return _HEAD + text


def _ordered(part: Any) -> Any:
    """Litestar keeps headers in a set."""
    if isinstance(part, list):
        return [_ordered(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {
        name: dict(sorted(_ordered(each).items())) if name == "headers" else _ordered(each)
        for name, each in part.items()
    }


async def _asked() -> dict[str, Any]:
    settings = ApiSettings(
        nats_url=SecretStr(f"nats://{_NOWHERE}"),
        database_url=SecretStr(f"postgresql://{_NOWHERE}"),
        master_secret=SecretStr("x" * 32),
    )
    api = application(
        settings,
        inference=cast("Inference", None),
        authentication=cast("Authentication", None),
        services=_NoServices(),
    )
    transport = httpx.ASGITransport(cast("Any", api))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{_NOWHERE}") as client:
        answer = await client.get("/schema/openapi.json")
    return dict(answer.raise_for_status().json())


if __name__ == "__main__":
    sys.stdout.write(as_yaml())
