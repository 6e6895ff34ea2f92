"""The mirror as a source of models' files, against a server that checks every signature."""

from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import httpx
import pytest

from services.provisioner.weights.mirror import MirrorWeights
from services.provisioner.weights.mirror_first import MirrorFirst
from services.provisioner.weights.source import WeightsFile, WeightsList
from shared.weights_mirror.layout import MirroredFile, MirrorManifest
from shared.weights_mirror.settings import WithWeightsMirror
from tests.loopback import NO_AUTHORITIES
from tests.provisioner.fake_weights import FakeWeights
from tests.s3_server import ACCESS, SECRET, Object, Refusal, S3Request, S3Server, s3_server

MODEL, COMMIT = "org/name", "5" * 40
FILES = {"config.json": b"{}", "sub/a b.json": b"[]", "model.safetensors": b"weights"}
VALID_S = 300.0


@pytest.fixture
def s3() -> Generator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def mirror(s3: S3Server) -> Generator[MirrorWeights]:
    where = WithWeightsMirror.model_validate(s3.settings()).mirror
    assert where is not None
    made = MirrorWeights(where, timeout_s=10.0, valid_s=VALID_S)
    yield made
    made.close()


async def got(url: str) -> httpx.Response:
    async with httpx.AsyncClient(verify=NO_AUTHORITIES) as client:
        return await client.get(url)


def mirrored(path: str, content: bytes) -> MirroredFile:
    git = "a" * 40 if path == "config.json" else None
    return MirroredFile(path=path, bytes=len(content), sha256=sha256(content).hexdigest(), git_blob=git)


def fill(s3: S3Server, *more: MirroredFile, whole: bool = True) -> None:
    folder = f"weights/{MODEL}/{COMMIT}"
    s3.objects |= {f"{folder}/{path}": Object(content) for path, content in FILES.items()}
    files = (*(mirrored(path, content) for path, content in FILES.items()), *more)
    manifest = MirrorManifest(model=MODEL, commit=COMMIT, files=files, whole=whole)
    s3.objects[f"{folder}/manifest.json"] = Object(manifest.model_dump_json().encode())
    s3.objects[f"weights/{MODEL}/refs/feature/x"] = Object(f"{COMMIT}\n".encode())


async def test_the_manifest_s_files_have_urls_that_need_no_key(s3: S3Server, mirror: MirrorWeights) -> None:
    fill(s3, whole=False)
    listed = await mirror.list(MODEL, COMMIT)
    assert listed is not None
    assert (listed.commit, listed.whole) == (COMMIT, False)
    for file in listed.files:
        content = FILES[file.path]
        git = file.path == "config.json"
        assert file.bytes == len(content)
        assert file.blob == ("a" * 40 if git else sha256(content).hexdigest())
        assert file.sha256 == (None if git else file.blob)
        assert not file.with_token
        assert SECRET not in file.url
        assert (await got(file.url)).content == content
    assert {file.path for file in listed.files} == set(FILES)
    assert ACCESS not in repr(listed)


async def test_its_urls_are_valid_as_long_as_said(s3: S3Server, mirror: MirrorWeights) -> None:
    fill(s3)
    listed = await mirror.list(MODEL, COMMIT)
    assert listed is not None
    began, url = s3.now(), listed.files[0].url
    for late_s, status in ((VALID_S - 5, 200), (VALID_S + 5, 403)):
        at = began + timedelta(seconds=late_s)
        s3.now = lambda at=at: at  # type: ignore[misc]
        assert (await got(url)).status_code == status


async def test_a_commit_that_is_not_there_or_half_there_has_no_list(s3: S3Server, mirror: MirrorWeights) -> None:
    assert await mirror.list(MODEL, COMMIT) is None
    fill(s3)
    assert await mirror.list(MODEL, "6" * 40) is None
    del s3.objects[f"weights/{MODEL}/{COMMIT}/manifest.json"]
    assert await mirror.list(MODEL, COMMIT) is None


@pytest.mark.parametrize("path", ["../../../etc/cron.d/x.json", "a\tb.json", "/etc/x.json"])
async def test_a_manifest_with_a_path_out_of_its_folder_is_no_list(
    s3: S3Server, mirror: MirrorWeights, path: str
) -> None:
    fill(s3, mirrored(path, b""))
    assert await mirror.list(MODEL, COMMIT) is None


async def test_a_manifest_that_is_none_is_no_list(s3: S3Server, mirror: MirrorWeights) -> None:
    fill(s3)
    for text in (b"", b"<html>", b'{"model": "org/name", "commit": "5"}', b"[]"):
        s3.objects[f"weights/{MODEL}/{COMMIT}/manifest.json"] = Object(text)
        assert await mirror.list(MODEL, COMMIT) is None


async def test_a_mirror_that_refuses_gives_no_list_and_no_commit(s3: S3Server, mirror: MirrorWeights) -> None:
    def refuse(_: S3Request) -> None:
        raise Refusal(403, "AccessDenied")

    fill(s3)
    s3.refuses = refuse
    assert await mirror.list(MODEL, COMMIT) is None
    assert await mirror.commit(MODEL, "feature/x") is None


async def test_a_branch_names_its_commit(s3: S3Server, mirror: MirrorWeights) -> None:
    fill(s3)
    assert await mirror.commit(MODEL, "feature/x") == COMMIT
    assert await mirror.commit(MODEL, "main") is None
    s3.objects[f"weights/{MODEL}/refs/main"] = Object(b"no commit")
    assert await mirror.commit(MODEL, "main") is None


async def test_the_mirror_is_asked_for_files_first_and_the_hub_for_what_a_branch_is() -> None:
    one = WeightsList(COMMIT, (WeightsFile("config.json", 2, "a" * 40, "https://mirror"),))
    other = replace(one, files=(replace(one.files[0], url="https://hub"),))
    mirror, hub = FakeWeights(), FakeWeights()
    both = MirrorFirst(mirror, hub)
    assert await both.list(MODEL, COMMIT) is None
    hub.lists[MODEL, COMMIT] = other
    assert await both.list(MODEL, COMMIT) == other
    mirror.lists[MODEL, COMMIT] = one
    assert await both.list(MODEL, COMMIT) == one
    mirror.commits[MODEL, "main"] = "6" * 40
    assert await both.commit(MODEL, "main") == "6" * 40
    hub.commits[MODEL, "main"] = COMMIT
    assert await both.commit(MODEL, "main") == COMMIT
