"""`python -m services.progress` runs the service; `python -m services.progress rebuild` computes its tables anew."""

from argparse import ArgumentParser

import uvloop

from services.progress.app import rebuild_once, running
from services.progress.settings import ProgressSettings
from shared.logs import configure_logs
from shared.metrics import metrics_served
from shared.running import run


def main() -> None:
    parser = ArgumentParser(prog="python -m services.progress", description=__doc__)
    parser.add_argument("command", nargs="?", choices=("rebuild",), help="leave it out to run the service")
    command = parser.parse_args().command
    settings = ProgressSettings()
    configure_logs("progress", settings.log_level, settings.log_format)
    if command == "rebuild":
        uvloop.run(rebuild_once(settings))
    else:
        with metrics_served(settings):
            run(lambda: running(settings))


if __name__ == "__main__":
    main()
