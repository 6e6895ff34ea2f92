"""`python -m services.provisioner`: any number of these may run.

`tagged` only lists resources. `check` prints a line of JSON for each provider: what it was asked, and its answers. Both
then exit.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Final

from services.provisioner.app import provider_context, running
from services.provisioner.check import check
from services.provisioner.provider import ProviderError
from services.provisioner.providers.registration import MakeProvider
from services.provisioner.providers.registry import PROVIDERS, configured
from services.provisioner.settings import ProvisionerSettings
from services.provisioner.tagged import tagged
from shared.bus.reader import ReadingInterrupted
from shared.environment import settings_or_exit, wrong
from shared.logs import configure_logs
from shared.metrics import metrics_served
from shared.running import run
from shared.variables import SettingsInvalid

NO_PROVIDER: Final = "no provider is configured: set "


def main() -> None:
    settings = settings_or_exit(ProvisionerSettings)
    make = _configured(settings)
    if sys.argv[1:] == ["check"]:
        asyncio.run(_check(make))
        return
    configure_logs("provisioner", settings.log_level, settings.log_format)
    if sys.argv[1:] == ["tagged"]:
        print_tagged(settings, make)
        return
    with metrics_served(settings):
        run(lambda: running(settings, make))


def _configured(settings: ProvisionerSettings) -> list[MakeProvider]:
    context = provider_context(settings)
    try:
        make = [registration.make(context) for registration in configured()]
    except SettingsInvalid as error:
        wrong(str(error))
    if not make:
        wrong(NO_PROVIDER + ", or ".join(registration.needed for registration in PROVIDERS))
    return make


def print_tagged(settings: ProvisionerSettings, make: Sequence[MakeProvider]) -> None:
    try:
        lines = asyncio.run(tagged(settings.nats_url.get_secret_value(), make))
    except (ProviderError, ReadingInterrupted) as error:
        sys.exit(str(error))
    sys.stdout.writelines(f"{line}\n" for line in lines)


async def _check(make: Sequence[MakeProvider]) -> None:
    async for provider, checks in check(make):
        shown = [check.model_dump(mode="json") for check in checks]
        sys.stdout.write(json.dumps({"provider": provider, "checks": shown}) + "\n")


if __name__ == "__main__":
    main()
