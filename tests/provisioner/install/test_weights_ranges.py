"""Large files in ranges, over several connections, in a real bash with the real curl."""

import os
import re
import signal
import subprocess
import threading
from collections import deque
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from services.provisioner.install.output import Fetched
from tests.provisioner.install.fetching import (
    BLOCK,
    FILES,
    LARGE,
    blob_of,
    is_whole,
    kept,
    of_all,
    run,
    snapshot,
    started,
)
from tests.provisioner.install.lying_hub import Answer, LyingHub, lying_hub

RANGE: Final = 65_536
SMALL: Final = f"weights_range={RANGE}"
NAME: Final = "model-1.safetensors"
BEGINS: Final = list(range(0, len(LARGE), RANGE))

pytestmark = pytest.mark.real


def blobs(root: Path) -> Path:
    return snapshot(root).parents[1] / "blobs"


def left_over(root: Path) -> list[str]:
    return [path.name for path in blobs(root).iterdir() if "coldstart" in path.name]


def test_a_large_file_comes_in_ranges_each_of_them_once(tmp_path: Path, hub: LyingHub) -> None:
    total = sum(map(len, FILES.values()))
    status, said = run(tmp_path, hub, more=SMALL)
    assert (status, is_whole(tmp_path), left_over(tmp_path)) == (0, True, []), said
    asked = sorted((each.begins_at, each.ends_at) for each in hub.requests if each.path == NAME)
    assert asked == list(pairwise([*BEGINS, len(LARGE)]))
    assert [each.ends_at for each in hub.requests if each.path == "config.json"] == [None]
    assert of_all(said)[-1] == Fetched(total, total, len(FILES), len(FILES))


def test_one_file_alone_comes_over_as_many_connections_as_there_may_be(tmp_path: Path, hub: LyingHub) -> None:
    together = threading.Barrier(3, timeout=30)

    def meet() -> None:
        together.wait()

    hub.answers[NAME] = deque([Answer(meanwhile=meet) for _ in range(3)])
    status, said = run(tmp_path, hub, NAME, more=SMALL)
    assert (status, kept(tmp_path), together.broken) == (0, {NAME: LARGE}, False), said


def test_what_has_come_of_a_range_is_not_fetched_again(tmp_path: Path, hub: LyingHub) -> None:
    hub.answers[NAME] = deque([Answer(drops_after=20_000), Answer(stalls_after=30_000)])
    status, said = run(tmp_path, hub, NAME, more=f"{SMALL} weights_stall_seconds=1 WEIGHTS_PARALLEL=1")
    assert (status, kept(tmp_path)) == (0, {NAME: LARGE}), said
    assert hub.begins_at(NAME) == [0, 20_000, 50_000, *BEGINS[1:]]
    assert ("curl: (18) " in said, "curl: (28) " in said) == (True, True)


def test_bytes_that_have_come_never_become_fewer(tmp_path: Path, hub: LyingHub) -> None:
    more = "weights_range=20480 WEIGHTS_PARALLEL=8"
    status, said = run(tmp_path, hub, more=more)
    assert (status, is_whole(tmp_path)) == (0, True), said
    counts = [(each.bytes, each.files) for each in of_all(said)]
    assert counts == sorted(counts)


def test_an_install_that_was_killed_goes_on_in_each_range_where_it_was(tmp_path: Path, hub: LyingHub) -> None:
    half = f"weights_range={50 * BLOCK}"
    with started(tmp_path, hub, threading.Event(), more=f"{half} WEIGHTS_PARALLEL=1") as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert kept(tmp_path) == {}
    hub.requests.clear()
    status, said = run(tmp_path, hub, more=half)
    assert (status, is_whole(tmp_path), left_over(tmp_path)) == (0, True, []), said
    assert 30 * BLOCK <= min(hub.begins_at(NAME)) < 50 * BLOCK


def test_a_range_that_was_copied_but_not_marked_is_copied_again(tmp_path: Path, hub: LyingHub) -> None:
    dies = 'dd() { command dd "$@"; [[ -e $root/once ]] || { touch $root/once; kill -KILL $BASHPID; }; }'
    status, said = run(tmp_path, hub, more=f"{SMALL}; {dies}")
    assert (status, is_whole(tmp_path), left_over(tmp_path)) == (0, True, []), said
    assert (tmp_path / "once").exists()


def test_a_server_without_ranges_sends_the_file_in_one_piece(tmp_path: Path, hub: LyingHub) -> None:
    hub.always[NAME] = Answer(ranges=False)
    status, said = run(tmp_path, hub, more=SMALL)
    assert (status, is_whole(tmp_path), left_over(tmp_path)) == (0, True, []), said
    assert f"{NAME}: the server does not send it in ranges, so it is fetched in one piece." in said


def test_a_file_that_was_begun_in_one_piece_goes_on_so(tmp_path: Path, hub: LyingHub) -> None:
    blobs(tmp_path).mkdir(parents=True)
    (blobs(tmp_path) / f"{blob_of(LARGE)}.coldstart").write_bytes(LARGE[:100_000])
    status, said = run(tmp_path, hub, more=SMALL)
    assert (status, is_whole(tmp_path)) == (0, True), said
    assert hub.begins_at(NAME) == [100_000]


@pytest.mark.parametrize("fetched", [100_000, len(LARGE)], ids=["half", "whole"])
def test_ranges_of_a_file_that_an_earlier_try_went_on_with_in_one_piece_are_removed(
    tmp_path: Path, hub: LyingHub, fetched: int
) -> None:
    blobs(tmp_path).mkdir(parents=True)
    blob = blobs(tmp_path) / blob_of(LARGE)
    blob.with_name(f"{blob.name}{'.coldstart' if fetched < len(LARGE) else ''}").write_bytes(LARGE[:fetched])
    for end in ("coldstart.0-65536", "coldstart.65536-131072.placed", "joined.coldstart"):
        blob.with_name(f"{blob.name}.{end}").write_bytes(LARGE[:1000])
    status, said = run(tmp_path, hub, more=SMALL)
    assert (status, is_whole(tmp_path), left_over(tmp_path)) == (0, True, []), said


def test_ranges_that_make_no_right_file_are_fetched_again_in_one_piece(tmp_path: Path, hub: LyingHub) -> None:
    hub.answers[NAME] = deque([Answer(content=LARGE[::-1])])
    status, said = run(tmp_path, hub, more=SMALL)
    assert (status, is_whole(tmp_path), left_over(tmp_path)) == (0, True, []), said
    assert said.count("the checksum is wrong, so it is fetched again.") == 1


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        (
            Answer(content=LARGE[::-1]),
            "was fetched 3 times, and each time its checksum was not that of the hub's list.",
        ),
        (Answer(content=LARGE[:-1]), "is shorter at the server than in the hub's list."),
        (Answer(content=LARGE[:RANGE]), "is shorter at the server than in the hub's list."),
        (Answer(endless=True, ranges=False), "3 times, and each time its checksum was not that of the hub's list."),
    ],
    ids=["other", "shorter", "much shorter", "endless"],
)
def test_a_server_that_lies_about_ranges_ends_the_install_and_nothing_can_be_read(
    tmp_path: Path, hub: LyingHub, lie: Answer, reason: str
) -> None:
    hub.always[NAME] = lie
    status, said = run(tmp_path, hub, more=SMALL)
    assert (status, kept(tmp_path)) == (1, {}), said
    assert said.splitlines()[-1].startswith(f"failed: {NAME}")
    assert said.splitlines()[-1].endswith(reason), said


def test_a_server_that_asks_for_patience_gets_it_for_each_range(tmp_path: Path, hub: LyingHub) -> None:
    hub.answers[NAME] = deque([Answer(status=429, headers=(("Retry-After", "7"),))])
    status, said = run(tmp_path, hub, more=SMALL)
    assert (status, is_whole(tmp_path)) == (0, True), said
    assert f"{NAME}: the server answered 429; again in 7 s\nslept 7\n" in said
    assert sorted(hub.begins_at(NAME)) == [0, *BEGINS] or len(hub.begins_at(NAME)) == len(BEGINS) + 1


def test_ranges_are_asked_for_where_the_hub_sends_us_on_to(tmp_path: Path, hub: LyingHub) -> None:
    with lying_hub("127.0.0.2") as storage:
        storage.files = hub.files
        hub.always[NAME] = Answer(status=302, headers=(("Location", f"{storage.url}/{NAME}"),))
        status, said = run(tmp_path, hub, NAME, more=SMALL)
        assert (status, kept(tmp_path)) == (0, {NAME: LARGE}), said
        assert sorted(storage.begins_at(NAME)) == BEGINS
        assert {each.authorization for each in storage.requests} == {None}


def test_room_is_needed_for_the_ranges_that_are_copied_too(tmp_path: Path, hub: LyingHub) -> None:
    df = "df() { echo Filesystem Avail; echo /dev/a 400000; }; in_gb() { echo $1; }"
    status, said = run(tmp_path, hub, more=f"{SMALL}; {df}")
    assert (status, hub.requests) == (1, [])
    assert f"the model's weights need {500_027 + 3 * RANGE} GB or more" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_a_disk_that_fills_up_while_a_range_is_copied_is_named(tmp_path: Path, hub: LyingHub) -> None:
    data = tmp_path / "mnt/data"
    data.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", data], check=True)
    try:
        no_look = f"weights_range={200_704}; disk_of() {{ return 1; }}"
        status, said = run(tmp_path, hub, NAME, more=no_look)
        assert (status, kept(tmp_path)) == (1, {}), said
        assert re.search(rf"^failed: {NAME} cannot be written: tmpfs .*No space left", said, re.MULTILINE), said
        subprocess.run(["mount", "-o", "remount,size=1024k", data], check=True)
        status, said = run(tmp_path, hub, NAME, more=no_look)
        assert (status, kept(tmp_path)) == (0, {NAME: LARGE}), said
    finally:
        subprocess.run(["umount", data], check=True)
