"""The real functions in a real bash, with the real curl, against a hub that lies, drops, stalls and refuses."""

import os
import re
import signal
import subprocess
import threading
from collections import deque
from pathlib import Path

import pytest
from huggingface_hub import snapshot_download

from services.provisioner.install.output import Fetched
from tests.provisioner.install.fetching import (
    BLOCK,
    COMMIT,
    FILES,
    LARGE,
    SCRIPT,
    TOKEN,
    blob_of,
    command,
    holders,
    is_whole,
    kept,
    lines_of,
    of_all,
    run,
    snapshot,
    started,
)
from tests.provisioner.install.lying_hub import Answer, LyingHub, lying_hub

pytestmark = pytest.mark.real


def test_all_files_come_into_the_hub_s_own_cache_and_the_next_install_fetches_none(
    tmp_path: Path, hub: LyingHub
) -> None:
    total = sum(map(len, FILES.values()))
    status, said = run(tmp_path, hub)
    assert (status, is_whole(tmp_path)) == (0, True), said
    assert of_all(said)[-1] == Fetched(total, total, len(FILES), len(FILES))
    assert of_all(said)[0].bytes < total
    assert (snapshot(tmp_path) / "config.json").readlink() == Path(f"../../blobs/{blob_of(FILES['config.json'])}")
    before = len(hub.requests)
    status, said = run(tmp_path, hub)
    assert (status, len(hub.requests)) == (0, before), said
    assert set(of_all(said)) == {Fetched(total, total, len(FILES), len(FILES))}
    assert not (tmp_path / "var/lib/coldstart/weights").exists()


def test_what_is_on_the_disk_already_is_read_into_memory_without_the_install_s_lock(
    tmp_path: Path, hub: LyingHub
) -> None:
    """`cat` tells what it is to read, instead of reading it."""
    assert run(tmp_path, hub)[0] == 0
    told = tmp_path / "told"
    os.mkfifo(told)
    more = f"""exec 9>>{tmp_path}/lock
    cat() {{ echo "${{*##*/}} $([[ ! -e /proc/$BASHPID/fd/9 ]] || echo locked)" >{told}; }}"""
    status, said = run(tmp_path, hub, more=more, then=f'weights; read -r told <{told}; echo "$told"')
    assert (status, is_whole(tmp_path)) == (0, True), said
    assert said.splitlines()[-1].split()[0] == "--"
    assert set(said.splitlines()[-1].split()[1:]) == {blob_of(content) for content in FILES.values()}
    assert "Reading 0 MB of the model, which are on the disk already, into memory." in said


@pytest.mark.parametrize(
    ("more", "there"),
    [
        ("", False), ("WEIGHTS_READ_AHEAD=''", True), ("SEALS=yes", True),
        ("available_memory() { echo 550000; }", True), ("available_memory() { return 1; }", True),
    ],
    ids=["fetched now", "not wanted", "a machine image is made", "too large for the memory", "memory not known"],
)  # fmt: skip
def test_nothing_is_read_ahead_where_that_does_not_help(
    tmp_path: Path, hub: LyingHub, more: str, *, there: bool
) -> None:
    assert not there or run(tmp_path, hub)[0] == 0
    status, said = run(tmp_path, hub, more=more)
    assert (status, is_whole(tmp_path)) == (0, True), said
    assert "Reading" not in said


def test_the_available_memory_is_known(tmp_path: Path, hub: LyingHub) -> None:
    _, said = run(tmp_path, hub, then="weights; available_memory")
    assert 2**20 < int(said.splitlines()[-1]) < 2**50


def test_that_all_is_there_is_told_before_anybody_waits_for_it(tmp_path: Path, hub: LyingHub) -> None:
    status, said = run(tmp_path, hub, "model-1.safetensors", then='wait "$weights_pid"')
    assert (status, of_all(said)[-1]) == (0, Fetched(len(LARGE), len(LARGE), 1, 1)), said


def test_huggingface_hub_finds_the_model_there_without_a_network(tmp_path: Path, hub: LyingHub) -> None:
    assert run(tmp_path, hub)[0] == 0
    found = snapshot_download(
        "some/model", revision=COMMIT, local_files_only=True, cache_dir=tmp_path / "mnt/data/huggingface/shared/hub"
    )
    assert Path(found) == snapshot(tmp_path)


def test_what_a_connection_brought_before_it_broke_is_not_fetched_again(tmp_path: Path, hub: LyingHub) -> None:
    path = "model-1.safetensors"
    hub.answers[path] = deque([Answer(drops_after=100_000), Answer(drops_after=0), Answer(drops_after=50_000)])
    status, said = run(tmp_path, hub)
    assert (status, is_whole(tmp_path)) == (0, True), said
    assert hub.begins_at(path) == [0, 100_000, 100_000, 150_000]
    assert "model-1.safetensors: curl: (18) " in said
    assert re.findall(r"slept \d+", said) == ["slept 1", "slept 2", "slept 1"]


def test_a_download_that_stalls_is_begun_again_where_it_was(tmp_path: Path, hub: LyingHub) -> None:
    path = "model-1.safetensors"
    hub.answers[path] = deque([Answer(stalls_after=100_000)])
    status, said = run(tmp_path, hub, more="weights_stall_seconds=1")
    assert (status, is_whole(tmp_path)) == (0, True), said
    assert hub.begins_at(path) == [0, 100_000]
    assert "curl: (28) " in said


def test_a_stall_is_noticed_within_half_a_minute() -> None:
    (seconds,) = re.findall(r"^weights_stall_seconds=(\d+)$", SCRIPT, re.MULTILINE)
    assert int(seconds) < 30


def test_a_file_with_a_wrong_checksum_is_fetched_again(tmp_path: Path, hub: LyingHub) -> None:
    hub.answers["config.json"] = deque([Answer(content=b'{"model_type": "TINY"}')])
    hub.answers["model-1.safetensors"] = deque([Answer(content=LARGE[::-1])])
    status, said = run(tmp_path, hub)
    assert (status, is_whole(tmp_path)) == (0, True), said
    assert said.count("the checksum is wrong, so it is fetched again.") == 2


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        (Answer(content=LARGE[::-1]), "3 times, and each time its checksum was not that of the hub's list."),
        (Answer(content=LARGE[:-1]), "is shorter at the server than in the hub's list."),
        (Answer(content=LARGE + b"more"), "3 times, and each time its checksum was not that of the hub's list."),
        (Answer(endless=True), "3 times, and each time its checksum was not that of the hub's list."),
    ],
    ids=["other", "shorter", "longer", "endless"],
)
def test_a_server_that_lies_about_a_file_ends_the_install_and_nothing_of_the_model_can_be_read(
    tmp_path: Path, hub: LyingHub, lie: Answer, reason: str
) -> None:
    hub.always["model-1.safetensors"] = lie
    status, said = run(tmp_path, hub)
    assert (status, kept(tmp_path)) == (1, {}), said
    assert said.splitlines()[-1].startswith("failed: model-1.safetensors")
    assert said.splitlines()[-1].endswith(reason), said
    assert len(hub.begins_at("model-1.safetensors")) == 3
    blobs = snapshot(tmp_path).parents[1] / "blobs"
    assert max(path.stat().st_size for path in blobs.iterdir()) <= len(LARGE)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_server_that_refuses_a_file_is_asked_once(tmp_path: Path, hub: LyingHub, status: int) -> None:
    hub.always["model-2.safetensors"] = Answer(status=status)
    ended, said = run(tmp_path, hub)
    assert (ended, kept(tmp_path)) == (1, {}), said
    assert said.splitlines()[-2:] == [
        "::phase::weights", f"failed: model-2.safetensors cannot be fetched: the server answered {status}.",
    ]  # fmt: skip
    assert len(hub.begins_at("model-2.safetensors")) == 1


@pytest.mark.parametrize(
    ("headers", "slept"),
    [
        ((("Retry-After", "7"),), 7),
        ((("RateLimit", '"resolvers";r=0;t=55'),), 55),
        ((("Retry-After", "100000"),), 300),
        ((("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT"),), 1),
        ((), 1),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_for_patience_gets_it(
    tmp_path: Path, hub: LyingHub, status: int, headers: tuple[tuple[str, str], ...], slept: int
) -> None:
    hub.answers["config.json"] = deque([Answer(status=status, headers=headers)])
    ended, said = run(tmp_path, hub)
    assert (ended, is_whole(tmp_path)) == (0, True), said
    assert f"config.json: the server answered {status}; again in {slept} s\nslept {slept}\n" in said


def test_tries_that_bring_nothing_end_with_the_last_one_s_reason(tmp_path: Path, hub: LyingHub) -> None:
    hub.always["config.json"] = Answer(status=500)
    ended, said = run(tmp_path, hub, "config.json")
    assert ended == 1
    assert said.splitlines()[-1] == (
        "failed: config.json: nothing more came in 8 tries. The last one: the server answered 500"
    )
    assert [int(pause) for pause in re.findall(r"slept (\d+)", said)] == [1, 2, 4, 8, 16, 30, 30]


def test_a_server_that_cannot_go_on_in_the_middle_begins_again(tmp_path: Path, hub: LyingHub) -> None:
    path = "model-1.safetensors"
    hub.answers[path] = deque([Answer(drops_after=100_000)])
    hub.always[path] = Answer(ranges=False)
    status, said = run(tmp_path, hub)
    assert (status, is_whole(tmp_path)) == (0, True), said
    assert hub.begins_at(path) == [0, 100_000, 0]


def test_the_token_goes_to_the_hub_and_to_no_server_that_it_sends_us_on_to(tmp_path: Path, hub: LyingHub) -> None:
    with lying_hub("127.0.0.2") as storage:
        storage.files = hub.files
        hub.always["model-1.safetensors"] = Answer(
            status=302, headers=(("Location", f"{storage.url}/model-1.safetensors"),)
        )
        status, said = run(tmp_path, hub)
        assert (status, is_whole(tmp_path)) == (0, True), said
        assert [request.authorization for request in storage.requests] == [None]
    assert {request.authorization for request in hub.requests} == {f"Bearer {TOKEN}"}


def test_a_file_that_another_server_has_is_fetched_without_the_token(tmp_path: Path, hub: LyingHub) -> None:
    status, said = run(tmp_path, hub, more="WEIGHTS=${WEIGHTS//$'\\tyes\\t'/$'\\tno\\t'}")
    assert (status, is_whole(tmp_path)) == (0, True), said
    assert {request.authorization for request in hub.requests} == {None}


def test_the_token_is_on_no_command_line_in_no_environment_and_in_no_output(tmp_path: Path, hub: LyingHub) -> None:
    seen: list[bytes] = []

    def look() -> None:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                line = (process / "cmdline").read_bytes()
                if line.startswith(b"curl\0") and str(tmp_path).encode() in line:
                    seen.extend((line, (process / "environ").read_bytes()))
            except OSError:
                continue

    hub.answers["model-1.safetensors"] = deque([Answer(drops_after=100_000, meanwhile=look)])
    told = command(tmp_path, hub)
    ran = subprocess.run(["bash", "-s"], input=told, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout
    assert seen
    assert not [text for text in seen if b"hf_" in text]
    assert "hf_" not in ran.stdout + ran.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"hf_" in path.read_bytes()]


def test_an_install_that_was_killed_goes_on_where_it_was(tmp_path: Path, hub: LyingHub) -> None:
    with started(tmp_path, hub, threading.Event()) as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert kept(tmp_path) == {}
    status, said = run(tmp_path, hub)
    assert (status, is_whole(tmp_path)) == (0, True), said
    assert hub.begins_at("model-1.safetensors")[1] >= 30 * BLOCK


def test_a_downloader_that_somebody_kills_goes_on_where_it_was(tmp_path: Path, hub: LyingHub) -> None:
    with started(tmp_path, hub, threading.Event()) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        (downloader,) = set(map(int, children)) & set(holders(tmp_path))
        os.kill(downloader, signal.SIGKILL)
        said, _ = process.communicate(timeout=60)
    assert (process.returncode, is_whole(tmp_path)) == (0, True), said
    assert "The download of the weights was ended. It goes on where it was." in said
    assert hub.begins_at("model-1.safetensors")[1] >= 30 * BLOCK


def test_curl_that_somebody_kills_goes_on_where_it_was(tmp_path: Path, hub: LyingHub) -> None:
    with started(tmp_path, hub, threading.Event()) as process:
        (curl,) = [pid for pid, line in lines_of(holders(tmp_path)) if blob_of(LARGE).encode() in line]
        os.kill(curl, signal.SIGKILL)
        said, _ = process.communicate(timeout=60)
    assert (process.returncode, is_whole(tmp_path)) == (0, True), said
    assert hub.begins_at("model-1.safetensors")[1] >= 30 * BLOCK


def test_with_the_install_its_download_ends(tmp_path: Path, hub: LyingHub) -> None:
    with started(tmp_path, hub, threading.Event()) as process:
        assert holders(tmp_path)
        process.terminate()
        process.wait(60)
        lock = tmp_path / "var/lib/coldstart/weights/lock"
        subprocess.run(["flock", "--timeout", "30", lock, "true"], check=True)
        assert holders(tmp_path) == []


def test_a_download_that_has_failed_ends_the_install_after_the_phase_that_it_is_at(
    tmp_path: Path, hub: LyingHub
) -> None:
    hub.always["config.json"] = Answer(status=404)
    until = "until [[ -s $weights_state/reason ]]; do :; done; check_weights; echo went on"
    status, said = run(tmp_path, hub, then=until)
    assert (status, "went on" in said) == (1, False)
    assert said.endswith("::phase::weights\nfailed: config.json cannot be fetched: the server answered 404.\n")


def test_a_disk_without_room_is_told_before_the_first_byte_with_what_is_missing(tmp_path: Path, hub: LyingHub) -> None:
    df = "df() { echo Filesystem Avail; echo /dev/a 400000; }; in_gb() { echo $1; }"
    status, said = run(tmp_path, hub, more=df)
    assert (status, hub.requests) == (1, [])
    assert said == (
        f"failed: The disk of {tmp_path}/mnt/data has 400000 GB free, and the model's weights need 500027 GB or more: "
        "100027 GB are missing. Free some space, or use a machine with a larger disk.\n"
    )


def test_room_that_is_needed_is_that_of_what_is_missing(tmp_path: Path, hub: LyingHub) -> None:
    assert run(tmp_path, hub, "model-1.safetensors")[0] == 0
    status, said = run(tmp_path, hub, more="df() { echo Filesystem Avail; echo /dev/a 200027; }")
    assert (status, is_whole(tmp_path)) == (0, True), said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_a_disk_that_fills_up_meanwhile_is_named_and_with_room_the_next_try_goes_on(
    tmp_path: Path, hub: LyingHub
) -> None:
    data = tmp_path / "mnt/data"
    data.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1024k", "tmpfs", data], check=True)
    (data / "other").write_bytes(bytes(800 * 1024))
    try:
        status, said = run(tmp_path, hub, "model-1.safetensors", more="disk_of() { return 1; }")
        assert (status, kept(tmp_path)) == (1, {}), said
        assert "failed: model-1.safetensors cannot be written: tmpfs" in said.splitlines()[-1]
        (data / "other").unlink()
        status, said = run(tmp_path, hub)
        assert (status, is_whole(tmp_path)) == (0, True), said
        assert hub.begins_at("model-1.safetensors")[-1] > 0
    finally:
        subprocess.run(["umount", data], check=True)


def test_a_download_that_ends_without_all_files_starts_no_worker(tmp_path: Path, hub: LyingHub) -> None:
    status, said = run(tmp_path, hub, more="fetch_weights() { :; }")
    assert (status, kept(tmp_path)) == (1, {})
    assert said.splitlines()[-1] == "failed: Of the model's files only 0 are there."


def test_without_a_list_or_without_curl_vllm_fetches_the_model(tmp_path: Path, hub: LyingHub) -> None:
    then = "weights; echo offline:$WEIGHTS_OFFLINE."
    for more in ("WEIGHTS='' WEIGHTS_OFFLINE=''", "command() { return 1; }"):
        status, said = run(tmp_path, hub, more=more, then=then)
        assert (status, said.splitlines()[-2:], hub.requests) == (
            0, ["vLLM fetches the model itself.", "offline:."], [],
        )  # fmt: skip
