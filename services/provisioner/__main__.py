"""`python -m services.provisioner`: any number of these may run."""

import os
from typing import Final

from services.provisioner.app import running
from services.provisioner.providers.machines import InventoryInvalid, inventory_at
from services.provisioner.providers.scaleway import ScalewaySettings
from services.provisioner.settings import ProvisionerSettings
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
    configure_logs("provisioner", settings.log_level, settings.log_format)
    with metrics_served(settings):
        run(lambda: running(settings, scaleway, machines))


if __name__ == "__main__":
    main()
