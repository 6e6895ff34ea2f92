"""`python -m services.progress` runs the service. `rebuild` computes its tables again.

`verify` prints where the tables or the stream's snapshots differ from the facts; it exits with 1 if they do.
`replay` projects one event that could not be projected in its turn. `compact` moves the histories of instances that
ended long ago into the archive. `accept-loss` ends the warnings of a database that was lost.
"""

import sys
from argparse import ArgumentParser

from services.progress.app import accept_loss, compact_once, project_once_more, rebuild_once, running, verify_once
from services.progress.compaction import Compacted
from services.progress.settings import ProgressSettings
from services.progress.verify import Verdict
from shared.bus.reader import TRANSPORT, ReadingInterrupted
from shared.clock import CLOCK
from shared.environment import settings_or_exit
from shared.journal.envelope import Undecodable
from shared.logs import configure_logs
from shared.metrics import metrics_served
from shared.postgres.connection import DATABASE_ERRORS
from shared.running import exiting_when_refused, run, run_once


def main() -> None:
    parser = ArgumentParser(prog="python -m services.progress", description=__doc__)
    parser.add_argument(
        "command",
        nargs="?",
        choices=("rebuild", "verify", "replay", "compact", "accept-loss"),
        help="leave it out to run the service",
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
            run_once(rebuild_once(settings))
        elif command == "verify":
            sys.exit(print_verdict(run_once(verify_once(settings))))
        elif command == "accept-loss":
            lost = run_once(accept_loss(settings))
            sys.stdout.write("accepted\n" if lost else "nothing was lost, or that is accepted already\n")
        elif command == "compact":
            print_compacted(run_once(compact_once(settings, CLOCK.now())))
        else:
            _replay(settings, given.sequence)


def _replay(settings: ProgressSettings, sequence: int) -> None:
    try:
        run_once(project_once_more(settings, sequence))
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
        f"moved into the archive: {compacted.events} events, of {compacted.histories} instances and deployments"
        f"{skipped}; the stream has {after:.2f} MB (before: {before:.2f})\n"
    )


if __name__ == "__main__":
    main()
