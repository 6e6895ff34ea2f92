"""`python -m services.progress` runs the service. `rebuild` computes its tables again.

`verify` prints where the tables or the stream's snapshots differ from the facts; it exits with 1 if they do.
`replay` projects one event that could not be projected in its turn. `compact` moves the histories of instances that
ended long ago into the archive.
"""

import sys
from argparse import ArgumentParser
from datetime import UTC, datetime

import uvloop

from services.progress.app import compact_once, project_once_more, rebuild_once, running, verify_once
from services.progress.compaction import Compacted
from services.progress.settings import ProgressSettings
from services.progress.verify import Verdict
from shared.bus.reader import TRANSPORT, ReadingInterrupted
from shared.environment import settings_or_exit
from shared.journal.envelope import Undecodable
from shared.logs import configure_logs
from shared.metrics import metrics_served
from shared.postgres.connection import DATABASE_ERRORS
from shared.running import exiting_when_refused, run


def main() -> None:
    parser = ArgumentParser(prog="python -m services.progress", description=__doc__)
    parser.add_argument(
        "command", nargs="?", choices=("rebuild", "verify", "replay", "compact"), help="leave it out to run the service"
    )
    parser.add_argument("sequence", nargs="?", type=int, help="of the event to replay")
    given = parser.parse_args()
    command = given.command
    if (command == "replay") != (given.sequence is not None):
        parser.error("a sequence is given with replay, and with nothing else")
    settings = settings_or_exit(ProgressSettings)
    configure_logs("progress", settings.log_level, settings.log_format)
    if command is None:
        with metrics_served(settings):
            run(lambda: running(settings))
        return
    with exiting_when_refused():
        if command == "rebuild":
            uvloop.run(rebuild_once(settings))
        elif command == "verify":
            sys.exit(print_verdict(uvloop.run(verify_once(settings))))
        elif command == "compact":
            print_compacted(uvloop.run(compact_once(settings, datetime.now(UTC))))
        else:
            _replay(settings, given.sequence)


def _replay(settings: ProgressSettings, sequence: int) -> None:
    try:
        uvloop.run(project_once_more(settings, sequence))
    except (Undecodable, ReadingInterrupted, *DATABASE_ERRORS, *TRANSPORT) as error:
        sys.exit(f"the event at {sequence} still cannot be projected: {error}")


def print_verdict(verdict: Verdict) -> int:
    """The exit status."""
    for line in (*verdict.unreadable, *verdict.differences):
        sys.stdout.write(f"{line}\n")
    number = len(verdict.differences)
    behind = f"; the read model is {verdict.behind} events behind" if verdict.behind else ""
    sys.stdout.write(f"{verdict.events} events of {verdict.instances} instances: {number} differences{behind}\n")
    return 1 if number else 0


def print_compacted(compacted: Compacted) -> None:
    skipped = f"; {compacted.skipped} were skipped: an event cannot be read" if compacted.skipped else ""
    before, after = compacted.bytes_before / 1e6, compacted.bytes_after / 1e6
    sys.stdout.write(
        f"moved into the archive: {compacted.events} events, of {compacted.instances} instances{skipped}; "
        f"the stream has {after:.2f} MB (before: {before:.2f})\n"
    )


if __name__ == "__main__":
    main()
