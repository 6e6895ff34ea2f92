from services.webhooks.app import running
from services.webhooks.settings import WebhooksSettings
from shared.environment import settings_or_exit
from shared.logs import configure_logs
from shared.metrics import metrics_served
from shared.running import run


def main() -> None:
    settings = settings_or_exit(WebhooksSettings)
    configure_logs("webhooks", settings.log_level, settings.log_format)
    with metrics_served(settings):
        run(lambda: running(settings))


if __name__ == "__main__":
    main()
