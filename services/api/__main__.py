"""`python -m services.api`."""

from services.api.app import running
from services.api.processes import several
from services.api.settings import ApiSettings
from shared.environment import settings_or_exit
from shared.logs import configure_logs
from shared.running import run


def main() -> None:
    settings = settings_or_exit(ApiSettings)
    configure_logs("api", settings.log_level, settings.log_format)
    run(lambda: several(settings) if settings.api_processes > 1 else running(settings))


if __name__ == "__main__":
    main()
