import pytest
from pydantic import ValidationError

from shared.weights_mirror.settings import WithWeightsMirror

WHOLE = {
    "weights_mirror": "s3://models/a/b/",
    "weights_mirror_access_key": "an-access-key",
    "weights_mirror_secret_key": "a-secret-key",
}


def test_a_mirror_is_a_bucket_and_a_prefix_and_machines_reach_it_as_we_do() -> None:
    made = WithWeightsMirror.model_validate(WHOLE | {"weights_mirror_endpoint": "http://10.0.0.1:9000"})
    mirror = made.mirror
    assert mirror is not None
    assert (mirror.bucket, mirror.prefix, str(mirror)) == ("models", "a/b", "s3://models/a/b")
    assert mirror.machine_endpoint == mirror.endpoint == "http://10.0.0.1:9000"
    assert "a-secret-key" not in f"{made!r}{mirror!r}"
    assert "an-access-key" not in f"{made!r}{mirror!r}"


def test_without_settings_there_is_none() -> None:
    assert WithWeightsMirror.model_validate({}).mirror is None


@pytest.mark.parametrize("missing", [*WHOLE])
def test_a_mirror_is_whole_or_not_there(missing: str) -> None:
    with pytest.raises(ValidationError, match="must be set together"):
        WithWeightsMirror.model_validate({name: value for name, value in WHOLE.items() if name != missing})


@pytest.mark.parametrize(
    "url", ["models", "https://models", "s3://", "s3://Models", "s3://models//x", "s3://models/../x", "s3://models/x y"]
)
def test_what_is_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="weights_mirror"):
        WithWeightsMirror.model_validate(WHOLE | {"weights_mirror": url})
