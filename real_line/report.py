"""What a run has found out, as a section of docs/real-line.md."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from real_line.line import Line, Result
from real_line.machine import Machine

PAGE: Final = Path(__file__).parents[1] / "docs/real-line.md"
_END: Final = "<!-- make real: end -->\n"
_VERSIONS: Final = {
    "kernel": "uname --kernel-release | cut --delimiter=- --fields=1",
    "Debian": "cat /etc/debian_version",
    "systemd": "systemctl --version | head -n 1",
    "OpenSSH": "ssh -V 2>&1",
    "apt": "apt-get --version | head -n 1",
    "Docker": "docker version --format '{{.Server.Version}}'",
}


@dataclass(frozen=True)
class Report:
    """`left_out`: checks and why; `durations`: seconds by scene and step; `differences` of the workers by request.

    `played`: when each scene was.
    """

    vllm: str
    left_out: dict[str, str]
    versions: dict[str, str]
    durations: dict[str, dict[str, float]]
    differences: dict[str, str]
    results: list[Result]
    played: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, line: Line) -> "Report":
        versions = {"torch": line.version.torch, **_versions(line.machine)}
        return cls(
            line.version.number,
            dict(line.version.left_out),
            versions,
            line.durations,
            line.differences,
            line.results,
            line.played,
        )

    def over(self, former: "Report | None") -> "Report":
        """With what a former report has of scenes that were not played again."""
        if former is None:
            return self
        again = {result.scene for result in self.results}
        order = list(dict.fromkeys(result.scene for result in (*former.results, *self.results)))
        results = [*(result for result in former.results if result.scene not in again), *self.results]
        return replace(
            self,
            durations={**former.durations, **self.durations},
            differences=self.differences if "chat" in again else former.differences,
            results=sorted(results, key=lambda result: order.index(result.scene)),
            played={**former.played, **self.played},
        )

    @property
    def passed(self) -> bool:
        return bool(self.results) and all(result.passed for result in self.results)

    def save(self, path: Path) -> None:
        path.write_bytes(_REPORT.dump_json(self))

    @classmethod
    def load(cls, path: Path) -> "Report":
        return _REPORT.validate_json(path.read_bytes())

    def section(self) -> str:
        """Markdown."""
        failed = [result for result in self.results if not result.passed]
        verdict = f"{len(self.results)} checks, " + (f"{len(failed)} failed" if failed else "all passed")
        parts = [
            f"### vLLM {self.vllm}\n",
            f"{verdict}. {'; '.join(f'{scene}: {moment}' for scene, moment in self.played.items())}.\n",
            _table(("part", "version"), list(self.versions.items())),
            *(
                f"Seconds of the scene “{scene}”, by step:\n\n"
                + _table(("from this event on", "s"), [(name, f"{spent:.1f}") for name, spent in steps.items()])
                for scene, steps in self.durations.items()
            ),
            _table(
                ("scene", "check", "s", "seen"),
                [(each.scene, each.check, f"{each.seconds:.1f}", _seen(each)) for each in self.results],
            ),
            *(f"Left out: {what} ({why}).\n" for what, why in self.left_out.items()),
            "Where the simulated worker differs:\n\n"
            + _table(("request", "difference"), list(self.differences.items()) or [("all", "none")]),
        ]
        return "\n".join(parts)

    def write(self, page: Path) -> None:
        """Puts the section into the page, in the place of an earlier one of the same version."""
        begin = f"<!-- make real: {self.vllm} -->\n"
        section = f"{begin}{self.section()}{_END}"
        text = page.read_text()
        former = re.compile(f"{re.escape(begin)}.*?{re.escape(_END)}", re.DOTALL)
        page.write_text(former.sub(lambda _: section, text) if former.search(text) else f"{text}\n{section}")


_REPORT: Final = TypeAdapter(Report)


def _versions(machine: Machine) -> dict[str, str]:
    """Empty for what is not installed, since a scene has failed."""
    return {name: machine.shell(f"{command} || true").strip() for name, command in _VERSIONS.items()}


def _seen(result: Result) -> str:
    return result.seen if result.passed else f"**failed**: {result.seen}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(_cell(each) for each in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
