"""`python -m services.provisioner`: any number of these may run.

With `tagged` it only lists; with `check` it says of each provider, as a line of JSON, why it cannot be used. Both end.
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from typing import Final

from services.provisioner.app import MakeProvider, providers_of, running
from services.provisioner.check import check
from services.provisioner.provider import ProviderError
from services.provisioner.providers.machines import InventoryInvalid, inventory_at
from services.provisioner.providers.scaleway import ScalewaySettings
from services.provisioner.settings import ProvisionerSettings
from services.provisioner.tagged import tagged
from shared.bus.reader import ReadingInterrupted
from shared.environment import settings_or_exit, wrong
from shared.logs import configure_logs
from shared.metrics import metrics_served
from shared.running import run

SCALEWAY: Final = ("SCW_ACCESS_KEY", "SCW_SECRET_KEY")
NO_PROVIDER: Final = (
    "no provider is configured: set SCW_ACCESS_KEY, SCW_SECRET_KEY and SCW_DEFAULT_PROJECT_ID for Scaleway, or "
    "COLDSTART_MACHINES for machines of your own"
)


def main() -> None:
    settings = settings_or_exit(ProvisionerSettings)
    scaleway = settings_or_exit(ScalewaySettings) if any(map(os.environ.get, SCALEWAY)) else None
    try:
        machines = inventory_at(settings.machines) if settings.machines else None
    except InventoryInvalid as error:
        wrong(f"COLDSTART_MACHINES: {error}")
    if scaleway is None and machines is None:
        wrong(NO_PROVIDER)
    if sys.argv[1:] == ["check"]:
        asyncio.run(_check(providers_of(settings, scaleway, machines)))
        return
    configure_logs("provisioner", settings.log_level, settings.log_format)
    if sys.argv[1:] == ["tagged"]:
        print_tagged(settings, providers_of(settings, scaleway, machines))
        return
    with metrics_served(settings):
        run(lambda: running(settings, scaleway, machines))


def print_tagged(settings: ProvisionerSettings, make: Sequence[MakeProvider]) -> None:
    try:
        lines = asyncio.run(tagged(settings.nats_url.get_secret_value(), make))
    except (ProviderError, ReadingInterrupted) as error:
        sys.exit(str(error))
    sys.stdout.writelines(f"{line}\n" for line in lines)


async def _check(make: Sequence[MakeProvider]) -> None:
    async for provider, reason in check(make):
        sys.stdout.write(json.dumps({"provider": provider, "reason": reason}) + "\n")


if __name__ == "__main__":
    main()
