"""What is where in the mirror. Pure.

`ORG/NAME/COMMIT/PATH` are a commit's files, `ORG/NAME/COMMIT/manifest.json` describes them and is written when all are
there, and `ORG/NAME/refs/REVISION` names the commit of a branch or tag.
"""

import re
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from shared.lifecycle.wish import Task

MANIFEST: Final = "manifest.json"
_COMMIT: Final = re.compile("[0-9a-f]{40}")


class MirroredFile(BaseModel):
    """`git_blob`: its name in huggingface_hub's cache, for a small file; that of any other is its `sha256`."""

    model_config = ConfigDict(frozen=True)

    path: Annotated[str, Field(min_length=1, max_length=1024)]
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    git_blob: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None


class MirrorManifest(BaseModel):
    """A commit's files that vLLM reads. `whole`: it needs no others.

    `task`, `gated` and `parameters`: what the hub says of the model, for a control plane that cannot ask it.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    files: Annotated[tuple[MirroredFile, ...], Field(min_length=1)]
    whole: bool = True
    task: Task = "generate"
    gated: bool = False
    parameters: PositiveInt | None = None


def file_key(model: str, commit: str, path: str) -> str:
    return f"{model}/{commit}/{path}"


def manifest_key(model: str, commit: str) -> str:
    return f"{model}/{commit}/{MANIFEST}"


def ref_key(model: str, revision: str) -> str:
    return f"{model}/refs/{revision}"


def is_commit(text: str) -> bool:
    return _COMMIT.fullmatch(text) is not None
