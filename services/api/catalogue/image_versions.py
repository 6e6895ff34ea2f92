"""Which version of vLLM an image holds, as its tag says, or as a worker of it has answered."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

import structlog

from shared.images import digest_of
from shared.postgres.connection import DOWN, Pool
from shared.postgres.statements import statement
from shared.vllm_version import VllmVersion, version_in

_PATIENCE_S: Final = 2.0

log = structlog.get_logger()


@dataclass(frozen=True)
class ImageVersion:
    """`seen_at`: when the worker began that answered so; its tag may name another image by now.

    None: the image cannot have another version, as its digest or the version in its tag is known.
    """

    version: VllmVersion
    seen_at: datetime | None = None

    @property
    def is_certain(self) -> bool:
        return self.seen_at is None


Answers: TypeAlias = Mapping[str, ImageVersion]
"""The latest answer of a worker, by the image's digest, or else by its name."""


class ImageVersions:
    """`answers` are needed of images that are named by a digest, or by a tag that is no version."""

    def __init__(self, answers: Answers | None = None) -> None:
        self._answers: Final = answers or {}

    def of(self, image: str | None) -> ImageVersion | None:
        """None if nobody knows. A digest counts before the tag, which Docker ignores beside it."""
        if image is None:
            return None
        digest, named = digest_of(image), version_in(image)
        answer = self._answers.get(digest or image)
        if digest is not None and answer is not None:
            return ImageVersion(answer.version)
        return answer if named is None else ImageVersion(named)


class ImageVersionRepository:
    """Reads what workers have answered from the read model."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def of(self, images: Iterable[str | None]) -> ImageVersions:
        """Without the database, only what the images' names say: a launch does not wait for it."""
        unsettled = {digest_of(one) or one for one in images if one and (digest_of(one) or version_in(one) is None)}
        if not unsettled:
            return ImageVersions()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                rows = await self._pool.fetch(statement("services.api.catalogue", "vllm_versions"), sorted(unsettled))
        except DOWN as error:
            log.warning("versions of images not read", reason=repr(error))
            return ImageVersions()
        return ImageVersions(
            {image: ImageVersion(VllmVersion.parsed(version), seen_at) for image, version, seen_at in rows}
        )
