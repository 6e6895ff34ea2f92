"""What the mirror has of a model. Each raises MirrorFailed."""

from pydantic import ValidationError

from shared.weights_mirror.bucket import Bucket
from shared.weights_mirror.failures import MirrorFailed
from shared.weights_mirror.layout import MirrorManifest, is_commit, manifest_key, ref_key


def manifest_of(bucket: Bucket, model: str, commit: str) -> MirrorManifest | None:
    """None if the commit is not there, or not all of it."""
    text = bucket.read(manifest_key(model, commit))
    if text is None:
        return None
    try:
        return MirrorManifest.model_validate_json(text)
    except ValidationError as error:
        raise MirrorFailed(f"The mirror {bucket.mirror} has no readable manifest of {model}.") from error


def commit_of(bucket: Bucket, model: str, revision: str) -> str | None:
    """What a branch or tag named when it was mirrored; a commit names itself."""
    if is_commit(revision):
        return revision
    named = (bucket.read(ref_key(model, revision)) or b"").decode(errors="replace").strip()
    return named if is_commit(named) else None
