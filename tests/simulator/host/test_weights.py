"""A machine's curl and sha256sum for the files of models, on an injected clock."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from simulator.host.machine import SimulatedMachine
from simulator.host.standins.disks import dd
from simulator.host.standins.packages import curl
from simulator.host.standins.weights import sha256sum
from simulator.hub.files import repository
from simulator.hub.models import MODELS
from simulator.rates import Rates
from simulator.scenario import FileError, FileFailure
from tests.simulator.host.clocks import SteppedClock
from tests.simulator.host.machines import QUICK
from tests.simulator.host.stand_ins import Said, a_host, called

MODEL = MODELS["Qwen/Qwen2.5-7B-Instruct"]
FILES = repository(MODEL)
LARGE = FILES["model-00001-of-00004.safetensors"]
RATES = Rates(network=1000, hub=1000, hub_connection=100, disk_write=4000, disk_read=4000, sha256=1000)


def output_of(host: SimulatedMachine, path: str = LARGE.path) -> Path:
    file = FILES[path]
    return host.disk.root / "var/tmp" / f"{file.sha256 or file.blob}.coldstart"


async def fetched(
    host: SimulatedMachine, path: str = LARGE.path, said: Said | None = None, ranged: tuple[int, int] | None = None
) -> int:
    """`ranged`: these bytes of it, into an output that has none."""
    url = f"https://huggingface.co/{MODEL.id}/resolve/{MODEL.sha}/{path}"
    where = ("-",) if ranged is None else (str(ranged[0]), "--header", f"Range: bytes={ranged[0]}-{ranged[1] - 1}")
    options = (
        "--config", "-", "--continue-at", *where, "--fail", "--location", "--silent", "--show-error", "--globoff",
        "--connect-timeout", "20", "--speed-limit", "1000", "--speed-time", "25",
        "--dump-header", str(host.disk.root / "var/tmp/headers"), "--output", str(output_of(host, path)),
    )  # fmt: skip
    return await curl(host, called("curl", *options, said=said, given=f'url = "{url}"\n'))


async def checksum(host: SimulatedMachine) -> str:
    said = Said()
    assert await sha256sum(host, called("sha256sum", str(output_of(host)), said=said)) == 0
    return said.out[0].split()[0]


def failing(folder: Path, clock: SteppedClock, *failures: FileFailure, rates: Rates | None = RATES) -> SimulatedMachine:
    scenario = QUICK.model_copy(update={"file_failures": failures, "retry_after": 7.0})
    return a_host(folder, rates, clock, scenario)


async def test_a_file_grows_as_it_comes_and_takes_no_room(tmp_path: Path) -> None:
    clock = SteppedClock()
    host = a_host(tmp_path, RATES, clock)
    fetching = asyncio.ensure_future(fetched(host))
    await clock.run(asyncio.sleep(0))
    while clock.now() < 5:
        await clock.run(host.model.sleep(1))  # type: ignore[union-attr]
    assert output_of(host).stat().st_size == pytest.approx(500e6)
    await clock.run(asyncio.wait([fetching]))
    assert (fetching.result(), output_of(host).stat().st_size) == (0, LARGE.size)
    assert output_of(host).stat().st_blocks == 0


async def test_a_fetch_goes_on_where_the_output_ends(tmp_path: Path) -> None:
    clock = SteppedClock()
    host = a_host(tmp_path, RATES, clock)
    with output_of(host).open("wb") as file:
        file.truncate(LARGE.size - 10**9)
    assert await clock.run(fetched(host)) == 0
    assert clock.now() == pytest.approx(10)


async def test_ranges_come_over_a_connection_each_and_make_the_file(tmp_path: Path) -> None:
    clock = SteppedClock()
    host = failing(tmp_path, clock, FileFailure(error=FileError.WRONG))
    whole, middle = output_of(host).with_suffix(".whole"), 2 * 10**9

    async def brought(begin: int, end: int) -> None:
        assert await fetched(host, ranged=(begin, end)) == 0
        options = (f"seek={begin}", "bs=4M", "oflag=seek_bytes", "conv=notrunc", "status=none")
        assert await dd(host, called("dd", f"if={output_of(host)}", f"of={whole}", *options)) == 0
        output_of(host).unlink()

    async def checked() -> str:
        said = Said()
        assert await sha256sum(host, called("sha256sum", str(whole), said=said)) == 0
        return said.out[0].split()[0]

    for begin, end in ((0, middle), (middle, LARGE.size)):
        await clock.run(brought(begin, end))
    assert clock.now() == pytest.approx(LARGE.size / 100e6 + LARGE.size / 4000e6)
    assert (whole.stat().st_size, await clock.run(checked()) != LARGE.sha256) == (LARGE.size, True)
    whole.unlink()
    for begin, end in ((middle, LARGE.size), (0, middle)):
        await clock.run(brought(begin, end))
    assert (whole.stat().st_size, await clock.run(checked())) == (LARGE.size, LARGE.sha256)


async def test_a_dropped_connection_leaves_what_has_come(tmp_path: Path) -> None:
    clock, said = SteppedClock(), Said()
    host = failing(tmp_path, clock, FileFailure(error=FileError.DROPPED, megabytes=300))
    assert await clock.run(fetched(host, said=said)) == 18
    assert (clock.now(), output_of(host).stat().st_size) == (3, 300 * 10**6)
    assert said.err == [f"curl: (18) end of response with {LARGE.size - 300 * 10**6} bytes missing"]
    assert await clock.run(fetched(host)) == 0


async def test_a_stall_is_noticed_by_curl(tmp_path: Path) -> None:
    clock = SteppedClock()
    host = failing(tmp_path, clock, FileFailure(error=FileError.STALLED, megabytes=300))
    assert await clock.run(fetched(host)) == 28
    assert clock.now() == 3 + 25


@pytest.mark.parametrize(("error", "status"), [(FileError.TOO_MANY_REQUESTS, "429"), (FileError.UNAVAILABLE, "503")])
async def test_a_refusal_says_when_to_come_again(tmp_path: Path, error: FileError, status: str) -> None:
    clock = SteppedClock()
    host = failing(tmp_path, clock, FileFailure(error=error))
    assert await clock.run(fetched(host)) == 22
    told = (host.disk.root / "var/tmp/headers").read_text()
    assert f"HTTP/2 {status}" in told
    assert "retry-after: 7" in told
    assert not output_of(host).exists()


async def test_a_wrong_file_has_another_checksum_until_it_is_fetched_again(tmp_path: Path) -> None:
    clock = SteppedClock()
    host = failing(tmp_path, clock, FileFailure(error=FileError.WRONG))
    assert await clock.run(fetched(host)) == 0
    assert output_of(host).stat().st_size == LARGE.size
    assert await clock.run(checksum(host)) != LARGE.sha256
    output_of(host).unlink()
    assert await clock.run(fetched(host)) == 0
    assert await clock.run(checksum(host)) == LARGE.sha256


async def test_a_checksum_takes_its_time(tmp_path: Path) -> None:
    clock = SteppedClock()
    host = a_host(tmp_path, RATES, clock)
    with output_of(host).open("wb") as file:
        file.truncate(3 * 10**9)
    await clock.run(checksum(host))
    assert clock.now() == pytest.approx(3)


@pytest.mark.parametrize("rates", [RATES, None])
async def test_a_small_file_is_what_its_git_id_says_unless_it_is_wrong(tmp_path: Path, rates: Rates | None) -> None:
    clock = SteppedClock()
    host = failing(tmp_path, clock, FileFailure(error=FileError.WRONG), rates=rates)
    seen = []
    for _ in range(2):
        assert await clock.run(fetched(host, "config.json")) == 0
        content = output_of(host, "config.json").read_bytes()
        seen.append(hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest())
        output_of(host, "config.json").unlink()
    assert seen[0] != FILES["config.json"].blob == seen[1]
