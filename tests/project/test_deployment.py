"""docker-compose.yml and the Dockerfile against the code: every command exists, every variable is read by somebody."""

import re
import subprocess
import tomllib
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from services.api.settings import ApiSettings
from services.health.settings import HealthSettings
from services.provisioner.providers.scaleway.settings import ScalewaySettings
from services.provisioner.settings import ProvisionerSettings
from services.scaler.settings import ScalerSettings
from services.webhooks.settings import WebhooksSettings
from shared.bus.accounts import SERVICES, followers, services
from shared.bus.nats_configuration import variable
from shared.environment import variable as variable_of
from shared.settings import ServiceSettings, WithStartup
from shared.weights_mirror.settings import WithWeightsMirror

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OWN = {name: service for name, service in COMPOSE["services"].items() if service["image"].startswith("coldstart:")}
SETTINGS_MODULES = (
    "services.api.settings",
    "services.health.settings",
    "services.progress.settings",
    "services.provisioner.settings",
    "services.provisioner.providers.scaleway",
    "services.webhooks.settings",
    "simulator.settings",
    "coldstart.settings",
)


def read_by_the_code() -> set[str]:
    """Every environment variable that a settings class reads."""
    names: set[str] = set()
    for module in SETTINGS_MODULES:
        for settings in vars(import_module(module)).values():
            if isinstance(settings, type) and issubclass(settings, BaseSettings) and settings is not BaseSettings:
                prefix = settings.model_config.get("env_prefix") or ""
                for name, field in settings.model_fields.items():
                    alias = field.validation_alias
                    aliases = alias.choices if isinstance(alias, AliasChoices) else [alias]
                    names |= {str(known) if known else f"{prefix}{name}".upper() for known in aliases}
    return names


@pytest.mark.parametrize("name", OWN)
def test_every_command_of_the_compose_file_is_a_module_that_can_be_run(name: str) -> None:
    python, flag, module = OWN[name]["command"]
    assert (python, flag) == ("python", "-m")
    assert find_spec(f"{module}.__main__")


PROXIES = {"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"}
"""They have no prefix and no settings class: see shared/proxies.py."""


def test_every_variable_of_the_compose_file_is_read_by_some_settings_class() -> None:
    given = set(chain.from_iterable(service["environment"] for service in OWN.values()))
    assert given <= read_by_the_code() | PROXIES


class _EveryKeyOnce(yaml.SafeLoader):
    """Docker Compose refuses a file in which a key is there twice; PyYAML takes the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        given = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        assert len(given) == len({*given}), f"a key is there twice, {node.start_mark}"
        return super().construct_mapping(node, deep)


def test_every_key_is_there_once_as_docker_compose_wants_it() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert yaml.load(text, _EveryKeyOnce) == COMPOSE  # noqa: S506  it is a safe loader


@pytest.mark.parametrize(
    ("service", "name"), [("progress", "COLDSTART_ARCHIVE_DIR"), ("api", "COLDSTART_ROUTER_SNAPSHOT_DIR")]
)
def test_what_a_service_keeps_on_disk_is_in_a_volume_and_its_user_may_write_there(service: str, name: str) -> None:
    """A new volume has the owner of the folder that the image has at its place."""
    folder = OWN[service]["environment"][name]
    (volume,) = [each.partition(":")[0] for each in OWN[service]["volumes"] if each.endswith(f":{folder}")]
    assert volume in COMPOSE["volumes"]
    made = re.search(r"install --directory --owner coldstart --mode 700 (.*)$", DOCKERFILE, re.MULTILINE)
    assert made is not None
    assert folder in made[1].split()


def test_docker_kills_no_service_in_the_time_that_it_gives_to_what_is_under_way() -> None:
    longest = max(
        ApiSettings.model_fields["shutdown_seconds"].default,
        *(
            each.model_fields["stop_grace_seconds"].default
            for each in (HealthSettings, ProvisionerSettings, ScalerSettings, WebhooksSettings)
        ),
    )
    for name in ("api", "provisioner", "health", "progress", "scaler", "webhooks"):
        assert int(OWN[name]["stop_grace_period"].removesuffix("s")) >= 2 * longest, name


_OF_THE_MIRROR = set(WithWeightsMirror.model_fields) - {"weights_mirror_machine_endpoint"}
OWN_SETTINGS = {
    "webhooks": ("COLDSTART_WEBHOOKS_ALLOW_PRIVATE",),
    "api": ("COLDSTART_CORS_ORIGINS", *(variable_of(WithWeightsMirror, name) for name in _OF_THE_MIRROR)),
    "provisioner": (
        *("COLDSTART_SOURCE_RANGES", "COLDSTART_VLLM_IMAGE", "COLDSTART_VLLM_IMAGES"),
        *("COLDSTART_MACHINE_HTTPS_PROXY", "COLDSTART_MACHINE_HTTP_PROXY", "COLDSTART_MACHINE_NO_PROXY"),
        *("COLDSTART_REGISTRY_MIRROR", "COLDSTART_REGISTRY_USER", "COLDSTART_REGISTRY_PASSWORD"),
        *(
            "COLDSTART_WORKER_HF_ENDPOINT",
            *(variable_of(WithWeightsMirror, name) for name in WithWeightsMirror.model_fields),
        ),
    ),
}


def test_what_must_be_the_same_in_every_service_reaches_each_of_them() -> None:
    """`COLDSTART_WORKER_TLS=off` must not be read by one and missed by another."""
    same = set(WithStartup.model_fields) - set(ServiceSettings.model_fields) | {"lease_seconds", "former_lease_seconds"}
    wanted = {variable_of(WithStartup, name) for name in same} | {"COLDSTART_ALLOWED_IMAGES"}
    for name in ("api", "provisioner", "health", "progress", "scaler", "webhooks"):
        assert wanted <= set(OWN[name]["environment"]), name


def test_what_decides_who_reaches_what_and_where_machines_are_rented_can_be_set() -> None:
    for service, wanted in OWN_SETTINGS.items():
        assert set(wanted) <= set(OWN[service]["environment"])
    scaleway = {variable_of(ScalewaySettings, name) for name in ScalewaySettings.model_fields}
    assert scaleway <= set(OWN["provisioner"]["environment"])


def test_every_service_of_the_code_is_in_the_compose_file() -> None:
    services = {path.parent.name for path in (ROOT / "services").glob("*/__main__.py")}
    assert services <= set(OWN)
    assert OWN["simulator"]["profiles"] == ["simulated"]


def test_only_the_api_is_reachable_from_outside_and_only_on_loopback() -> None:
    published = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}
    assert list(published) == ["api"]
    assert all(port.startswith("127.0.0.1:") for port in published["api"])


def test_the_nats_server_is_recent_enough_for_what_the_journal_asks_of_it() -> None:
    version = COMPOSE["services"]["nats"]["image"].partition(":")[2].partition("-")[0]
    assert tuple(map(int, version.split("."))) >= (2, 12)


def test_every_service_is_its_own_user_on_nats_and_the_server_knows_every_users_password() -> None:
    for service in ("api", "provisioner", "health", "progress", "scaler", "webhooks"):
        url = f"nats://{service}:${{NATS_{service.upper()}_PASSWORD}}@nats:4222"
        assert OWN[service]["environment"]["COLDSTART_NATS_URL"] == url
    copier = "nats://copier:${NATS_COPIER_PASSWORD}@nats-followers:4222"
    assert OWN["progress"]["environment"]["COLDSTART_FOLLOWERS_NATS_URL"] == copier
    for name, account in (("nats", services()), ("nats-followers", followers())):
        server = COMPOSE["services"][name]
        assert set(server["environment"]) == {variable(user.name) for user in account.users}
        assert server["configs"] == [{"source": name, "target": "/etc/nats/nats.conf"}]
        assert ROOT / COMPOSE["configs"][name]["file"] == ROOT / "docs" / f"{name}.conf"


@pytest.mark.real
def test_what_an_earlier_nats_server_kept_becomes_the_services_once(tmp_path: Path) -> None:
    shell, flag, script = COMPOSE["services"]["nats"]["command"]
    script = script.replace("$$", "$").replace("/data/", f"{tmp_path}/").replace("exec nats-server", "exec true")
    former, now = tmp_path / "jetstream" / "$G", tmp_path / "jetstream" / SERVICES
    subprocess.run([shell, flag, script], check=True)
    assert not (tmp_path / "jetstream").exists()
    for kept in ("first", "second"):
        former.mkdir(parents=True)
        (former / kept).touch()
        subprocess.run([shell, flag, script], check=True)
    assert [file.name for file in now.iterdir()] == ["first"]


def test_the_image_holds_every_package_of_the_project() -> None:
    packages = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    copied = re.findall(r"^COPY (\w+) (\w+)$", DOCKERFILE, re.MULTILINE)
    assert {source for source, _ in copied} == set(packages)
    assert all((ROOT / package).is_dir() for package in packages)


def test_the_image_does_not_run_as_root() -> None:
    assert re.search(r"^USER (?!root)\w+$", DOCKERFILE, re.MULTILINE)
