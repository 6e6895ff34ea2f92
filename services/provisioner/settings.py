"""The provisioner's settings. All times are in seconds; the defaults suit a real cloud."""

import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import NoDecode

from services.provisioner.install.proxies import Proxies
from services.provisioner.install.registry import Registry
from shared.images import is_allowed
from shared.lifecycle.wish import Findings, Wish
from shared.metrics import WithMetrics
from shared.settings import HUB, HttpUrl, WithHub, WithStartup, words
from shared.urls import is_loopback
from shared.weights_mirror.settings import WithWeightsMirror

_INSTALLING_AT_MOST: Final = 0.75
_MARGIN_S: Final = 600.0
Image = Annotated[str, Field(pattern=r"^[a-zA-Z0-9]\S*$", examples=["an image such as vllm/vllm-openai:v0.32.0"])]


def _certificates_in(file: str) -> str:
    """Reads it once, at the start."""
    try:
        text = Path(file).read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} cannot be read as certificates in PEM") from error
    certificates = re.findall(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----", text)
    if not certificates:
        raise ValueError(f"{file} holds no certificate in PEM")
    return "\n".join(certificates)


def _text(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _half_of_the_startup(known: Mapping[str, Any]) -> float:
    return float(known["startup_seconds"]) / 2


def _third_of_the_install(known: Mapping[str, Any]) -> int:
    return max(1, int(known["install_deadline_seconds"] / 3))


def _a_proxy(url: SecretStr) -> SecretStr:
    """It stands in a file of systemd's between quotes."""
    text = url.get_secret_value()
    if not re.fullmatch(r"https?://[!#-\[\]-~]+", text) or not urlsplit(text).hostname:
        raise ValueError("not the URL of an HTTP proxy")
    return url


ProxyUrl = Annotated[
    SecretStr, AfterValidator(_a_proxy), Field(examples=["a URL such as http://user:password@proxy:3128"])
]
ProxyBypass = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:*/\[\]_-]+$")]


class ProvisionerSettings(WithStartup, WithHub, WithWeightsMirror, WithMetrics):
    """The waits and budgets of every action."""

    vllm_image: Image = "vllm/vllm-openai:v0.32.0"
    vllm_images: Mapping[str, Image] = Field(default_factory=dict)
    """A JSON object from instance type to image; other types get `vllm_image`."""
    source_ranges: tuple[str, ...] = ("0.0.0.0/0", "::/0")
    """Who may reach a machine's SSH and worker ports: a JSON list of CIDR blocks. Must include the control plane."""

    call_timeout_seconds: PositiveFloat = 8.0
    """Limit of one call to the provider; under a third of the lease, so that no call outlives the fence."""
    tag_visibility_seconds: PositiveFloat = 20.0
    """How long a new server may be missing from the provider's lists."""
    settle_seconds: PositiveFloat = 40.0
    """How long after a possible creation an empty list counts; longer than the two above together."""
    poll_seconds: PositiveFloat = 1.0
    """Longest time between two looks at a server that is about to change; the first looks come sooner."""

    launch_tries: PositiveInt = 35
    """Tries of each action of a launch; for a creation, of each zone and type.

    So many that the deadline comes first even with the shortest pauses.
    """
    launch_deadline_seconds: PositiveFloat = 900.0
    """Limit of each action of a launch, from the moment when its trigger was recorded."""
    backoff_seconds: PositiveFloat = 2.0
    """Pause before the second try; doubled before each further one."""
    longest_backoff_seconds: PositiveFloat = 60.0

    worker_hf_endpoint: HttpUrl | None = None
    """The hub as machines and workers reach it; None: as we do."""
    machine_http_proxy: ProxyUrl | None = None
    machine_https_proxy: ProxyUrl | None = None
    machine_no_proxy: Annotated[tuple[ProxyBypass, ...], NoDecode, BeforeValidator(words)] = ()
    """How machines and their workers reach the network; the proxies of this process itself are in other variables."""

    machine_ca_file: Annotated[str, AfterValidator(_certificates_in)] | None = None
    """In the environment a file with certificates in PEM; here its content. Machines and workers trust them, too."""
    registry_mirror: Annotated[str, Field(pattern=r"^[a-z0-9.-]+(:\d+)?(/[a-z0-9._-]+)*$")] | None = None
    """A registry that has Docker Hub's images: a host, perhaps with port and path."""
    registry_user: Annotated[str, Field(pattern=r"^[!-~]+$")] | None = None
    registry_password: SecretStr | None = None
    """For the mirror, else for Docker Hub."""

    install_tries: PositiveInt = 3
    """How many tries may fail alike for a reason that does not pass by itself. Others go on until the deadline."""
    install_deadline_seconds: PositiveFloat = Field(default_factory=_half_of_the_startup)
    """Limit of all tries, from SSH (or the reinstall). It ends well before health gives up without knowing why."""
    weights_by_host: bool = True
    """Machines fetch the model's files while they pull the image; otherwise vLLM fetches them when it starts."""
    weights_parallel: Annotated[int, Field(ge=1, le=64)] = 16
    """Over how many connections a machine fetches a model at once."""
    weights_read_ahead: bool = True
    """Files of a model that are on a machine's disk already are read into its memory while vLLM starts."""
    hub_timeout_seconds: PositiveFloat = 10.0
    """How long the hub may take to list a model's files. Without a list, vLLM fetches the model."""
    image_pull_seconds: PositiveInt = Field(default_factory=_third_of_the_install)
    """Limit of one try. A second one, which reuses the downloaded layers, fits into the deadline of all."""
    install_look_seconds: PositiveFloat = 5.0
    """While the install is silent, how often to check whether it is still wanted."""
    connect_timeout_seconds: PositiveFloat = 10.0
    keepalive_seconds: PositiveFloat = 5.0
    """After three unanswered keep-alives a machine counts as gone, and is connected to again."""
    key_patience_seconds: PositiveFloat = 600.0
    """How long a machine may refuse our SSH key: some images write the file of authorized keys anew as they boot."""
    key_rotation_seconds: PositiveFloat = 5.0
    """How long a machine may take after its install until it answers with its new host key."""

    machine_images: bool = False
    """Launches boot from a machine image that fits, where the provider has one."""
    machine_images_max_age_days: PositiveInt = 90
    """Older ones are retired, and deleted as soon as no launch needs them."""
    warm_seconds: PositiveInt = Field(default_factory=_third_of_the_install)
    """How long vLLM may take to run the model of a machine image once. Past it, the image is made without that."""
    store_image_seconds: PositiveFloat = 3600.0
    """Limit of storing a sealed machine's disk as a machine image, from the moment when it was sealed."""

    worker_output_seconds: PositiveFloat = 10.0
    """How long a release may wait for its machine's last words: its worker's log, its disk, its memory."""
    power_off_seconds: PositiveFloat = 240.0
    """How long a server may take to stop before the try counts as failed. Scaleway was seen to take 6 to 188 s."""
    volume_patience_seconds: PositiveFloat = 60.0
    """How long a server without a volume is not deleted: its boot volume is created late."""
    detach_seconds: PositiveFloat = 60.0
    """How long a volume may stay attached to a deleted server before the try counts as failed."""
    longest_release_backoff_seconds: PositiveFloat = 300.0

    reconcile_seconds: PositiveFloat = 60.0
    lost_after_seconds: PositiveFloat = 60.0
    """Time between the two answers that make a server lost."""
    hand_over_seconds: PositiveFloat = 180.0
    """Work that nobody has held for so long is handed over again."""
    instance_types_seconds: PositiveFloat = 300.0
    """How often the provider is asked for its offers."""

    max_launching: PositiveInt = 500
    max_installing: PositiveInt = 500
    max_releasing: PositiveInt = 500
    stop_grace_seconds: PositiveFloat = 10.0
    """How long a running call may take to finish when the service stops."""

    def image_for(self, instance_type: str | None) -> str:
        """The image of such machines, unless the request names one."""
        return self.vllm_images.get(instance_type or "", self.vllm_image)

    def hf_token_for(self, wish: Wish, found: Findings) -> str | None:
        """The token, if the model is gated and the image may have it: an image of these settings, or an allowed one.

        If it was not recorded whether a model is gated, it counts as gated.
        """
        trusted = wish.image is None or is_allowed(wish.image, self.allowed_images)
        if self.hf_token is None or found.gated is False or not trusted:
            return None
        return self.hf_token.get_secret_value()

    @property
    def machine_proxies(self) -> Proxies:
        return Proxies(_text(self.machine_http_proxy), _text(self.machine_https_proxy), self.machine_no_proxy)

    @property
    def registry(self) -> Registry:
        return Registry(self.registry_mirror, self.registry_user, _text(self.registry_password))

    @property
    def secret_texts(self) -> tuple[str, ...]:
        """What no output may show, besides what the master secret makes."""
        urls = (self.machine_http_proxy, self.machine_https_proxy)
        passwords = [urlsplit(url.get_secret_value()).password for url in urls if url]
        mirror = (_text(self.weights_mirror_access_key), _text(self.weights_mirror_secret_key))
        texts = (_text(self.hf_token), _text(self.registry_password), *mirror, *passwords)
        return tuple(text for text in texts if text)

    @property
    def workers_hub(self) -> str | None:
        """The mirror from which workers load models; None for Hugging Face, and for what only this computer reaches."""
        if self.worker_hf_endpoint is not None:
            return None if self.worker_hf_endpoint == HUB else self.worker_hf_endpoint
        return None if self.hf_endpoint == HUB or is_loopback(self.hf_endpoint) else self.hf_endpoint

    @property
    def signed_urls_valid_s(self) -> float:
        """Each try of the install gets new ones. The last byte of a try may be asked for when its deadline is near."""
        return self.install_deadline_seconds + _MARGIN_S

    @field_validator("source_ranges")
    @classmethod
    def _are_networks(cls, ranges: tuple[str, ...]) -> tuple[str, ...]:
        if not ranges:
            raise ValueError("without any range nobody reaches a machine")
        return tuple(str(ip_network(each)) for each in ranges)

    @model_validator(mode="after")
    def _whole_login(self) -> Self:
        if (self.registry_user is None) != (self.registry_password is None):
            raise ValueError("registry_user and registry_password must be set together")
        return self

    @model_validator(mode="after")
    def _in_proportion(self) -> Self:
        if self.call_timeout_seconds >= self.lease_seconds / 3:
            raise ValueError("call_timeout_seconds must be under a third of lease_seconds")
        if self.settle_seconds <= self.call_timeout_seconds + self.tag_visibility_seconds:
            raise ValueError("settle_seconds must exceed call_timeout_seconds and tag_visibility_seconds together")
        if self.install_deadline_seconds > self.startup_seconds * _INSTALLING_AT_MOST:
            raise ValueError("install_deadline_seconds must be at most three quarters of startup_seconds")
        if self.install_deadline_seconds < 2 * self.image_pull_seconds:
            raise ValueError("install_deadline_seconds must have room for two tries of image_pull_seconds")
        return self
