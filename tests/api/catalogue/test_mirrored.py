"""A model that the mirror has is known without the hub, as it was when it was mirrored."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, field

import pytest

from services.api.catalogue.hub import client as h
from services.api.catalogue.hub.contents import Contents, RevisionUnknown
from services.api.catalogue.hub.mirrored import Mirrored
from shared.weights_mirror.layout import MirroredFile, MirrorManifest
from shared.weights_mirror.settings import WithWeightsMirror
from tests.s3_server import Object, S3Server, s3_server

MODEL, COMMIT = "org/name", "5" * 40
AWAY = h.HubUnreachable("away")
FOUND = h.Found(MODEL, "generate", gated=False)
MIRRORED = h.Found(MODEL, "embed", gated=True, sha=COMMIT, parameters=7, weights_bytes=14)
CONTENTS = Contents(
    MODEL,
    COMMIT,
    {"config.json": 12, "model.safetensors": 14},
    config={"layers": 2},
    parameters=7,
    weights_bytes=14,
)


@dataclass
class AHub:
    """With an answer of None it never answers."""

    looked_up: h.Lookup | None = AWAY
    replied: h.Reply | None = AWAY
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def look_up(self, model: str) -> h.Lookup:
        del model
        self.asked.set()
        return self.looked_up or await _never()

    async def contents(self, model: str, revision: str | None) -> h.Reply:
        del model, revision
        return self.replied or await _never()


async def _never() -> h.HubUnreachable:
    await asyncio.Event().wait()
    return AWAY


@pytest.fixture
def s3() -> Generator[S3Server]:
    with s3_server() as server:
        folder = f"weights/{MODEL}"
        files = [MirroredFile(path=path, bytes=size or 0, sha256="a" * 64) for path, size in CONTENTS.files.items()]
        manifest = MirrorManifest(
            model=MODEL, commit=COMMIT, files=tuple(files), task="embed", gated=True, parameters=7
        )
        server.objects = {
            f"{folder}/{COMMIT}/manifest.json": Object(manifest.model_dump_json().encode()),
            f"{folder}/{COMMIT}/config.json": Object(b'{"layers": 2}'),
            f"{folder}/refs/main": Object(COMMIT.encode()),
        }
        yield server


@pytest.fixture
def hub() -> AHub:
    return AHub()


@pytest.fixture
async def mirrored(s3: S3Server, hub: AHub) -> AsyncGenerator[Mirrored]:
    where = WithWeightsMirror.model_validate(s3.settings()).mirror
    assert where is not None
    made = Mirrored(hub, where, timeout_s=10.0, patience_s=0.01)
    yield made
    made.close()


@pytest.mark.parametrize("failure", [AWAY, h.TokenRefused(), h.RateLimited(7), None])
async def test_where_the_hub_does_not_answer_the_mirror_does(
    hub: AHub, mirrored: Mirrored, failure: h.HubFailure | None
) -> None:
    hub.looked_up = hub.replied = failure
    assert await mirrored.look_up(MODEL) == MIRRORED
    for revision in (None, "main", COMMIT):
        assert await mirrored.contents(MODEL, revision) == CONTENTS


async def test_what_the_hub_says_counts(s3: S3Server, hub: AHub, mirrored: Mirrored) -> None:
    for looked_up in (FOUND, h.NotOnHub(), h.Private(), h.Disabled(), h.Gated(with_token=True)):
        hub.looked_up = looked_up
        assert await mirrored.look_up(MODEL) == looked_up
    hub.replied = RevisionUnknown()
    assert await mirrored.contents(MODEL, "main") == RevisionUnknown()
    assert not s3.asked


async def test_of_what_the_mirror_does_not_have_the_hub_s_failure_is_said(mirrored: Mirrored) -> None:
    assert await mirrored.look_up("org/other") == AWAY
    assert await mirrored.contents(MODEL, "v1") == AWAY
    assert await mirrored.contents(MODEL, "6" * 40) == AWAY


async def test_a_mirror_that_makes_no_sense_or_refuses_is_as_good_as_none(s3: S3Server, mirrored: Mirrored) -> None:
    s3.objects[f"weights/{MODEL}/{COMMIT}/config.json"] = Object(b"<html>")
    assert await mirrored.contents(MODEL, None) == AWAY
    s3.objects[f"weights/{MODEL}/{COMMIT}/manifest.json"] = Object(b"{}")
    assert await mirrored.look_up(MODEL) == AWAY


async def test_whoever_gives_up_leaves_no_question_behind(hub: AHub, mirrored: Mirrored) -> None:
    hub.looked_up = None
    asking = asyncio.create_task(mirrored.look_up("org/other"))
    await hub.asked.wait()
    before = asyncio.all_tasks()
    asking.cancel()
    await asyncio.gather(*(before - {asyncio.current_task()}), return_exceptions=True)
    assert asyncio.all_tasks() == {asyncio.current_task()}
