"""The mirror's bucket, by botocore. Import this module where there is a mirror: it and its client take 20 MB.

Calls block; their callers run them in threads, several at once if they like. Each raises MirrorFailed.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType
from typing import Any, Final
from urllib.request import getproxies_environment

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, SSLError
from botocore.session import Session

from shared.proxies import UnusableProxy, proxy_for
from shared.weights_mirror.failures import MirrorFailed, refused, unreachable, untrusted
from shared.weights_mirror.settings import WeightsMirror

MOST_BYTES: Final = 8 * 2**20
"""The most that `read` takes."""
LONGEST_VALID_S: Final = 7 * 24 * 3600
"""A signed URL is valid for a week at most."""
_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound"})
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_AWS: Final = "https://s3.amazonaws.com"


@dataclass(frozen=True)
class Stored:
    """An object's size, and what it was described with when it was written."""

    bytes: int
    description: Mapping[str, str]


@dataclass(frozen=True)
class Upload:
    """A begun upload in parts. Its object is there when it is finished, not before."""

    object_key: str
    id: str


class Bucket:
    """`timeout_s`: for each answer. A call is tried `tries` times, where trying again helps."""

    def __init__(self, mirror: WeightsMirror, *, timeout_s: float, tries: int = 3) -> None:
        self.mirror = mirror
        self._timeout_s = timeout_s
        self._tries = tries
        self._clients: dict[str | None, Any] = {}
        self._lock = Lock()

    def read(self, key: str) -> bytes | None:
        """None if it is not there."""
        with self._failures():
            try:
                answer = self._client().get_object(**self._object(key))
            except ClientError as error:
                if _is_missing(error):
                    return None
                raise
            if answer["ContentLength"] > MOST_BYTES:
                answer["Body"].close()
                raise MirrorFailed(f"The mirror {self.mirror} has more than {MOST_BYTES} bytes as {key}.")
            content: bytes = answer["Body"].read()
            return content

    def look(self, key: str) -> Stored | None:
        """None if it is not there."""
        with self._failures():
            try:
                found = self._client().head_object(**self._object(key))
            except ClientError as error:
                if _is_missing(error):
                    return None
                raise
        return Stored(found["ContentLength"], found["Metadata"])

    def check(self) -> None:
        """Whether the mirror lets us list it."""
        with self._failures():
            self._client().list_objects_v2(Bucket=self.mirror.bucket, Prefix=self.mirror.prefix, MaxKeys=1)

    def write(self, key: str, content: bytes, description: Mapping[str, str] = NOTHING) -> None:
        with self._failures():
            self._client().put_object(**self._object(key), Body=content, Metadata=dict(description))

    def begin(self, key: str, description: Mapping[str, str] = NOTHING) -> Upload:
        with self._failures():
            begun = self._client().create_multipart_upload(**self._object(key), Metadata=dict(description))
        return Upload(key, begun["UploadId"])

    def send(self, upload: Upload, number: int, content: bytes) -> str:
        """Part `number`, from 1. Returns what `finish` has to know of it."""
        with self._failures():
            sent = self._client().upload_part(
                **self._object(upload.object_key), UploadId=upload.id, PartNumber=number, Body=content
            )
        return str(sent["ETag"])

    def finish(self, upload: Upload, parts: list[str]) -> None:
        numbered = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(parts, 1)]
        with self._failures():
            self._client().complete_multipart_upload(
                **self._object(upload.object_key), UploadId=upload.id, MultipartUpload={"Parts": numbered}
            )

    def abandon(self, upload: Upload) -> None:
        """What was sent of it takes no more room."""
        with self._failures():
            self._client().abort_multipart_upload(**self._object(upload.object_key), UploadId=upload.id)

    def begun(self, key: str) -> list[Upload]:
        """Uploads of this key that nobody has finished."""
        whole = self._key(key)
        with self._failures():
            found = self._client().list_multipart_uploads(Bucket=self.mirror.bucket, Prefix=whole)
        return [Upload(key, each["UploadId"]) for each in found.get("Uploads", ()) if each["Key"] == whole]

    def signed_url(self, key: str, valid_s: float) -> str:
        """Gets the object from where machines reach the mirror, without any key. No server is asked for it."""
        with self._failures():
            url: str = self._client(self.mirror.machine_endpoint).generate_presigned_url(
                "get_object", Params=self._object(key), ExpiresIn=int(min(valid_s, LONGEST_VALID_S))
            )
        return url

    def _key(self, key: str) -> str:
        return "/".join(filter(None, (self.mirror.prefix, key)))

    def _object(self, key: str) -> dict[str, str]:
        return {"Bucket": self.mirror.bucket, "Key": self._key(key)}

    def _client(self, *endpoint: str | None) -> Any:
        """For the control plane's endpoint, unless another is given. Clients are made one after the other."""
        where = endpoint[0] if endpoint else self.mirror.endpoint
        with self._lock:
            if where not in self._clients:
                self._clients[where] = self._made(where)
            return self._clients[where]

    def _made(self, endpoint: str | None) -> Any:
        """Servers other than AWS get a bucket's name in the path, and no checksums that not all of them know."""
        url = endpoint or _AWS
        try:
            proxy = proxy_for(url, getproxies_environment())
        except UnusableProxy as error:
            raise MirrorFailed(f"{error}.") from error
        if proxy and proxy.startswith("socks"):
            raise MirrorFailed(f"The mirror {self.mirror} is not reached by a SOCKS proxy: name its host in NO_PROXY.")
        config = Config(
            region_name=self.mirror.region,
            signature_version="s3v4",
            s3={"addressing_style": "path" if endpoint else "virtual"},
            connect_timeout=self._timeout_s,
            read_timeout=self._timeout_s,
            retries={"mode": "standard", "total_max_attempts": self._tries},
            proxies=dict.fromkeys(("http", "https"), proxy) if proxy else {},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        return Session().create_client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=self.mirror.access_key.get_secret_value(),
            aws_secret_access_key=self.mirror.secret_key.get_secret_value(),
            config=config,
            verify=os.environ.get("SSL_CERT_FILE") or None,
        )

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Translates what botocore raises."""
        try:
            yield
        except ClientError as error:
            message = error.response.get("Error", {}).get("Message", "")
            raise refused(self.mirror, _code(error), str(message)) from error
        except SSLError as error:
            raise untrusted(self.mirror, error) from error
        except (BotoCoreError, OSError) as error:
            raise unreachable(self.mirror, error) from error


def _is_missing(error: ClientError) -> bool:
    return _code(error) in _MISSING


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
