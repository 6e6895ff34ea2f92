from services.health.app import running
from services.health.settings import HealthSettings
from shared.environment import settings_or_exit
from shared.logs import configure_logs
from shared.metrics import metrics_served
from shared.running import run


def main() -> None:
    settings = settings_or_exit(HealthSettings)
    configure_logs("health", settings.log_level, settings.log_format)
    with metrics_served(settings):
        run(lambda: running(settings))


if __name__ == "__main__":
    main()
