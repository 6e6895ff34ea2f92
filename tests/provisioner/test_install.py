"""Installing over SSH: each try runs once, phases are recorded as they are printed, only the machine gets secrets."""

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from services.provisioner.action_context import LONGEST_TEXT
from services.provisioner.actions.install_reports import MOST_WAITS
from services.provisioner.install.script import INTERRUPTED, PHASES, STILL_RUNNING
from shared.bus.lease import LeaseLost
from shared.lifecycle import decide
from shared.lifecycle import events as e
from shared.lifecycle.fact import Action
from shared.lifecycle.status import Status
from shared.lifecycle.transport import WorkerTls
from shared.lifecycle.words import of_bytes
from tests.provisioner.fake_shell import ALL_PHASES, Outcome
from tests.provisioner.listed import listed
from tests.provisioner.stage import Stage, a_lease, quick


class Crashed(BaseException):
    pass


def failing(*lines: str, status: int = 1) -> Outcome:
    return Outcome(("::phase::preflight\n", "::phase::docker_install\n", *lines), status)


async def test_an_install_tells_each_phase_and_completes(stage: Stage) -> None:
    await stage.launched()
    await stage.deliver(e.SshReachable)
    phases = await stage.events(e.SshInstallPhaseReached)
    assert [(event.phase, event.index, event.total) for event in phases] == [
        (name, number, len(PHASES)) for number, name in enumerate(PHASES, start=1)
    ]
    told = await stage.told()
    assert told.index("SshInstallStarted") < told.index("SshInstallPhaseReached") < told.index("SshInstallCompleted")
    instance = await stage.instance()
    assert (instance.status, instance.progress_percent) == (Status.STARTING, 60)


IMAGE = "vllm/vllm-openai:v0.32.0"


@pytest.mark.parametrize(
    ("printed", "recorded"),
    [
        (f"::image::{IMAGE}\n", IMAGE),
        (f"::image::{IMAGE}-cu129\n", f"{IMAGE}-cu129"),
        ("::image::somebody/else:v1\n", None),
        ("", None),
    ],
)
async def test_the_image_that_the_machine_takes_is_recorded_if_it_is_one_of_ours(
    stage: Stage, printed: str, recorded: str | None
) -> None:
    stage.shell.outcomes.append(Outcome((ALL_PHASES[0], printed, *ALL_PHASES[1:])))
    await stage.launched(image=IMAGE)
    await stage.deliver(e.SshReachable)
    phases = await stage.events(e.SshInstallPhaseReached)
    assert {event.phase: event.image for event in phases} == dict.fromkeys(PHASES) | {"image_pull": recorded}
    assert (await stage.instance()).install.image == recorded


LISTED = listed("Qwen/Qwen2.5-0.5B-Instruct")
KNOWN = {("Qwen/Qwen2.5-0.5B-Instruct", LISTED.commit): LISTED}


def fetching(*parts: int) -> Outcome:
    """In thousandths of the model."""
    total = LISTED.bytes
    lines = [f"::weights::{total * part // 1000} {total} {part // 1000 * 3} 3\n" for part in parts]
    return Outcome((*ALL_PHASES[:3], *lines, *ALL_PHASES[3:]))


async def test_what_the_machine_fetches_is_told_at_the_start_at_each_tenth_and_at_the_end(stage: Stage) -> None:
    stage.shell.outcomes.append(fetching(0, 1, 99, 100, 150, 420, 300, 999, 1000, 1000))
    await stage.launched()
    await stage.deliver(e.SshReachable)
    told = await stage.events(e.WeightsProgressed)
    assert [(event.tenths, event.files) for event in told] == [(0, 0), (1, 0), (4, 0), (9, 0), (10, 3)]
    weights = (await stage.instance()).weights
    assert weights
    assert weights.fetched_bytes == weights.total_bytes == LISTED.bytes
    output = await stage.outputs.of(stage.instance_id)
    assert output
    lines = [line.text for line in output.lines]
    assert [line for line in lines if line.startswith("417.9 ")] == [
        f"{of_bytes(LISTED.bytes * 420 // 1000, LISTED.bytes)} of the model are on the machine: 0 of 3 files"
    ]
    assert not [line for line in lines if line.startswith("::weights::")]


@pytest.mark.parametrize(
    ("findings", "settings", "listed_files", "offline"),
    [
        ({"commit": LISTED.commit}, {}, True, True),
        ({"commit": LISTED.commit, "trust_remote_code": True}, {}, True, False),
        ({"commit": LISTED.commit}, {"weights_by_host": False}, False, False),
        ({"commit": LISTED.commit, "vllm_args": ("--load-format", "runai_streamer")}, {}, False, False),
        ({"commit": "0" * 40}, {}, False, False),
        ({}, {}, False, False),
    ],
)
async def test_a_machine_fetches_the_files_of_the_judged_commit_where_there_is_a_list(
    stage: Stage, findings: dict[str, Any], settings: dict[str, Any], *, listed_files: bool, offline: bool
) -> None:
    stage.weights.lists = dict(KNOWN)
    stage.with_settings(**settings)
    await stage.launched(**findings)
    await stage.deliver(e.SshReachable)
    (script,) = stage.shell.received
    assert (LISTED.files[0].url.encode() in script) is listed_files
    assert (b"\nWEIGHTS_OFFLINE=yes\n" in script) is offline


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_machine_reads_files_that_it_has_into_memory_unless_told_not_to(stage: Stage, *, wanted: bool) -> None:
    stage.weights.lists = dict(KNOWN)
    stage.with_settings(weights_read_ahead=wanted)
    await stage.launched(commit=LISTED.commit)
    await stage.deliver(e.SshReachable)
    (script,) = stage.shell.received
    assert (b"\nWEIGHTS_READ_AHEAD=yes\n" in script) is wanted


@pytest.mark.parametrize(("wish", "branch"), [({}, "main"), ({"revision": "v1"}, "v1")])
async def test_without_a_judged_commit_the_machine_fetches_the_one_that_the_branch_is_now(
    stage: Stage, wish: dict[str, Any], branch: str
) -> None:
    stage.weights.lists = dict(KNOWN)
    stage.weights.commits["Qwen/Qwen2.5-0.5B-Instruct", branch] = LISTED.commit
    await stage.launched(**wish)
    await stage.deliver(e.SshReachable)
    (script,) = stage.shell.received
    assert LISTED.files[0].url.encode() in script
    assert f"\nREVISION={LISTED.commit}\n".encode() in script
    assert b"\nWEIGHTS_OFFLINE=yes\n" in script


async def test_a_machine_whose_stop_erases_the_model_lets_its_worker_fetch_it_again(stage: Stage) -> None:
    stage.weights.lists = dict(KNOWN)
    stage.provider.scratch_types = {"L4-1-24G"}
    await stage.launched(commit=LISTED.commit)
    await stage.deliver(e.SshReachable)
    (script,) = stage.shell.received
    assert LISTED.files[0].url.encode() in script
    assert b"\nWEIGHTS_OFFLINE=yes\n" not in script


async def test_the_machine_gets_what_it_needs_and_its_secrets_on_standard_input_only(stage: Stage) -> None:
    stage.with_settings(hf_token="hf_secret", worker_port=8123)
    await stage.launched(image="vllm/vllm-openai:v0.12.0")
    await stage.deliver(e.SshReachable)
    (script,) = stage.shell.received
    for told in (
        stage.secrets.worker_api_key(stage.instance_id, 1).encode(),
        b"hf_secret",
        b"8123",
        b"vllm/vllm-openai:v0.12.0",
        b"Qwen/Qwen2.5-0.5B-Instruct",
    ):
        assert told in script


@pytest.mark.parametrize("types", [set(), {"L4-1-24G"}])
async def test_a_machine_with_scratch_storage_is_told_that_a_stop_erases_it(stage: Stage, types: set[str]) -> None:
    stage.provider.scratch_types = types
    await stage.launched()
    await stage.deliver(e.SshReachable)
    (script,) = stage.shell.received
    assert (b"\nSCRATCH=yes\n" in script) is bool(types)


@pytest.mark.parametrize("setting", ["mutual", "off"])
async def test_a_worker_gets_its_own_key_and_never_ours_and_its_attempt_says_so(stage: Stage, setting: str) -> None:
    stage.with_settings(worker_tls=setting)
    await stage.launched()
    await stage.deliver(e.SshReachable)
    both = stage.secrets.worker_certificates(stage.instance_id, 1)
    (script,) = stage.shell.received
    told = [text.encode() in script for text in (both.worker.private_key, both.client.certificate)]
    assert told == [setting == "mutual"] * 2
    assert both.client.private_key.splitlines()[1].encode() not in script
    (started,) = await stage.events(e.SshInstallStarted)
    assert (started.worker_tls, (await stage.instance()).worker_tls) == (setting, setting)


@pytest.mark.parametrize(("began_with", "setting"), [("mutual", "off"), ("off", "mutual")])
async def test_an_attempt_goes_on_as_it_began_whatever_the_setting_is_now(
    stage: Stage, began_with: WorkerTls, setting: WorkerTls
) -> None:
    stage.with_settings(worker_tls=setting)
    await stage.launched()
    await stage.happened(e.SshInstallStarted, attempt=1, worker_tls=began_with)
    await stage.deliver(e.SshReachable)
    key = stage.secrets.worker_certificates(stage.instance_id, 1).worker.private_key.encode()
    assert (key in stage.shell.received[0]) == (began_with == "mutual")


BY_TYPE = {"L4-1-24G": "by/type:1", "H100-1-80G": "by/other-type:1"}


@pytest.mark.parametrize(
    ("settings", "wanted", "installed"),
    [
        ({}, None, "vllm/vllm-openai:v0.32.0"),
        ({"vllm_image": "by/setting:1"}, None, "by/setting:1"),
        ({"vllm_image": "by/setting:1", "vllm_images": BY_TYPE}, None, "by/type:1"),
        ({"vllm_images": {"H100-1-80G": "by/other-type:1"}}, None, "vllm/vllm-openai:v0.32.0"),
        ({"vllm_image": "by/setting:1", "vllm_images": BY_TYPE}, "by/request:1", "by/request:1"),
        ({}, "by/request:1", "by/request:1"),
    ],
)
async def test_the_request_beats_the_type_the_type_the_setting_and_that_the_default(
    stage: Stage, settings: dict[str, Any], wanted: str | None, installed: str
) -> None:
    stage.with_settings(**settings)
    await stage.launched(image=wanted)
    await stage.deliver(e.SshReachable)
    assert re.findall(rb"^COLDSTART_JOB=.*\nIMAGE=(.*)$", stage.shell.received[0], re.MULTILINE) == [installed.encode()]


@pytest.mark.parametrize("image", ["", "--privileged", "two words"])
def test_a_setting_that_names_no_image_is_refused_at_the_start(image: str) -> None:
    for wrong in ({"vllm_image": image}, {"vllm_images": {"L4-1-24G": image}}):
        with pytest.raises(ValidationError):
            quick(**wrong)


def test_images_by_type_come_as_a_json_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_VLLM_IMAGES", json.dumps(BY_TYPE))
    assert quick().image_for("L4-1-24G") == "by/type:1"


async def test_the_revision_and_the_arguments_of_the_request_reach_the_machine(stage: Stage) -> None:
    await stage.launched(revision="abc123", vllm_args=("--max-model-len", "4096"))
    await stage.deliver(e.SshReachable)
    assert b"\nREVISION=abc123\n" in stage.shell.received[0]
    assert b"\nVLLM_ARGS=(--max-model-len 4096)\n" in stage.shell.received[0]
    assert b"\nWEIGHTS_BYTES=0\n" in stage.shell.received[0]


async def test_the_machine_is_told_how_much_of_the_weights_there_is_to_download(stage: Stage) -> None:
    await stage.launched(weights_bytes=988_097_824)
    await stage.deliver(e.SshReachable)
    assert b"\nWEIGHTS_BYTES=988097824\n" in stage.shell.received[0]


async def test_the_machine_is_told_the_proxies_of_its_site_and_their_password_is_not_shown(stage: Stage) -> None:
    stage.with_settings(machine_http_proxy="http://us:a-password@proxy:3128", machine_no_proxy=["hub.example.com"])
    stage.shell.outcomes += [failing("proxy us:a-password@proxy refused"), Outcome()]
    await stage.launched()
    await stage.deliver(e.SshReachable)
    assert b"\nSITE_HTTP_PROXY=http://us:a-password@proxy:3128\n" in stage.shell.received[0]
    assert b"\nSITE_NO_PROXY=localhost,127.0.0.1,::1,hub.example.com\n" in stage.shell.received[0]
    (failed,) = await stage.events(e.SshInstallFailed)
    assert failed.output[-1] == "proxy us:[redacted]@proxy refused"


CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"


async def test_the_machine_gets_the_hub_the_registry_and_the_authorities_of_its_site(
    stage: Stage, tmp_path: Path
) -> None:
    (tmp_path / "site.pem").write_text(CERTIFICATE)
    login = {"registry_mirror": "mirror.test:5000/hub", "registry_user": "us", "registry_password": "a-password"}
    stage.with_settings(HF_ENDPOINT="https://hub.example.com", machine_ca_file=str(tmp_path / "site.pem"), **login)
    await stage.launched()
    await stage.deliver(e.SshReachable)
    received = plain(stage.shell.received[0]).decode()
    for line in (
        "HUB=https://hub.example.com",
        "REGISTRY_MIRROR=mirror.test:5000/hub",
        "REGISTRY_USER=us",
        "REGISTRY_PASSWORD=a-password",
        f"SITE_AUTHORITIES='{CERTIFICATE}'",
    ):
        assert f"\n{line}\n" in received


async def test_every_install_loads_the_commit_that_was_judged_and_not_what_its_branch_has_become(stage: Stage) -> None:
    commit = "0e9e39f249a16976918f6564b8830bc894c89659"
    await stage.launched(revision="main", commit=commit)
    await stage.deliver(e.SshReachable)
    await stage.happened(e.InstanceReady, attempt=1)
    await stage.happened(e.ReinstallRequested, attempt=2)
    await stage.deliver(e.ReinstallRequested)
    loaded = [re.findall(rb"^REVISION=(.*)$", received, re.MULTILINE) for received in stage.shell.received]
    assert loaded == [[commit.encode()]] * 2
    assert (await stage.journal.load(stage.instance_id)).specification.revision == "main"


@pytest.mark.parametrize(
    ("gpus", "asked", "taken"),
    [
        (4, (), b"(--tensor-parallel-size 4 --trust-remote-code)"),
        (3, (), b"(--tensor-parallel-size 2 --trust-remote-code)"),
        (1, (), b"(--trust-remote-code)"),
        (4, ("--pipeline-parallel-size=4",), b"(--trust-remote-code --pipeline-parallel-size=4)"),
    ],
)
async def test_a_worker_uses_as_many_gpus_as_its_type_has_and_its_model_allows(
    stage: Stage, gpus: int, asked: tuple[str, ...], taken: bytes
) -> None:
    stage.provider.offered = tuple(kind.model_copy(update={"gpus": gpus}) for kind in stage.provider.offered)
    await stage.launched(tensor_parallel_sizes=(1, 2, 4), trust_remote_code=True, vllm_args=asked)
    await stage.deliver(e.SshReachable)
    assert re.findall(rb"^VLLM_ARGS=(.*)$", stage.shell.received[0], re.MULTILINE) == [taken]


@pytest.mark.parametrize(("ours", "told"), [(True, b"yes"), (False, b"''")])
async def test_only_where_volumes_are_ours_is_the_whole_machine(stage: Stage, ours: bool, told: bytes) -> None:
    stage.provider.capabilities = replace(stage.provider.capabilities, volumes=ours)
    await stage.launched()
    await stage.deliver(e.SshReachable)
    assert re.findall(rb"^OURS=(.*)$", plain(stage.shell.received[0]), re.MULTILINE) == [told]


def plain(stdin: bytes) -> bytes:
    """What a machine is fed, without the quotes around the quotes."""
    return stdin.replace(b"'\"'\"'", b"'")


async def test_an_install_delivered_twice_runs_once(stage: Stage) -> None:
    await stage.launched()
    await stage.deliver(e.SshReachable)
    await stage.deliver(e.SshReachable, redelivered=True)
    assert len(stage.shell.runs) == 1
    assert (await stage.told()).count("SshInstallCompleted") == 1


async def test_two_holders_at_once_attach_to_one_run(stage: Stage) -> None:
    done = asyncio.Event()
    stage.shell.outcomes.append(Outcome(until=done))
    await stage.launched()

    async def both_listen() -> bool:
        return len(stage.shell.received) == 2

    async with asyncio.TaskGroup() as group:
        group.create_task(stage.deliver(e.SshReachable))
        group.create_task(stage.deliver(e.SshReachable))
        await stage.until(both_listen)
        done.set()
    assert len(stage.shell.runs) == 1
    told = await stage.told()
    assert told.count("SshInstallCompleted") == 1
    assert told.count("SshInstallPhaseReached") == len(PHASES)


async def test_a_crash_before_the_result_is_told_reports_it_and_does_not_run_again(stage: Stage) -> None:
    await stage.launched()
    held = asyncio.Event()
    stage.shell.outcomes.append(Outcome(until=held))
    first = asyncio.create_task(stage.deliver(e.SshReachable))

    async def listens() -> bool:
        return bool(stage.shell.received) and "worker_start" in str(await stage.events(e.SshInstallPhaseReached))

    await stage.until(listens)
    first.cancel()
    await asyncio.wait([first])
    stage.shell.runs[0].ended = True
    held.set()
    await stage.deliver(e.SshReachable, redelivered=True)
    assert len(stage.shell.runs) == 1
    told = await stage.told()
    assert told.count("SshInstallCompleted") == 1
    assert told.count("SshInstallPhaseReached") == len(PHASES)


async def test_a_failed_try_is_told_with_its_last_lines_and_the_next_one_may_succeed(stage: Stage) -> None:
    lines = [f"line {number}\n" for number in range(40)]
    stage.shell.outcomes += [failing(*lines, status=7), Outcome()]
    await stage.launched()
    await stage.deliver(e.SshReachable)
    (failed,) = await stage.events(e.SshInstallFailed)
    assert (failed.install_try, failed.exit_status, failed.phase) == (1, 7, "docker_install")
    assert failed.output == tuple(f"line {number}" for number in range(20, 40))
    assert "line 39" in failed.reason
    assert [(run.attempt, run.attempt_try) for run in stage.shell.runs] == [(1, 1), (1, 2)]
    assert (await stage.instance()).status is Status.STARTING
    (delayed,) = await stage.events(e.ActionDelayed)
    assert (delayed.action, delayed.code, delayed.reason) == (Action.INSTALL, "install_failed", failed.reason)
    assert len(await stage.events(e.ActionResumed)) == 1


async def test_a_line_without_end_is_cut_and_still_enters_an_event(stage: Stage) -> None:
    key = stage.secrets.worker_api_key(stage.instance_id, 1)
    stage.shell.outcomes += [failing(*[f"{key}{'x' * 2_000_000}\n"] * 20), Outcome()]
    await stage.launched()
    await stage.deliver(e.SshReachable)
    (failed,) = await stage.events(e.SshInstallFailed)
    assert set(failed.output) == {"[redacted]" + "x" * (LONGEST_TEXT - len("[redacted]…")) + "…"}
    assert (await stage.instance()).status is Status.STARTING


async def test_what_acts_on_a_terminal_or_a_reader_does_not_enter_an_event(stage: Stage) -> None:
    key = stage.secrets.worker_api_key(stage.instance_id, 1)
    strewn = "\x1b[0m".join(key)
    stage.shell.outcomes += [failing("\x1b[31mE: no\x1b[0m\u202e such\x9b2J\0\ud800", strewn), Outcome()]
    await stage.launched()
    await stage.deliver(e.SshReachable)
    (failed,) = await stage.events(e.SshInstallFailed)
    assert failed.output == ("E: no\N{REPLACEMENT CHARACTER} such" + "\N{REPLACEMENT CHARACTER}" * 2, "[redacted]")
    assert failed.reason.endswith("in phase docker_install: [redacted]")


async def test_a_phase_that_is_printed_again_and_again_is_looked_into_once(stage: Stage) -> None:
    stage.shell.outcomes.append(Outcome(lines=(*ALL_PHASES, *ALL_PHASES * 50, "::phase::\x1b[2J\n", "::phase::none\n")))
    await stage.launched()
    await stage.deliver(e.SshReachable)
    assert (await stage.instance()).status is Status.STARTING
    assert [event.phase for event in await stage.events(e.SshInstallPhaseReached)] == list(PHASES)
    assert len(stage.shell.connections) < 5


async def test_when_every_try_failed_the_instance_has_failed_and_says_where(stage: Stage) -> None:
    stage.shell.outcomes += [failing("E: no such package\n")] * 3
    await stage.launched()
    with capture_logs() as logs:
        await stage.deliver(e.SshReachable)
    told = [(line["event"], "E: no such package" in line["reason"]) for line in logs if "reason" in line]
    assert told == [("install failed", True)] * 3 + [("instance failed", True)]
    assert [event.install_try for event in await stage.events(e.SshInstallFailed)] == [1, 2, 3]
    instance = await stage.instance()
    assert instance.status is Status.STARTUP_FAILED
    assert instance.error is not None
    assert instance.error.code == "install_failed"
    assert "docker_install" in instance.error.message
    assert "E: no such package" in instance.error.message


async def test_a_proxy_that_refuses_is_named_with_the_setting_and_the_tool_s_words(stage: Stage) -> None:
    said = 'Error response from daemon: Get "https://registry-1.docker.io/v2/": Proxy Authentication Required'
    stage.shell.outcomes += [failing(f"{said}\n")] * 3
    await stage.launched()
    await stage.deliver(e.SshReachable)
    error = (await stage.instance()).error
    assert error is not None
    assert error.code == "proxy_refused"
    assert error.message == (
        "Installing failed: all 3 tries failed; the last one: The machine's proxy refused a connection. Allow "
        "the address there, correct COLDSTART_MACHINE_HTTP_PROXY and COLDSTART_MACHINE_HTTPS_PROXY (with a user and "
        "password, if it wants a login), or name the host in COLDSTART_MACHINE_NO_PROXY. It was exit status 1 in phase "
        f"docker_install: {said}"
    )


async def test_a_mirror_that_is_down_for_a_while_ends_nothing(stage: Stage) -> None:
    stage.shell.outcomes += [failing("E: Failed to fetch http://mirror.test/InRelease  503  Service Unavailable\n")] * 6
    await stage.launched()
    await stage.deliver(e.SshReachable)
    assert len(await stage.events(e.SshInstallFailed)) == 6
    assert (await stage.instance()).status is Status.STARTING


async def test_tries_that_fail_differently_go_on_until_the_deadline(stage: Stage) -> None:
    stage.shell.outcomes += [failing(f"E: no package {name}\n") for name in "abcdef"]
    await stage.launched()
    await stage.deliver(e.SshReachable)
    assert (await stage.instance()).status is Status.STARTING


async def test_tries_that_fail_end_where_the_next_one_would_begin_after_the_deadline(stage: Stage) -> None:
    stage.with_settings(backoff_seconds=10.0, longest_backoff_seconds=10.0)
    stage.shell.outcomes.append(failing("E: Failed to fetch http://mirror.test/InRelease  503  Service Unavailable\n"))
    await stage.launched()
    await stage.deliver(e.SshReachable, age_s=stage.settings.install_deadline_seconds - 5)
    error = (await stage.instance()).error
    assert error is not None
    assert (error.code, "503  Service Unavailable" in error.message) == ("install_failed", True)


async def test_what_the_install_waits_for_is_told_until_it_goes_on(stage: Stage) -> None:
    locked = "the package manager's lock, which apt-get holds"
    before, after = ALL_PHASES[:4], ALL_PHASES[4:]
    stage.shell.outcomes.append(Outcome(lines=(*before, f"::waiting::{locked}\n", "::resumed::\n", *after)))
    await stage.launched()
    await stage.deliver(e.SshReachable)
    [delayed] = await stage.events(e.ActionDelayed)
    assert (delayed.code, delayed.reason) == ("waiting", f"waits for {locked}")
    told = await stage.told()
    assert told.index("ActionResumed") == told.index("ActionDelayed") + 1
    assert not await stage.events(e.SshInstallFailed)


async def test_a_machine_that_waits_for_ever_cannot_fill_the_timeline(stage: Stage) -> None:
    stage.shell.outcomes.append(Outcome(lines=(*(f"::waiting::{number}\n" for number in range(100)), *ALL_PHASES)))
    await stage.launched()
    await stage.deliver(e.SshReachable)
    assert len(await stage.events(e.ActionDelayed)) == MOST_WAITS


async def test_the_tries_survive_a_crash(stage: Stage) -> None:
    await stage.launched()
    await stage.happened(e.SshInstallStarted, attempt=1)
    for number in (1, 2, 3):
        await stage.happened(
            e.SshInstallFailed, attempt=1, install_try=number, exit_status=1, phase=None, reason="it broke"
        )
    await stage.deliver(e.SshReachable, redelivered=True)
    assert stage.shell.runs == []
    error = (await stage.instance()).error
    assert error is not None
    assert error.code == "install_failed"


async def test_no_secret_that_the_machine_prints_enters_an_event(stage: Stage) -> None:
    stage.with_settings(hf_token="hf_secret", install_tries=1)
    key = stage.secrets.worker_api_key(stage.instance_id, 1)
    stage.shell.outcomes.append(failing(f"non-default args: {{'api_key': '{key}'}}\n", "HF_TOKEN=hf_secret\n"))
    await stage.launched()
    await stage.deliver(e.SshReachable)
    everything = str(await stage.events())
    assert "[redacted]" in everything
    assert key not in everything
    assert "hf_secret" not in everything


async def test_a_connection_that_breaks_is_no_failed_try(stage: Stage) -> None:
    stage.shell.drop_after += [1, 3]
    await stage.launched()
    await stage.deliver(e.SshReachable)
    assert len(stage.shell.runs) == 1
    delayed = await stage.events(e.ActionDelayed)
    assert [(event.action, event.code) for event in delayed] == [(Action.INSTALL, "machine_unreachable")] * 2
    assert [event.number for event in await stage.events(e.ActionResumed)] == [1, 2]
    assert not await stage.events(e.SshInstallFailed)
    assert (await stage.told()).count("SshInstallPhaseReached") == len(PHASES)
    assert (await stage.instance()).status is Status.STARTING


async def test_a_machine_that_refuses_connections_is_asked_again(stage: Stage) -> None:
    stage.shell.refuse = 5
    await stage.launched()
    await stage.deliver(e.SshReachable)
    assert len(await stage.events(e.ActionDelayed)) == 5
    assert (await stage.instance()).status is Status.STARTING


@pytest.mark.parametrize("status", [INTERRUPTED, STILL_RUNNING])
async def test_an_exit_without_a_result_is_no_failed_try(stage: Stage, status: int) -> None:
    stage.shell.outcomes.append(Outcome(ALL_PHASES[:2], status))
    await stage.launched()

    async def forgotten() -> None:
        stage.shell.runs.clear()

    first = asyncio.create_task(stage.deliver(e.SshReachable))

    async def delayed() -> bool:
        return bool(await stage.events(e.ActionDelayed))

    await stage.until(delayed)
    await forgotten()
    await first
    assert not await stage.events(e.SshInstallFailed)
    assert (await stage.instance()).status is Status.STARTING


async def test_past_the_deadline_the_instance_fails_with_a_reason(stage: Stage) -> None:
    stage.shell.refuse = 2
    await stage.launched()
    await stage.deliver(e.SshReachable, age_s=stage.settings.install_deadline_seconds)
    error = (await stage.instance()).error
    assert error is not None
    assert (error.code, "refuses" in error.message) == ("install_timed_out", True)


async def test_an_install_that_never_ends_fails_at_the_deadline_with_its_phase(stage: Stage) -> None:
    stage.shell.outcomes.append(Outcome(ALL_PHASES[:6], until=asyncio.Event()))
    await stage.launched()
    await stage.deliver(e.SshReachable, age_s=stage.settings.install_deadline_seconds - 1)
    error = (await stage.instance()).error
    assert error is not None
    assert (error.code, "image_pull" in error.message) == ("install_timed_out", True)


async def test_an_install_that_nobody_held_until_its_deadline_is_still_tried_twice(stage: Stage) -> None:
    stage.shell.refuse = 1
    await stage.launched()
    await stage.deliver(e.SshReachable, redelivered=True, age_s=stage.settings.install_deadline_seconds - 0.001)
    assert len(await stage.events(e.ActionDelayed)) == 1
    assert len(stage.shell.connections) > 1


async def test_a_wrong_host_key_is_waited_out_and_nothing_is_sent_meanwhile(stage: Stage) -> None:
    own, stage.shell.host_key = stage.shell.host_key, stage.secrets.host_key(stage.instance_id, 7).public
    await stage.launched()
    installing = asyncio.create_task(stage.deliver(e.SshReachable))

    async def refused_twice() -> bool:
        return len(await stage.events(e.ActionDelayed)) > 1

    await stage.until(refused_twice)
    assert {event.code for event in await stage.events(e.ActionDelayed)} == {"host_key_mismatch"}
    assert stage.shell.received == []
    assert "SshInstallStarted" not in await stage.told()
    stage.shell.host_key = own
    await installing
    assert (await stage.instance()).status is Status.STARTING


async def test_a_host_key_that_is_wrong_until_the_deadline_fails_the_instance(stage: Stage) -> None:
    stage.shell.host_key = stage.secrets.host_key(stage.instance_id, 7).public
    await stage.launched()
    await stage.deliver(e.SshReachable, age_s=stage.settings.install_deadline_seconds)
    assert stage.shell.received == []
    assert "SshInstallStarted" not in await stage.told()
    error = (await stage.instance()).error
    assert error is not None
    assert error.code == "host_key_mismatch"


async def test_a_machine_that_refuses_our_key_for_a_moment_is_waited_for(stage: Stage) -> None:
    stage.shell.refuse_key = 3
    await stage.launched()
    await stage.deliver(e.SshReachable)
    assert [event.code for event in await stage.events(e.ActionDelayed)] == ["key_refused"] * 3
    assert (await stage.instance()).status is Status.STARTING


async def test_a_machine_that_goes_on_refusing_our_key_fails_long_before_the_deadline(
    stage: Stage,
) -> None:
    stage.shell.refuse_key = 1_000
    stage.with_settings(key_patience_seconds=1e-9)
    await stage.launched()
    await stage.deliver(e.SshReachable)
    assert len(stage.shell.connections) == 2
    error = (await stage.instance()).error
    assert error is not None
    assert (error.code, "does not let our SSH key in" in error.message) == ("key_refused", True)


async def test_a_refusal_counts_from_the_last_time_that_our_key_was_let_in(stage: Stage) -> None:
    """The install has gone on meanwhile: whoever connects again finds it, however long ago the first refusal was."""
    stage.with_settings(key_patience_seconds=1e-9)
    stage.shell.refuse_key = 1
    stage.shell.drop_after.append(3)
    await stage.launched()
    await stage.deliver(e.SshReachable)
    assert [event.code for event in await stage.events(e.ActionDelayed)] == ["key_refused", "machine_unreachable"]
    assert (await stage.instance()).status is Status.STARTING


async def test_the_new_host_key_is_recorded_once_it_is_in_force_and_then_the_only_one(stage: Stage) -> None:
    await stage.launched()
    old, new = stage.shell.host_key, stage.shell.new_host_key
    await stage.deliver(e.SshReachable)
    assert stage.shell.connections[0] == (old, new)
    (rotated,) = await stage.events(e.HostKeyRotated)
    assert (rotated.counter, rotated.server_id) == (1, "server-1")
    told = await stage.told()
    assert told.index("HostKeyRotated") < told.index("SshInstallCompleted")
    await stage.intended(decide.reinstall)
    stage.shell.host_key = old
    await stage.deliver(e.ReinstallRequested, age_s=stage.settings.install_deadline_seconds)
    assert stage.shell.connections[-1] == (new,)
    error = (await stage.instance()).error
    assert error is not None
    assert error.code == "host_key_mismatch"


async def test_a_rotation_that_nobody_recorded_is_seen_on_the_next_connection(stage: Stage) -> None:
    await stage.launched()
    stage.shell.host_key = stage.shell.new_host_key
    await stage.deliver(e.SshReachable)
    assert len(await stage.events(e.HostKeyRotated)) == 1


async def test_a_key_that_is_never_rotated_is_not_recorded_as_if_it_were(stage: Stage) -> None:
    await stage.launched()
    stage.shell.new_host_key = stage.shell.host_key
    await stage.deliver(e.SshReachable)
    assert not await stage.events(e.HostKeyRotated)
    assert (await stage.instance()).status is Status.STARTING


async def test_a_termination_during_the_install_stops_it_and_releases(stage: Stage) -> None:
    stage.shell.outcomes.append(Outcome(ALL_PHASES[:3], until=asyncio.Event()))
    await stage.launched()
    installing = asyncio.create_task(stage.deliver(e.SshReachable))

    async def listens() -> bool:
        return len(await stage.events(e.SshInstallPhaseReached)) == 3

    await stage.until(listens)
    await stage.terminated()
    await installing
    assert stage.provider.empty
    assert (await stage.instance()).status is Status.TERMINATED


async def test_a_reinstall_leaves_the_install_of_the_attempt_before(stage: Stage) -> None:
    stage.shell.outcomes.append(Outcome(ALL_PHASES[:3], until=asyncio.Event()))
    await stage.launched()
    installing = asyncio.create_task(stage.deliver(e.SshReachable))

    async def listens() -> bool:
        return len(await stage.events(e.SshInstallPhaseReached)) == 3

    await stage.until(listens)
    await stage.intended(decide.reinstall)
    await installing
    stage.shell.runs[0].ended = True
    await stage.deliver(e.ReinstallRequested)
    assert [run.attempt for run in stage.shell.runs] == [1, 2]
    assert stage.secrets.worker_api_key(stage.instance_id, 2).encode() in stage.shell.received[-1]
    instance = await stage.instance()
    assert (instance.status, instance.attempt) == (Status.STARTING, 2)


async def test_a_lease_given_back_stops_the_listening_at_once(stage: Stage) -> None:
    stage.with_settings(install_look_seconds=60.0)
    stage.shell.outcomes.append(Outcome(ALL_PHASES[:3], until=asyncio.Event()))
    await stage.launched()
    lease = a_lease()
    installing = asyncio.create_task(stage.deliver(e.SshReachable, lease=lease))

    async def listens() -> bool:
        return len(await stage.events(e.SshInstallPhaseReached)) == 3

    await stage.until(listens)
    await lease.surrender()
    with pytest.raises(LeaseLost):
        await installing


async def test_a_lost_lease_sends_nothing(stage: Stage) -> None:
    await stage.launched()
    lease = a_lease()
    await lease.surrender()
    with pytest.raises(LeaseLost):
        await stage.deliver(e.SshReachable, lease=lease)
    assert stage.shell.received == []
