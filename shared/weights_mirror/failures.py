"""What a mirror's server or its client raises, as a sentence that says what to do."""

from typing import Final

from shared.weights_mirror.settings import WeightsMirror


class MirrorFailed(Exception):
    """The mirror did not do what it was asked for; the message is a sentence."""


_ACCESS: Final = "check COLDSTART_WEIGHTS_MIRROR_ACCESS_KEY"
_SECRET: Final = "check COLDSTART_WEIGHTS_MIRROR_SECRET_KEY"  # noqa: S105  a variable's name
_ENDPOINT: Final = "check COLDSTART_WEIGHTS_MIRROR_ENDPOINT"
_REGION: Final = "check COLDSTART_WEIGHTS_MIRROR_REGION"
_FULL: Final = "has no room left: free some, or raise its quota"
_BUSY: Final = "is asked for too much at once: try again later"
_SAYS: Final = {
    "NoSuchBucket": "has no such bucket: check COLDSTART_WEIGHTS_MIRROR",
    "InvalidAccessKeyId": f"does not know the access key: {_ACCESS}",
    "SignatureDoesNotMatch": f"refuses the secret key: {_SECRET}",
    "AccessDenied": "does not allow this to the access key: it must be allowed to list, read and write there",
    "403": f"refuses the keys: {_ACCESS} and COLDSTART_WEIGHTS_MIRROR_SECRET_KEY",
    "RequestTimeTooSkewed": "has another time than this computer: set the clock",
    "AuthorizationHeaderMalformed": f"is in another region: {_REGION}",
    "PermanentRedirect": f"is in another region: {_REGION} and COLDSTART_WEIGHTS_MIRROR_ENDPOINT",
    "QuotaExceeded": _FULL,
    "XMinioStorageFull": _FULL,
    "XMinioAdminBucketQuotaExceeded": _FULL,
    "InsufficientCapacity": _FULL,
    "InsufficientStorage": _FULL,
    "507": _FULL,
    "SlowDown": _BUSY,
    "ServiceUnavailable": _BUSY,
    "503": _BUSY,
}


def refused(mirror: WeightsMirror, code: str, message: str) -> MirrorFailed:
    """`code` and `message` are from the server's answer; of one without a body, the code is the HTTP status."""
    said = _SAYS.get(code, f"answered {code}: {message or 'no reason given'}")
    return MirrorFailed(f"The mirror {mirror} {said.rstrip('.')}.")


def unreachable(mirror: WeightsMirror, error: Exception) -> MirrorFailed:
    return MirrorFailed(f"The mirror {mirror} gave no answer: {_ENDPOINT}. {error}")


def untrusted(mirror: WeightsMirror, error: Exception) -> MirrorFailed:
    name = "SSL_CERT_FILE"
    return MirrorFailed(f"The certificate of the mirror {mirror} is not trusted: name its authority in {name}. {error}")
