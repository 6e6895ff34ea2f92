"""Launches from a mirror of weights, at a site with no way to the hub."""

from hashlib import sha256
from pathlib import Path

import pytest

from shared.weights_mirror.layout import MirroredFile, MirrorManifest
from simulator.hub.files import repository
from simulator.hub.models import MODELS
from simulator.scenario import HubError, Scenario
from tests.integration.line import Changes, Line, line
from tests.s3_server import ACCESS, SECRET, Object, S3Server, s3_server

MODEL = MODELS["BAAI/bge-small-en-v1.5"]
FOLDER = f"weights/{MODEL.id}"
AWAY = Scenario(hub_error=HubError.INTERNAL)


def fill(s3: S3Server) -> None:
    """With files as large as the hub's."""
    files = []
    for path, file in repository(MODEL).items():
        content = file.content or bytes(file.size)
        s3.objects[f"{FOLDER}/{MODEL.sha}/{path}"] = Object(content)
        git = file.blob if file.sha256 is None else None
        files.append(MirroredFile(path=path, bytes=file.size, sha256=sha256(content).hexdigest(), git_blob=git))
    manifest = MirrorManifest(model=MODEL.id, commit=MODEL.sha, files=tuple(files), task="embed")
    s3.objects[f"{FOLDER}/{MODEL.sha}/manifest.json"] = Object(manifest.model_dump_json().encode())
    s3.objects[f"{FOLDER}/refs/main"] = Object(MODEL.sha.encode())


async def said(running: Line, instance_id: str) -> str:
    """All that is told of an instance."""
    output = await running.http.get(f"/instances/{instance_id}/logs")
    assert output.status_code == 200, output.text
    return f"{running.heard.of(instance_id)}{await running.timeline(instance_id)}{output.text}"


async def test_without_the_hub_a_model_is_launched_from_the_mirror_and_no_key_leaves_the_control_plane(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    with s3_server() as s3:
        fill(s3)
        largest = max(s3.objects, key=lambda key: len(s3.objects[key].content))
        s3.breaks_off.add(largest)
        changes = {"provisioner": s3.settings(), "api": s3.settings()}
        async with line(tmp_path, nats_url, database_url, scenario=AWAY, changes=changes) as running:
            instance_id = await running.ready(model=MODEL.id)
            snapshot = running.heard.of(instance_id)[-1]["data"]["instance"]
            assert snapshot["findings"]["commit"] == MODEL.sha
            assert snapshot["weights"]["fetched_bytes"] == sum(MODEL.files().values())
            assert s3.got("GET").count(largest) == 2
            told = await said(running, instance_id)
            assert not [secret for secret in (ACCESS, SECRET, "X-Amz-Signature") if secret in told]
            disk = [
                path for path in (tmp_path / "simulator").rglob("*") if path.is_file() and path.stat().st_size < 10**6
            ]
            assert not [path for path in disk if SECRET.encode() in path.read_bytes()]


async def test_a_mirror_with_another_file_than_its_manifest_says_gets_no_instance_ready(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    with s3_server() as s3:
        fill(s3)
        lie = f"{FOLDER}/{MODEL.sha}/tokenizer.json"
        s3.objects[lie] = Object(b"x" * len(s3.objects[lie].content))
        changes: Changes = {"provisioner": {**s3.settings(), "install_tries": 1}, "api": s3.settings()}
        async with line(tmp_path, nats_url, database_url, scenario=AWAY, changes=changes) as running:
            instance_id = await running.create(model=MODEL.id)
            failed = await running.heard.until(instance_id, "SshInstallFailed", "InstanceReady")
            assert failed["type"] == "SshInstallFailed"
            assert "tokenizer.json was fetched 3 times" in str(failed["data"]["event"])
            assert s3.got("GET").count(lie) == 3


@pytest.mark.parametrize("missing", ["manifest.json", "refs/main"])
async def test_what_the_mirror_does_not_have_as_a_whole_is_refused_without_the_hub(
    tmp_path: Path, nats_url: str, database_url: str, missing: str
) -> None:
    with s3_server() as s3:
        fill(s3)
        del s3.objects[f"{FOLDER}/{MODEL.sha}/{missing}" if missing == "manifest.json" else f"{FOLDER}/{missing}"]
        changes = {"api": s3.settings()}
        async with line(
            tmp_path, nats_url, database_url, scenario=AWAY, changes=changes, without="provisioner"
        ) as running:
            answer = await running.http.post("/instances", json={"model": MODEL.id, "instance_types": ["any"]})
            assert (answer.status_code, answer.json()["code"]) == (503, "hub_unavailable"), answer.text
