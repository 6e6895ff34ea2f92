"""`make real`: everything that a first launch meets, real, on one Debian machine without a GPU.

Prepares what is needed (with the network), then plays the scenes in namespaces of its own (without one).
"""

import argparse
import fcntl
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Final

from real_line.commands import CommandFailed, Commands
from real_line.inside import Run, play
from real_line.kept import MB, Kept, size_of
from real_line.namespaces import run_apart
from real_line.preparation import prepared
from real_line.report import PAGE, Report
from real_line.scenes import SCENES
from real_line.versions import DEFAULT, VERSIONS

DATA: Final = Path("/var/tmp/coldstart-real")  # noqa: S108 - postgres, as nobody, has to reach its folder
_PLAY: Final = "--play"
_INTERRUPTED: Final = 130


def main() -> int:
    if sys.argv[1:2] == [_PLAY]:
        return _play(Path(sys.argv[2]))
    options = _options()
    options.data.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (options.data / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Another run uses {options.data}. Wait for it, or name another folder with --data.", file=sys.stderr)
            return 1
        if options.clear:
            shutil.rmtree(options.data)
            print(f"Removed {options.data}.")
            return 0
        try:
            return _prepare_and_run(options)
        except CommandFailed as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            shutil.rmtree(options.data / "run", ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make real", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--vllm", choices=sorted(VERSIONS), default=DEFAULT, help="version (default: %(default)s)")
    parser.add_argument("--data", type=Path, default=DATA, help="what is kept for the next run (default: %(default)s)")
    parser.add_argument("--clear", action="store_true", help="remove that folder, and do nothing else")
    names = [name.replace(" ", "_") for name in SCENES]
    parser.add_argument(
        "--only", nargs="+", default=[], choices=names, metavar="SCENE", help=f"only {', '.join(names)}"
    )
    return parser.parse_args()


def _prepare_and_run(options: argparse.Namespace) -> int:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print("The real line needs Debian, and root: it makes namespaces and mounts.", file=sys.stderr)
        return 1
    began = time.monotonic()
    logs, folder = options.data / "logs", options.data / "run"
    for fresh in (logs, folder):
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
    kept = Kept(options.data / "kept")
    version = VERSIONS[options.vllm]
    ready = prepared(Commands(logs / "preparation.log"), kept, options.data / "downloads", version)
    print(f"prepared in {time.monotonic() - began:.0f} s; {options.data} has {size_of(options.data) / MB:,.0f} MB")
    given = folder / "run.json"
    Run(version, ready, folder, logs, tuple(name.replace("_", " ") for name in options.only)).save(given)
    status = run_apart([sys.executable, "-m", "real_line", _PLAY, str(given)])
    print(f"ended after {time.monotonic() - began:.0f} s; logs are in {logs}")
    return status


def _play(given: Path) -> int:
    run = Run.load(given)
    kept = run.logs.with_name(f"report-{run.version.number}.json")

    def keep(report: Report) -> None:
        report.over(Report.load(kept) if kept.exists() else None).save(kept)
        Report.load(kept).write(PAGE)

    try:
        report = play(run, keep)
    except KeyboardInterrupt:
        print("interrupted; nothing is left behind", flush=True)
        return _INTERRUPTED
    failed = [result for result in report.results if not result.passed]
    print(f"{len(report.results)} checks, {len(failed)} failed", flush=True)
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
