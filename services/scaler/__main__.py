from services.scaler.app import running
from services.scaler.settings import ScalerSettings
from shared.environment import settings_or_exit
from shared.logs import configure_logs
from shared.metrics import metrics_served
from shared.running import run


def main() -> None:
    settings = settings_or_exit(ScalerSettings)
    configure_logs("scaler", settings.log_level, settings.log_format)
    with metrics_served(settings):
        run(lambda: running(settings))


if __name__ == "__main__":
    main()
