"""Against a server that checks every signature."""

from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Any

import httpx
import pytest

from shared.weights_mirror.bucket import MOST_BYTES, Bucket, Stored
from shared.weights_mirror.failures import MirrorFailed
from shared.weights_mirror.settings import WithWeightsMirror
from tests.s3_server import ACCESS, SECRET, Object, Refusal, S3Request, S3Server

pytestmark = pytest.mark.real

KEY = "org/name/a b+c/ü.json"
CONTENT = b"0123456789"
DESCRIBED = {"sha256": sha256(CONTENT).hexdigest()}


def bucket(s3: S3Server, *, tries: int = 1, **changes: Any) -> Bucket:
    mirror = WithWeightsMirror.model_validate({**s3.settings(), **changes}).mirror
    assert mirror is not None
    return Bucket(mirror, timeout_s=10.0, tries=tries)


def test_what_is_written_is_read_and_described(s3: S3Server) -> None:
    made = bucket(s3)
    assert (made.read(KEY), made.look(KEY)) == (None, None)
    made.write(KEY, CONTENT, DESCRIBED)
    assert s3.objects[f"weights/{KEY}"] == Object(CONTENT, DESCRIBED)
    assert made.read(KEY) == CONTENT
    assert made.look(KEY) == Stored(len(CONTENT), DESCRIBED)


def test_an_upload_in_parts_is_there_when_it_is_finished(s3: S3Server) -> None:
    made = bucket(s3)
    upload = made.begin(KEY, DESCRIBED)
    tags = [made.send(upload, 1, CONTENT[:6]), made.send(upload, 2, CONTENT[6:])]
    assert made.look(KEY) is None
    assert made.begun(KEY) == [upload]
    assert made.begun("org/name/") == []
    made.finish(upload, tags)
    assert s3.objects[f"weights/{KEY}"] == Object(CONTENT, DESCRIBED)
    made.abandon(made.begin(KEY, DESCRIBED))
    assert made.begun(KEY) == []


def test_whoever_has_a_signed_url_gets_the_object_and_the_rest_of_it_until_it_is_too_old(s3: S3Server) -> None:
    s3.objects[f"weights/{KEY}"] = Object(CONTENT)
    url = bucket(s3).signed_url(KEY, 60)
    assert not {ACCESS, SECRET}.issubset(url.split("/"))
    assert SECRET not in url
    assert httpx.get(url).content == CONTENT
    rest = httpx.get(url, headers={"Range": "bytes=6-"})
    assert (rest.status_code, rest.content) == (206, CONTENT[6:])
    assert httpx.get(url.replace("name", "other")).status_code == 403
    assert httpx.put(url, content=b"other").status_code == 403
    now = s3.now()
    s3.now = lambda: now + timedelta(seconds=62)
    assert httpx.get(url).status_code == 403


def test_a_signed_url_names_the_server_as_machines_reach_it(s3: S3Server) -> None:
    made = bucket(s3, weights_mirror_machine_endpoint="http://mirror.internal:9000/")
    assert made.signed_url(KEY, 60).startswith("http://mirror.internal:9000/models/weights/org/name/a%20b%2Bc/")
    made.write(KEY, CONTENT)
    assert made.read(KEY) == CONTENT


def test_without_an_endpoint_it_is_aws(s3: S3Server) -> None:
    url = bucket(s3, weights_mirror_endpoint=None, weights_mirror_region="eu-west-3").signed_url(KEY, 60)
    assert url.startswith("https://models.s3.eu-west-3.amazonaws.com/weights/org/")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"weights_mirror": "s3://nothing"}, "has no such bucket: check COLDSTART_WEIGHTS_MIRROR."),
        ({"weights_mirror_access_key": "wrong-one"}, "check COLDSTART_WEIGHTS_MIRROR_ACCESS_KEY."),
        ({"weights_mirror_secret_key": "wrong-one"}, "check COLDSTART_WEIGHTS_MIRROR_SECRET_KEY."),
        ({"weights_mirror_region": "elsewhere"}, "check COLDSTART_WEIGHTS_MIRROR_REGION."),
    ],
)
def test_a_wrong_setting_is_named_and_no_key_is(s3: S3Server, changes: dict[str, Any], why: str) -> None:
    made = bucket(s3, tries=1, **changes)
    for ask in (partial(made.write, KEY, CONTENT), partial(made.read, KEY), made.check):
        with pytest.raises(MirrorFailed) as failed:
            ask()
        assert str(failed.value).endswith(why)
        assert "wrong-one" not in str(failed.value)


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        (Refusal(507, "XMinioStorageFull"), "has no room left: free some, or raise its quota."),
        (Refusal(403, "QuotaExceeded"), "has no room left: free some, or raise its quota."),
        (Refusal(403, "AccessDenied"), "it must be allowed to list, read and write there."),
        (Refusal(400, "Strange", "a reason"), "answered Strange: a reason."),
    ],
)
def test_a_refusal_is_a_sentence(s3: S3Server, refusal: Refusal, why: str) -> None:
    def refuse(_: S3Request) -> None:
        raise refusal

    s3.refuses = refuse
    with pytest.raises(MirrorFailed, match=rf"^The mirror s3://models/weights .*{why}$"):
        bucket(s3).write(KEY, CONTENT)
    with pytest.raises(MirrorFailed):
        bucket(s3).look(KEY)


def test_an_overloaded_server_is_asked_again_and_then_named(s3: S3Server) -> None:
    left = [1]

    def refuse(_: S3Request) -> None:
        if left:
            left.pop()
            raise Refusal(503, "SlowDown")

    s3.refuses = refuse
    bucket(s3, tries=2).write(KEY, CONTENT)
    left.append(1)
    with pytest.raises(MirrorFailed, match="asked for too much at once"):
        bucket(s3).write(KEY, CONTENT)


def test_an_answer_that_breaks_off_is_no_answer(s3: S3Server) -> None:
    s3.objects[f"weights/{KEY}"] = Object(CONTENT)
    s3.breaks_off.add(f"weights/{KEY}")
    with pytest.raises(MirrorFailed, match="gave no answer"):
        bucket(s3).read(KEY)


def test_an_object_that_is_too_long_is_not_read(s3: S3Server) -> None:
    s3.objects[f"weights/{KEY}"] = Object(b" " * (MOST_BYTES + 1))
    with pytest.raises(MirrorFailed, match="has more than"):
        bucket(s3).read(KEY)


def test_a_server_that_is_away_is_named(s3: S3Server) -> None:
    with pytest.raises(MirrorFailed, match="gave no answer: check COLDSTART_WEIGHTS_MIRROR_ENDPOINT"):
        bucket(s3, weights_mirror_endpoint="http://127.0.0.1:1").check()
