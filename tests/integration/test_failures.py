"""Launches that fail: the reason is told, progress stays where it stopped, and nothing is left that costs."""

from pathlib import Path

from simulator.scenario import Call, Error, Failure, Scenario
from tests.integration.line import Changes, line

IMPATIENT: Changes = {"health": {"startup_seconds": 6.0}}
FEW_TRIES: Changes = {"provisioner": {"install_tries": 2}}


async def test_a_power_on_without_a_free_machine_fails_in_the_end_and_says_that_another_request_is_the_way_on(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    """No second server is made where another zone would have had room: only the first is ever powered on."""
    failure = Failure(call=Call.POWERON, error=Error.OUT_OF_STOCK, zone="fr-par-2", times=None)
    changes: Changes = {"provisioner": {"launch_tries": 3}}
    scenario = Scenario(failures=(failure,))
    async with line(tmp_path, nats_url, database_url, scenario=scenario, changes=changes) as running:
        instance_id = await running.create(zones=["fr-par-2", "pl-waw-2"])
        failed = await running.heard.until(instance_id, "ProvisioningFailed")
        assert failed["data"]["event"]["code"] == "out_of_stock"
        message = failed["data"]["event"]["message"]
        assert message.startswith("Powering on failed: gave up after 3 tries")
        assert "request an instance with another zone or type first" in message
        assert running.heard.types(instance_id).count("ActionDelayed") == 2
        await running.heard.until(instance_id, "ResourcesReleased")
        assert (await running.show(instance_id))["status"] == "provisioning_failed"
        assert len((await running.account())["servers"]) == 1
        assert not await running.remaining()


async def test_a_model_that_never_loads_ends_in_startup_failed_with_the_last_thing_seen(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    scenario = Scenario(never_loads=True)
    async with line(tmp_path, nats_url, database_url, scenario=scenario, changes=IMPATIENT) as running:
        instance_id = await running.create()
        failed = await running.heard.until(instance_id, "StartupFailed")
        assert failed["data"]["event"]["code"] == "startup_timeout"
        assert "refused" in failed["data"]["event"]["message"]
        await running.heard.until(instance_id, "ResourcesReleased")
        instance = await running.show(instance_id)
        assert instance["status"] == "startup_failed"
        assert (instance["step"], 61 <= instance["progress_percent"] < 80) == ("ModelLoadProgressed", True)
        assert instance["error"]["code"] == "startup_timeout"
        assert not await running.remaining()


async def test_a_worker_that_can_never_start_fails_with_its_reason_and_its_last_lines_long_before_the_limit(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    said = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
    changes: Changes = {"health": {"log_retry_seconds": 0.1}}
    scenario = Scenario(worker_fails_with=said)
    async with line(tmp_path, nats_url, database_url, scenario=scenario, changes=changes) as running:
        instance_id = await running.create()
        failed = (await running.heard.until(instance_id, "StartupFailed"))["data"]["event"]
        assert (failed["code"], failed["output"][-1]) == ("out_of_gpu_memory", said)
        await running.heard.until(instance_id, "ResourcesReleased")
        assert (await running.show(instance_id))["error"]["code"] == "out_of_gpu_memory"
        kept = (await running.http.get(f"/instances/{instance_id}/logs", params={"source": "worker"})).json()
        assert kept["items"][-1]["text"] == said
        asked = [line.split()[1] for line in kept["machine"] if line.startswith("$ ")]
        assert asked == ["docker", "nvidia-smi", "df", "free"]
        assert any("NVIDIA L4" in line for line in kept["machine"])
        assert not await running.remaining()


async def test_a_wrong_host_key_is_what_the_launch_failed_for_and_not_that_it_took_too_long(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    """All deadlines are in proportion to the one of the startup, as they are by default."""
    changes: Changes = {service: {"startup_seconds": 8.0} for service in ("health", "provisioner")}
    scenario = Scenario(wrong_host_key=True)
    async with line(tmp_path, nats_url, database_url, scenario=scenario, changes=changes) as running:
        instance_id = await running.create()
        delayed = await running.heard.until(instance_id, "ActionDelayed")
        assert delayed["data"]["event"]["code"] == "host_key_mismatch"
        failed = await running.heard.until(instance_id, "StartupFailed")
        assert failed["data"]["event"]["code"] == "host_key_mismatch"
        assert failed["data"]["event"]["message"].startswith("Installing failed: gave up after")
        await running.heard.until(instance_id, "ResourcesReleased")
        assert (await running.show(instance_id))["error"]["code"] == "host_key_mismatch"
        assert not await running.remaining()


async def test_a_machine_that_does_not_let_us_in_is_given_up_for_that_and_released(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    changes: Changes = {"provisioner": {"key_patience_seconds": 0.5}}
    scenario = Scenario(project_keys_only=True)
    async with line(tmp_path, nats_url, database_url, scenario=scenario, changes=changes) as running:
        instance_id = await running.create()
        failed = (await running.heard.until(instance_id, "StartupFailed"))["data"]["event"]
        assert (failed["code"], "`coldstart ssh-key` prints" in failed["message"]) == ("key_refused", True)
        await running.heard.until(instance_id, "ResourcesReleased")
        assert not await running.remaining()


async def test_an_install_that_fails_names_its_phase_and_its_last_lines_and_is_tried_again_until_the_tries_are_spent(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    scenario = Scenario(install_fails_at="docker_install")
    async with line(tmp_path, nats_url, database_url, scenario=scenario, changes=FEW_TRIES) as running:
        instance_id = await running.create()
        first = await running.heard.until(instance_id, "SshInstallFailed")
        assert first["data"]["event"]["phase"] == "docker_install"
        assert first["data"]["event"]["output"]
        assert first["data"]["event"]["exit_status"]
        assert first["data"]["instance"]["status"] == "installing"
        second = await running.heard.until(instance_id, "SshInstallFailed", count=2)
        assert second["data"]["event"]["install_try"] == 2
        failed = await running.heard.until(instance_id, "StartupFailed")
        assert "docker_install" in failed["data"]["event"]["message"]
        await running.heard.until(instance_id, "ResourcesReleased")
        instance = await running.show(instance_id)
        assert instance["status"] == "startup_failed"
        assert 55 <= instance["progress_percent"] < 60
        assert not await running.remaining()


async def test_an_install_that_fails_once_is_tried_again_within_its_message_and_becomes_ready(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    scenario = Scenario(install_fails_at="docker_install", install_fails_times=1)
    async with line(tmp_path, nats_url, database_url, scenario=scenario) as running:
        instance_id = await running.ready()
        assert running.heard.types(instance_id).count("SshInstallFailed") == 1
        assert running.heard.types(instance_id).count("SshInstallStarted") == 1


async def test_a_first_boot_whose_locks_are_held_for_five_minutes_becomes_ready_and_says_what_it_waited_for(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    """By the machine's clock, which the install's pauses move."""
    scenario = Scenario(packages_locked=300.0, skips_sleep=True)
    async with line(tmp_path, nats_url, database_url, scenario=scenario) as running:
        instance_id = await running.ready()
        version = (await running.show(instance_id))["version"]
        timeline = await running.timeline_up_to(instance_id, version)
        rows = [row for row in timeline if row["type"] != "WeightsProgressed"]  # it comes at any moment
        types = [row["type"] for row in rows]
        assert "SshInstallFailed" not in types
        delayed = types.index("ActionDelayed")
        assert rows[delayed]["data"]["reason"].startswith("waits for the package manager's lock, which ")
        assert rows[delayed - 1]["data"]["phase"] == "docker_install"
        assert types[delayed:].index("ActionResumed") < types[delayed:].index("SshInstallPhaseReached")


async def test_an_image_that_was_never_published_fails_the_install_with_dockers_words(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with line(tmp_path, nats_url, database_url, changes=FEW_TRIES) as running:
        instance_id = await running.create(image="vllm/vllm-openai:v0.6.2.post1")
        failed = await running.heard.until(instance_id, "SshInstallFailed")
        assert failed["data"]["event"]["phase"] == "image_pull"
        assert "not found" in "\n".join(failed["data"]["event"]["output"])


async def test_a_failed_instance_that_is_kept_for_inspection_stays_until_it_is_terminated(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    scenario = Scenario(never_loads=True)
    async with line(tmp_path, nats_url, database_url, scenario=scenario, changes=IMPATIENT) as running:
        instance_id = await running.create(keep_for_inspection=True)
        await running.heard.until(instance_id, "StartupFailed")
        assert len((await running.remaining())["servers"]) == 1
        await running.terminate(instance_id)
        await running.heard.until(instance_id, "InstanceTerminated")
        assert "ResourcesReleased" not in running.heard.types(instance_id)
        assert not await running.remaining()


async def test_a_worker_that_dies_is_told_as_unavailable_and_gets_no_more_requests(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    scenario = Scenario(dies_after_ready=1.0)
    changes: Changes = {"health": {"unavailable_seconds": 1.0}}
    async with line(tmp_path, nats_url, database_url, scenario=scenario, changes=changes) as running:
        instance_id = await running.ready()
        lost = await running.heard.until(instance_id, "HealthLost")
        assert lost["data"]["instance"]["status"] == "unavailable"
        assert lost["data"]["instance"]["progress_percent"] == 100
        failed = await running.heard.until(instance_id, "InstanceFailed")
        assert failed["data"]["event"]["code"] == "unavailable_too_long"
        await running.heard.until(instance_id, "ResourcesReleased")
        assert not await running.remaining()


async def test_a_reinstall_of_a_ready_instance_is_not_made_ready_by_the_old_worker(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with line(tmp_path, nats_url, database_url, scenario=Scenario(image_pull=0.5, model_load=1.0)) as running:
        instance_id = await running.ready()
        answer = await running.http.post(f"/instances/{instance_id}/reinstall")
        assert answer.status_code == 202, answer.text
        assert answer.json()["attempt"] == 2
        await running.heard.until(instance_id, "InstanceReady", count=2)
        second = [event["type"] for event in running.heard.of(instance_id) if event["data"]["instance"]["attempt"] == 2]
        assert second[0] == "ReinstallRequested"
        seen = ("WorkerReachable", "ModelLoaded", "WarmupCompleted", "HealthPassed", "InstanceReady")
        assert all(second.index("SshInstallCompleted") < second.index(name) for name in seen)
        chat = {"model": "Qwen/Qwen2.5-0.5B-Instruct", "prompt": "hello", "max_tokens": 4}
        assert (await running.http.post("/v1/completions", json=chat)).status_code == 200
        account = await running.account()
        assert len(account["remaining"]["servers"]) == 1


async def test_a_drained_instance_ends_with_nothing_left(tmp_path: Path, nats_url: str, database_url: str) -> None:
    async with line(tmp_path, nats_url, database_url) as running:
        instance_id = await running.ready()
        assert (await running.http.post(f"/instances/{instance_id}/drain")).status_code == 202
        await running.heard.until(instance_id, "Drained")
        await running.heard.until(instance_id, "InstanceTerminated")
        assert not await running.remaining()
        assert (await running.http.post(f"/instances/{instance_id}/archive")).status_code == 202
        assert (await running.show(instance_id))["status"] == "archived"
