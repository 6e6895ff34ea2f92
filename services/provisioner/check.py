"""`python -m services.provisioner check`: whether each configured provider can be used, without NATS or PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from uuid import UUID

from services.provisioner.provider import Provider, ProviderError
from services.provisioner.providers.registration import MakeProvider
from shared.offers.provider_status import redacted

_NOBODY: UUID = UUID(int=0)
"""An id of no installation, so that nothing is changed and nothing is found."""
_LONGEST_S = 30.0


async def check(make: Sequence[MakeProvider]) -> AsyncIterator[tuple[str, str]]:
    """Each provider's name and why it cannot be used; the reason is empty if it can."""
    async with AsyncExitStack() as stack:
        for make_one in make:
            provider = await stack.enter_async_context(make_one(_NOBODY))
            yield provider.name, await _trouble(provider)


async def _trouble(provider: Provider) -> str:
    try:
        async with asyncio.timeout(_LONGEST_S):
            await provider.instance_types()
            if provider.capabilities.power:
                await provider.foreign_servers()
    except ProviderError as error:
        return redacted(error.message)
    except TimeoutError:
        return f"no answer within {_LONGEST_S:g} s"
    return ""
