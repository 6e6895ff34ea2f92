"""The settings of the server that clients connect to."""

from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field, PositiveFloat, StringConstraints
from pydantic_settings import NoDecode

from shared.settings import ServiceSettings, words

Origin: TypeAlias = Annotated[str, StringConstraints(pattern=r"^(\*|https?://[a-z0-9.:\[\]-]+)$")]
"""As browsers send it: in lower case, without a slash at its end."""


class HttpSettings(ServiceSettings):
    """`api_port` 0 takes any free port. All times are in seconds.

    `client_kept_alive_seconds`: how long a client's connection is kept for its next request. OpenAI's clients keep
    theirs for five seconds, load balancers mostly for sixty; a server should keep it longer than its clients.
    `cors_origins`: the origins whose pages may ask for inference; `*` allows all.
    `request_head_seconds`, `request_body_seconds`: time limits for a head and a body; a silent connection has as long
    as a head. `discard_seconds`: how long the rest of a refused upload is read and discarded, so that its sender sees
    why. `stall_seconds`: how long a client may stop reading its answer.
    """

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8080, ge=0, le=65535)
    api_processes: int = Field(default=1, ge=1, le=64, description="that serve the port together")
    cors_origins: Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(words)] = Field(
        default=(), examples=["https://chat.example.com,https://example.org"]
    )

    max_connections: int = Field(default=10_000, gt=0, description="of clients, as far as the descriptors allow")
    max_head_bytes: int = Field(default=32_768, ge=1_024, description="of a request, its first line included")
    max_target_bytes: int = Field(default=8_192, ge=256, description="of a request's address")
    max_headers: int = Field(default=100, ge=10)
    max_body_bytes: int = Field(default=1_000_000, gt=0)
    max_inference_body_bytes: int = Field(default=32_000_000, gt=0)
    request_head_seconds: PositiveFloat = 10.0
    request_body_seconds: PositiveFloat = 60.0
    discard_seconds: PositiveFloat = 10.0
    client_kept_alive_seconds: PositiveFloat = 75.0
    stall_seconds: PositiveFloat = 30.0
    shutdown_seconds: PositiveFloat = 10.0
