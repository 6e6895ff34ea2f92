"""`python -m services.provisioner`: any number of these may run."""

import os
import sys

from services.provisioner.app import running
from services.provisioner.providers.machines import InventoryInvalid, inventory_at
from services.provisioner.providers.scaleway import ScalewaySettings
from services.provisioner.settings import ProvisionerSettings
from shared.logs import configure_logs
from shared.metrics import metrics_served
from shared.running import run

NO_PROVIDER = (
    "no provider is configured: set SCW_ACCESS_KEY, SCW_SECRET_KEY and SCW_DEFAULT_PROJECT_ID for Scaleway, or "
    "COLDSTART_MACHINES for machines of your own"
)


def main() -> None:
    settings = ProvisionerSettings()
    scaleway = ScalewaySettings() if os.environ.get("SCW_ACCESS_KEY") else None
    try:
        machines = inventory_at(settings.machines) if settings.machines else None
    except InventoryInvalid as error:
        sys.exit(f"COLDSTART_MACHINES: {error}")
    if scaleway is None and machines is None:
        sys.exit(NO_PROVIDER)
    configure_logs("provisioner", settings.log_level, settings.log_format)
    with metrics_served(settings):
        run(lambda: running(settings, scaleway, machines))


if __name__ == "__main__":
    main()
