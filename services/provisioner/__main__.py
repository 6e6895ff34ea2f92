"""`python -m services.provisioner`: any number of these may run."""

from services.provisioner.app import running
from services.provisioner.providers.scaleway import ScalewaySettings
from services.provisioner.settings import ProvisionerSettings
from shared.logs import configure_logs
from shared.running import run


def main() -> None:
    settings, scaleway = ProvisionerSettings(), ScalewaySettings()
    configure_logs("provisioner", settings.log_level, settings.log_format)
    run(lambda: running(settings, scaleway))


if __name__ == "__main__":
    main()
