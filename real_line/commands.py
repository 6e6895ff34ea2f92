"""Programs of this system, run one after the other; what they print is kept in a log."""

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class CommandFailed(Exception):
    """Names the command, its exit status, its last words and the log."""


@dataclass(frozen=True)
class Commands:
    """Runs programs; `log` gets their command lines and all that they print."""

    log: Path

    def __call__(
        self,
        *command: str | Path,
        environment: Mapping[str, str] | None = None,
        given: bytes = b"",
        within_s: float = 1800,
    ) -> str:
        """Standard output. `environment` replaces ours, `given` is standard input. Raises CommandFailed."""
        words = [str(word) for word in command]
        with self.log.open("ab") as log:
            log.write(f"\n$ {shlex.join(words)}\n".encode())
            log.flush()
            try:
                ran = subprocess.run(
                    words,
                    input=given,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment,
                    timeout=within_s,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise CommandFailed(
                    f"{shlex.join(words)} has not ended within {within_s:g} s. See {self.log}."
                ) from None
            log.write(ran.stdout)
        if ran.returncode != 0:
            raise CommandFailed(
                f"{_brief(words)} ended with status {ran.returncode}: {self._last_line()} See {self.log}."
            )
        return ran.stdout.decode(errors="replace")

    def succeeds(self, *command: str | Path, within_s: float = 60) -> bool:
        """Whether the command exits with status 0."""
        try:
            self(*command, within_s=within_s)
        except CommandFailed:
            return False
        return True

    def _last_line(self) -> str:
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines and not lines[-1].startswith("$ ") else "it printed nothing."


def _brief(words: Sequence[str]) -> str:
    shown = shlex.join(words)
    return shown if len(shown) <= 200 else f"{shown[:200]} …"
