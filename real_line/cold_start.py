"""A cold start in two ways, each on an empty machine: vLLM fetches the weights, or the machine does beside the image.

Then a reinstall, which finds what the first install has left.
"""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import httpx

from real_line import hub
from real_line.addresses import CONTROL, HUB_PORT, REGISTRY_PORT
from real_line.bandwidth import limited
from real_line.cleanliness import nothing_of_ours
from real_line.cold_start_result import PULL, RECORDED, WEIGHTS, ColdStart, Launched, shown
from real_line.images import MANIFEST
from real_line.line import Launch, Line, Wrong
from real_line.waiting import until
from shared.lifecycle.critical_path import CriticalPath, LaunchOutcome
from shared.lifecycle.status import Status

HUB_RATE: Final = 3_000_000
REGISTRY_RATE: Final = 12_000_000
"""Bytes per second. So the image takes about as long as Docker's install and the weights do."""
_LAUNCH_S: Final = 1800
_END_S: Final = 180
_ANSWER_S: Final = 120
_LEAST_OVERLAP_S: Final = 10
_MOST_OF_A_REINSTALL: Final = 0.3
_EMPTIED: Final = """
if command -v docker >/dev/null; then
  docker image prune --all --force >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get autoremove --purge -y docker.io
fi
rm -rf /etc/docker /var/lib/docker /var/lib/containerd /mnt/data
"""


def cold_start(line: Line) -> None:
    """On a link that is as slow as one to far servers."""
    with slow_link(line):
        with line.stack.restarted_with({"COLDSTART_WEIGHTS_BY_HOST": "false"}), _launch(line) as launch:
            by_vllm = _measured("vLLM fetches the weights", launch, time.monotonic())
        with _launch(line) as launch:
            by_host = _measured("the machine fetches the weights beside the image", launch, time.monotonic())
            if by_vllm is None or by_host is None:
                return
            line.check("weights and image come at the same time", lambda: _overlapping(by_vllm, by_host))
            line.check("the first token comes sooner", lambda: _sooner(by_vllm, by_host))
            measured = ColdStart(
                played=line.played[line.scene],
                vllm=line.version.number,
                weights_bytes=_weights_bytes(launch),
                image_bytes=_image_bytes(line),
                hub_rate=HUB_RATE,
                registry_rate=REGISTRY_RATE,
                by_vllm=by_vllm,
                by_host=by_host,
                reinstalled=_reinstalled(launch),
            )
            line.check("a reinstall takes at most 0.3 of a first install", lambda: _short(measured))
    keep(measured)


def slow_link(line: Line) -> AbstractContextManager[None]:
    return limited(line.machine.run, {HUB_PORT: HUB_RATE, REGISTRY_PORT: REGISTRY_RATE})


def emptied(line: Line) -> None:
    """The machine has neither Docker, nor an image, nor models."""
    line.machine.shell(_EMPTIED, within_s=600)


def keep(measured: ColdStart) -> None:
    """For docs/cold-starts.md, which `make docs` draws."""
    RECORDED.write_text(f"{measured.model_dump_json(indent=1)}\n")


@contextmanager
def _launch(line: Line) -> Iterator[Launch]:
    """On an emptied machine, and terminated at the end."""
    emptied(line)
    launch = line.launch(hub.LARGE, vllm_args=["--enforce-eager", "--max-model-len=2048"])
    try:
        yield launch
    finally:
        line.stack.api.delete(launch.path)
        line.check("it terminates", lambda: launch.becomes(Status.TERMINATED, within_s=_END_S).status)
        line.check("nothing of ours is on the machine", lambda: nothing_of_ours(line.machine))


def _measured(what: str, launch: Launch, ordered: float) -> Launched | None:
    """`ordered`: the monotonic clock's reading at the order."""
    found: list[Launched] = []

    def look() -> str:
        launch.becomes(Status.READY, within_s=_LAUNCH_S)
        until(lambda: _answers(launch), "an answer through the router", _ANSWER_S)
        first_token_s = time.monotonic() - ordered
        path = until(lambda: _path(launch), "the critical path", _ANSWER_S)
        assert path is not None
        found.append(Launched.of(first_token_s, path, launch.timeline()))
        for text in shown(found[0]):
            print(f"    {text}", flush=True)
        return f"ready after {path.seconds:.1f} s, the first token after {first_token_s:.1f} s"

    launch.line.check(what, look)
    return found[0] if found else None


def _answers(launch: Launch) -> bool:
    body = {"model": hub.LARGE, "prompt": "Hello", "max_tokens": 1}
    return launch.ask("/v1/completions", body).is_success


def _path(launch: Launch) -> CriticalPath | None:
    """Of the present attempt, once the read model has all of it."""
    told = launch.line.stack.api.get(f"{launch.path}/critical-path")
    path = CriticalPath.model_validate(told)
    return path if path.outcome is LaunchOutcome.READY and path.intervals else None


def _overlapping(by_vllm: Launched, by_host: Launched) -> str:
    """Only one of both is on the critical path, and vLLM finds the files where it fetches nothing by itself."""
    downloads = [launched.loading_s("download") for launched in (by_vllm, by_host)]
    critical = [interval.step for interval in by_host.path.intervals if interval.critical]
    seen = (
        f"{by_host.overlap_s:.1f} s (weights {by_host.seconds(WEIGHTS):.1f} s, pull {by_host.seconds(PULL):.1f} s, "
        f"vLLM's own download {downloads[0]:.1f} s, then {downloads[1]:.1f} s)"
    )
    both = {WEIGHTS, PULL} <= set(critical)
    if by_vllm.overlap_s or by_host.overlap_s < _LEAST_OVERLAP_S or both or downloads[1] > downloads[0] / 10:
        raise Wrong(f"{seen}; critical: {critical}")
    return seen


def _sooner(by_vllm: Launched, by_host: Launched) -> str:
    seen = (
        f"{by_host.first_token_s:.1f} s instead of {by_vllm.first_token_s:.1f} s, "
        f"{by_host.first_token_s / by_vllm.first_token_s:.2f} ×"
    )
    if by_host.first_token_s >= by_vllm.first_token_s:
        raise Wrong(seen)
    return seen


def _reinstalled(launch: Launch) -> Launched | None:
    """The next attempt on the same machine, with the same image."""
    ordered = time.monotonic()
    launch.line.stack.api.post(f"{launch.path}/reinstall")
    return _measured("a reinstall", launch, ordered)


def _short(measured: ColdStart) -> str:
    ratio = measured.reinstall_ratio
    if ratio is None:
        raise Wrong("it was not ready")
    assert measured.reinstalled is not None
    seen = f"{measured.reinstalled.path.seconds:.1f} s instead of {measured.by_host.path.seconds:.1f} s, {ratio:.2f} ×"
    if ratio > _MOST_OF_A_REINSTALL:
        raise Wrong(seen)
    return seen


def _weights_bytes(launch: Launch) -> int:
    rows = [row for row in launch.timeline() if row["type"] == "WeightsProgressed"]
    return int(rows[-1]["data"]["total_bytes"])


def _image_bytes(line: Line) -> int:
    """Compressed, as the registry has it."""
    name, _, tag = line.version.image.partition(":")
    url = f"http://{CONTROL}:{REGISTRY_PORT}/v2/{name}/manifests/{tag}"
    manifest = httpx.get(url, headers={"Accept": MANIFEST}).raise_for_status().json()
    return sum(layer["size"] for layer in manifest["layers"])
