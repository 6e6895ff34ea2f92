"""An S3-compatible server on loopback, in memory, that checks every signature by botocore's own signer.

It knows what a mirror is asked for, and can refuse, be full, break off and lie.
"""

import re
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import md5, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ACCESS: Final = "an-access-key"
SECRET: Final = "a-secret-key-of-the-mirror"
REGION: Final = "site-1"
BUCKET: Final = "models"
_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<scope>\S+), SignedHeaders=(?P<signed>\S+), Signature=(?P<signature>\w+)"
)


@dataclass(frozen=True)
class Refusal(Exception):
    status: int
    code: str
    message: str = "as the test wants it"


@dataclass(frozen=True)
class S3Request:
    """`key` is without its bucket; `query` decoded."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str:
        return unquote(urlsplit(self.target).path).lstrip("/").partition("/")[2]

    @property
    def bucket(self) -> str:
        return unquote(urlsplit(self.target).path).lstrip("/").partition("/")[0]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


@dataclass(frozen=True)
class Object:
    content: bytes
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass
class _Upload:
    key: str
    metadata: dict[str, str]
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass
class S3Server:
    """`refuses` may raise a Refusal. `breaks_off` are keys of which the next answer ends in the middle."""

    url: str = ""
    objects: dict[str, Object] = field(default_factory=dict)
    uploads: dict[str, _Upload] = field(default_factory=dict)
    asked: list[S3Request] = field(default_factory=list)
    refuses: Callable[[S3Request], None] = lambda _: None
    breaks_off: set[str] = field(default_factory=set)
    room: int | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def settings(self, prefix: str = "weights") -> dict[str, str]:
        """A control plane's, with this server as its mirror."""
        return {
            "weights_mirror": f"s3://{BUCKET}/{prefix}".rstrip("/"),
            "weights_mirror_endpoint": self.url,
            "weights_mirror_region": REGION,
            "weights_mirror_access_key": ACCESS,
            "weights_mirror_secret_key": SECRET,
        }

    def got(self, method: str) -> list[str]:
        """The keys of its requests with this method, without those for parts."""
        return [each.key for each in self.asked if each.method == method]

    def answer(self, asked: S3Request) -> tuple[int, dict[str, str], bytes]:
        self.asked.append(asked)
        self._check(asked)
        self.refuses(asked)
        if asked.bucket != BUCKET:
            raise Refusal(404, "NoSuchBucket")
        match asked.method:
            case "GET" | "HEAD" if asked.key:
                return self._object(asked)
            case "GET":
                return 200, {}, self._listed(asked)
            case "PUT":
                return self._put(asked)
            case "POST":
                return self._posted(asked)
            case _:
                self.uploads.pop(asked.query["uploadId"], None)
                return 204, {}, b""

    def _check(self, asked: S3Request) -> None:
        """The signature is in a header, or in the address."""
        query = asked.query
        if "X-Amz-Signature" in query:
            given = {"scope": query["X-Amz-Credential"], "signed": query["X-Amz-SignedHeaders"]}
            given |= {"signature": query["X-Amz-Signature"]}
            signer, at = S3SigV4QueryAuth, query["X-Amz-Date"]
            began = datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            if self.now() > began + timedelta(seconds=int(query["X-Amz-Expires"])):
                raise Refusal(403, "AccessDenied", "Request has expired")
        else:
            found = _AUTHORIZATION.fullmatch(asked.headers.get("authorization", ""))
            if found is None:
                raise Refusal(403, "AccessDenied", "unsigned")
            given, signer, at = found.groupdict(), S3SigV4Auth, asked.headers["x-amz-date"]
            if asked.headers["x-amz-content-sha256"] != sha256(asked.body).hexdigest():
                raise Refusal(400, "XAmzContentSHA256Mismatch")
        access, _, region, *_ = given["scope"].split("/")
        if access != ACCESS:
            raise Refusal(403, "InvalidAccessKeyId")
        if region != REGION:
            raise Refusal(400, "AuthorizationHeaderMalformed", f"the region is {REGION}")
        if given["signature"] != _signature(signer, asked, given["signed"].split(";"), at):
            raise Refusal(403, "SignatureDoesNotMatch")

    def _object(self, asked: S3Request) -> tuple[int, dict[str, str], bytes]:
        stored = self.objects.get(asked.key)
        if stored is None:
            raise Refusal(404, "NoSuchKey")
        headers = {f"x-amz-meta-{name}": value for name, value in stored.metadata.items()}
        headers |= {"Accept-Ranges": "bytes", "ETag": _tag(stored.content)}
        if ranged := re.fullmatch(r"bytes=(\d+)-", asked.headers.get("range", "")):
            begin, size = int(ranged[1]), len(stored.content)
            if begin >= size:
                raise Refusal(416, "InvalidRange")
            headers["Content-Range"] = f"bytes {begin}-{size - 1}/{size}"
            return 206, headers, stored.content[begin:]
        return 200, headers, stored.content

    def _put(self, asked: S3Request) -> tuple[int, dict[str, str], bytes]:
        kept = sum(len(each.content) for each in self.objects.values())
        kept += sum(len(part) for upload in self.uploads.values() for part in upload.parts.values())
        if self.room is not None and kept + len(asked.body) > self.room:
            raise Refusal(507, "XMinioStorageFull")
        if upload := asked.query.get("uploadId"):
            self.uploads[upload].parts[int(asked.query["partNumber"])] = asked.body
        else:
            self.objects[asked.key] = Object(asked.body, _metadata(asked))
        return 200, {"ETag": _tag(asked.body)}, b""

    def _posted(self, asked: S3Request) -> tuple[int, dict[str, str], bytes]:
        if "uploads" in asked.query:
            name = f"upload-{len(self.asked)}"
            self.uploads[name] = _Upload(asked.key, _metadata(asked))
            return 200, {}, _xml("InitiateMultipartUploadResult", f"<UploadId>{name}</UploadId>")
        upload = self.uploads.pop(asked.query["uploadId"])
        numbers = [int(number) for number in re.findall(rb"<PartNumber>(\d+)<", asked.body)]
        self.objects[asked.key] = Object(b"".join(upload.parts[number] for number in numbers), upload.metadata)
        return 200, {}, _xml("CompleteMultipartUploadResult", f"<Key>{escape(asked.key)}</Key>")

    def _listed(self, asked: S3Request) -> bytes:
        prefix = asked.query.get("prefix", "")
        if "uploads" not in asked.query:
            keys = [key for key in self.objects if key.startswith(prefix)]
            return _xml("ListBucketResult", "".join(f"<Contents><Key>{escape(key)}</Key></Contents>" for key in keys))
        found = ((name, upload.key) for name, upload in self.uploads.items() if upload.key.startswith(prefix))
        each = (f"<Upload><Key>{escape(key)}</Key><UploadId>{name}</UploadId></Upload>" for name, key in found)
        return _xml("ListMultipartUploadsResult", "".join(each))


@contextmanager
def s3_server() -> Generator[S3Server]:
    s3 = S3Server()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(s3))
    server.daemon_threads = True
    s3.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield s3
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(s3: S3Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = S3Request(self.command, self.path, headers, body)
            try:
                status, headers, content = s3.answer(asked)
            except Refusal as refusal:
                content = f"<Error><Code>{refusal.code}</Code><Message>{refusal.message}</Message></Error>".encode()
                status, headers = refusal.status, {"Content-Type": "application/xml"}
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            if asked.key in s3.breaks_off:
                s3.breaks_off.discard(asked.key)
                content, self.close_connection = content[: len(content) // 2], True
            self.wfile.write(content)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    return Handler


def _signature(signer: Any, asked: S3Request, signed: list[str], at: str) -> str:
    auth = signer(Credentials(ACCESS, SECRET), "s3", REGION)
    target = re.sub("&X-Amz-Signature=[^&]*", "", asked.target)
    url = f"http://{asked.headers['host']}{target}"
    request = AWSRequest(asked.method, url, headers={name: asked.headers[name] for name in signed})
    request.context["timestamp"] = at
    signature: str = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return signature


def _metadata(asked: S3Request) -> dict[str, str]:
    prefix = "x-amz-meta-"
    return {name.removeprefix(prefix): value for name, value in asked.headers.items() if name.startswith(prefix)}


def _tag(content: bytes) -> str:
    return f'"{md5(content, usedforsecurity=False).hexdigest()}"'


def _xml(name: str, content: str) -> bytes:
    return f'<{name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{content}</{name}>'.encode()
