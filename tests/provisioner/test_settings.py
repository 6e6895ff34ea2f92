"""The deadlines fit together: a pull is shorter than an install, an install shorter than a startup."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.health.settings import HealthSettings
from services.provisioner.install.registry import Registry
from services.provisioner.settings import ProvisionerSettings

SECRET = {"master_secret": "a master secret that is long enough for anybody"}
LARGE_GB = 140
SLOW_GB_PER_S = 0.1
BOOTING_AND_LOADING_S = 600


def settings(**changes: Any) -> ProvisionerSettings:
    return ProvisionerSettings.model_validate({**SECRET, **changes})


@pytest.mark.parametrize(
    ("endpoint", "workers"),
    [
        ("https://huggingface.co", None),
        ("http://127.0.0.1:4566/hub", None),
        ("http://localhost:4566/hub", None),
        ("http://[::1]:4566/hub", None),
        ("https://hub.example.com", "https://hub.example.com"),
        ("http://10.77.0.1:8090", "http://10.77.0.1:8090"),
    ],
)
def test_workers_load_from_the_mirror_that_is_set_unless_only_this_computer_reaches_it(
    endpoint: str, workers: str | None
) -> None:
    assert settings(HF_ENDPOINT=endpoint).workers_hub == workers


def test_workers_reach_a_hub_under_an_address_of_their_own() -> None:
    made = settings(HF_ENDPOINT="http://127.0.0.1:8090", worker_hf_endpoint="http://hub.internal:8090")
    assert made.workers_hub == "http://hub.internal:8090"
    made = settings(HF_ENDPOINT="http://hub.internal:8090", worker_hf_endpoint="https://huggingface.co")
    assert made.workers_hub is None


def test_the_mirror_s_keys_are_in_no_output() -> None:
    keys = {"weights_mirror_access_key": "an-access-key", "weights_mirror_secret_key": "a-secret-key"}
    assert settings(weights_mirror="s3://models", **keys).secret_texts == ("an-access-key", "a-secret-key")


def test_a_signed_url_outlives_the_install_that_it_is_for() -> None:
    made = settings()
    assert made.install_deadline_seconds < made.signed_urls_valid_s < 2 * made.install_deadline_seconds


def test_the_machines_proxies_are_read_and_loopback_is_always_reached_without(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings().machine_proxies.variables() == {"HTTP_PROXY": "", "HTTPS_PROXY": "", "NO_PROXY": ""}
    monkeypatch.setenv("COLDSTART_MACHINE_HTTPS_PROXY", "http://us:p%40ss@proxy.example.com:3128")
    monkeypatch.setenv("COLDSTART_MACHINE_NO_PROXY", "hub.example.com, 10.0.0.0/8,[fd00::1]")
    made = settings()
    assert made.machine_proxies.variables() == {
        "HTTP_PROXY": "",
        "HTTPS_PROXY": "http://us:p%40ss@proxy.example.com:3128",
        "NO_PROXY": "localhost,127.0.0.1,::1,hub.example.com,10.0.0.0/8,[fd00::1]",
    }
    assert made.secret_texts == ("p%40ss",)
    assert "p%40ss" not in f"{made!r}{made.machine_proxies!r}"


@pytest.mark.parametrize(
    "proxy", ["proxy:3128", "socks5://proxy", "http://", 'http://pro"xy', "http://a b", "http://a\\"]
)
def test_what_is_no_http_proxy_is_refused(proxy: str) -> None:
    with pytest.raises(ValidationError, match="machine_http_proxy"):
        settings(machine_http_proxy=proxy)


def test_a_registry_s_login_is_whole_or_not_there() -> None:
    made = settings(registry_mirror="mirror.example.com:5000/hub", registry_user="us", registry_password="a-password")
    assert made.registry == Registry("mirror.example.com:5000/hub", "us", "a-password")
    assert made.secret_texts == ("a-password",)
    assert "a-password" not in f"{made!r}{made.registry!r}"
    assert settings().registry == Registry()
    for half in ({"registry_user": "us"}, {"registry_password": "a-password"}):
        with pytest.raises(ValidationError, match="must be set together"):
            settings(**half)
    with pytest.raises(ValidationError, match="registry_mirror"):
        settings(registry_mirror="https://mirror.example.com")


def test_the_certificates_of_a_site_are_read_once_and_nothing_else_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "site.pem"
    one, other = (f"-----BEGIN CERTIFICATE-----\n{name}\n-----END CERTIFICATE-----" for name in ("MIIB", "MIIC"))
    key = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"
    file.write_text(f"our authority\n{one}\n{key}\n\n{other}\n")
    assert settings(machine_ca_file=str(file)).machine_ca_file == f"{one}\n{other}"
    file.write_text(key)
    for wrong in (file, tmp_path / "none"):
        with pytest.raises(ValidationError, match="machine_ca_file"):
            settings(machine_ca_file=str(wrong))


def test_health_and_the_provisioner_know_the_same_startup() -> None:
    assert HealthSettings.model_validate(SECRET).startup_seconds == settings().startup_seconds


@pytest.mark.parametrize("startup_seconds", [60, 5400, 20_000])
def test_an_install_that_fails_says_so_well_before_the_startup_is_given_up(startup_seconds: float) -> None:
    made = settings(startup_seconds=startup_seconds)
    assert made.install_deadline_seconds == startup_seconds / 2
    assert 2 * made.image_pull_seconds < made.install_deadline_seconds


def test_after_the_longest_install_there_is_still_time_to_fetch_a_large_model_slowly() -> None:
    made = settings()
    left_s = made.startup_seconds - made.install_deadline_seconds
    assert left_s > LARGE_GB / SLOW_GB_PER_S + BOOTING_AND_LOADING_S


def test_a_deadline_of_ones_own_is_taken() -> None:
    made = settings(startup_seconds=1000, install_deadline_seconds=600, image_pull_seconds=250)
    assert (made.install_deadline_seconds, made.image_pull_seconds) == (600, 250)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"startup_seconds": 1000, "install_deadline_seconds": 800}, "at most three quarters of startup_seconds"),
        ({"image_pull_seconds": 1800}, "room for two tries of image_pull_seconds"),
        ({"startup_seconds": -1}, "startup_seconds"),
    ],
)
def test_deadlines_that_do_not_fit_are_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        settings(**changes)
