"""What a command costs before it has done anything: `python -m benchmarks.command_start`. Processor time, in seconds.

Each command is run with compiled modules, several times; the least is what it costs, since others share the machine.
"""

import argparse
import os
import resource
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Final

GOAL_S: Final = 0.3
COMMANDS: Final = (
    "--version",
    "--help",
    "env --help",
    "instances --help",
    "instances list",
    "instances create --help",
    "deployments list",
    "keys list",
    "events tail --help",
    "top --json",
    "apply --help",
    "status --help",
    "up --help",
)


class _Empty(BaseHTTPRequestHandler):
    """An api with nothing in it."""

    def do_GET(self) -> None:
        body = b'{"items": [], "next_cursor": null, "groups": [], "totals": []}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def spent_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def least_s(words: list[str], environment: dict[str, str], runs: int) -> float:
    """The least processor time of several runs; one before them compiles the modules."""
    spent = []
    for _ in range(runs + 1):
        before = spent_s()
        subprocess.run(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)  # noqa: S603  our own words only
        spent.append(spent_s() - before)
    return min(spent[1:])


def main(runs: int) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Empty)
    Thread(target=server.serve_forever, daemon=True).start()
    with TemporaryDirectory() as compiled:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"PYTHONPYCACHEPREFIX": compiled, "COLDSTART_API_KEY": "csk_none"}
        environment["COLDSTART_API_URL"] = f"http://127.0.0.1:{server.server_port}"
        bare = least_s([sys.executable, "-c", "pass"], environment, runs)
        print(f"{'python alone':<28} {bare:6.3f} s")
        for command in COMMANDS:
            spent = least_s([sys.executable, "-m", "coldstart", *command.split()], environment, runs)
            print(f"coldstart {command:<18} {spent:6.3f} s   (goal: under {GOAL_S} s)")
    server.shutdown()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    main(parser.parse_args().runs)
