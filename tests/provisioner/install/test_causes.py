"""Why an install failed is read from the words of apt, curl and Docker, as each printed them."""

from typing import Final

import pytest

from services.provisioner.install.causes import cause_of
from services.provisioner.install.failures import in_vain, may_pass
from services.provisioner.install.proxies import Proxies
from tests.lifecycle import facts as f

PROXIES: Final = Proxies("http://us:p%40ss@127.0.0.1:1", "http://proxy.invalid:3128")
HUB: Final = "https://registry-1.docker.io/v2/"
DOCKER: Final = "Error response from daemon: "
FETCH: Final = "W: Failed to fetch https://deb.example.com/debian/dists/bookworm/InRelease  "
NO_PACKAGE: Final = "E: Unable to locate package docker.io"
SOME_ARCHIVES: Final = "E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?"
CURL_60: Final = (
    "curl: (60) SSL certificate problem: self-signed certificate",
    "More details here: https://curl.se/docs/sslcerts.html",
    "curl failed to verify the legitimacy of the server and therefore could not",
    "establish a secure connection to it. To learn more about this situation and",
    "how to fix it, please visit the web page mentioned above.",
)
NOT_TRUSTED: Final = (
    "Certificate verification failed: The certificate is NOT trusted. The certificate issuer is unknown.  "
    "Could not handshake: Error in the certificate verification. [IP: 127.0.0.1 56011]"
)


def code_of(*output: str, proxies: Proxies = PROXIES) -> str | None:
    shown = cause_of(output, proxies)
    return None if shown is None else shown.cause.code


@pytest.mark.parametrize(
    ("output", "code"),
    [
        ((f'{DOCKER}Get "{HUB}": Forbidden',), "proxy_refused"),
        ((f'{DOCKER}Get "{HUB}": Proxy Authentication Required',), "proxy_refused"),
        ((f'{DOCKER}Get "{HUB}": Not with us',), "proxy_refused"),
        ((f'failed to do request: Head "{HUB}vllm/vllm-openai/manifests/v0.32.0": Forbidden',), "proxy_refused"),
        ((f'{DOCKER}Get "{HUB}": Service Unavailable',), "proxy_unreachable"),
        (
            (f'{DOCKER}Get "{HUB}": proxyconnect tcp: dial tcp 127.0.0.1:1: connect: connection refused',),
            "proxy_unreachable",
        ),
        (
            (f'{DOCKER}Get "{HUB}": proxyconnect tcp: dial tcp: lookup proxy.invalid on 10.0.0.2:53: no such host',),
            "proxy_unreachable",
        ),
        (
            (f'{DOCKER}Get "{HUB}": proxyconnect tcp: x509: certificate signed by unknown authority',),
            "certificate_untrusted",
        ),
        (
            (f'{DOCKER}Get "https://10.9.9.9/v2/": x509: certificate signed by unknown authority',),
            "certificate_untrusted",
        ),
        (
            (f'{DOCKER}Get "{HUB}": tls: failed to verify certificate: x509: certificate signed by unknown authority',),
            "certificate_untrusted",
        ),
        (
            (f'{DOCKER}Get "https://10.9.9.9:1/v2/": dial tcp 10.9.9.9:1: connect: connection refused',),
            "registry_unreachable",
        ),
        ((f'{DOCKER}Get "https://10.9.9.9/v2/": net/http: TLS handshake timeout',), "registry_unreachable"),
        ((f'{DOCKER}Head "https://10.9.9.9/v2/vllm/x/manifests/1": no basic auth credentials',), "registry_refused"),
        ((f"{DOCKER}denied",), "registry_refused"),
        (
            (
                f"{DOCKER}login attempt to https://10.9.9.9/v2/ failed with status: 401 Unauthorized",
                "10.9.9.9 does not accept the login.",
            ),
            "registry_refused",
        ),
        ((f'{DOCKER}Get "{HUB}": Forbidden', "Docker Hub does not accept the login."), "proxy_refused"),
        (
            (f'{DOCKER}error parsing HTTP 407 response body: invalid character: "<html>no</html>"',),
            "proxy_refused",
        ),
        (
            (f"{FETCH}Invalid response from proxy: HTTP/1.1 403 Not with us  Content-Length: 0  ", NO_PACKAGE),
            "proxy_refused",
        ),
        ((f"{FETCH}Invalid response from proxy: HTTP/1.1 502 Bad Gateway  ", NO_PACKAGE), "proxy_unreachable"),
        (
            (
                "E: Failed to fetch http://deb.example.com/docker.deb  407  Proxy Authentication Required [IP: ::1 1]",
                SOME_ARCHIVES,
            ),
            "proxy_refused",
        ),
        (
            (
                "E: Failed to fetch http://deb.example.com/docker.deb  403  Not with us [IP: 10.0.0.1 3128]",
                SOME_ARCHIVES,
            ),
            "proxy_refused",
        ),
        (
            (f"{FETCH}Could not connect to 127.0.0.1:1 (127.0.0.1). - connect (111: Connection refused)", NO_PACKAGE),
            "proxy_unreachable",
        ),
        ((f"{FETCH}Could not resolve 'proxy.invalid'", NO_PACKAGE), "proxy_unreachable"),
        ((f"{FETCH}{NOT_TRUSTED}", NO_PACKAGE), "certificate_untrusted"),
        (("curl: (22) The requested URL returned error: 407",), "proxy_refused"),
        (("curl: (56) Received HTTP code 403 from proxy after CONNECT",), "proxy_refused"),
        (("curl: (56) CONNECT tunnel failed, response 403",), "proxy_refused"),
        (
            ("curl: (7) Failed to connect to 127.0.0.1 port 1 after 0 ms: Couldn't connect to server",),
            "proxy_unreachable",
        ),
        (("curl: (5) Could not resolve proxy: proxy.invalid",), "proxy_unreachable"),
        (CURL_60, "certificate_untrusted"),
    ],
)
def test_what_a_tool_says_of_a_proxy_a_certificate_or_a_registry_is_known(output: tuple[str, ...], code: str) -> None:
    assert code_of("Reading package lists...", *output) == code


@pytest.mark.parametrize(
    "output",
    [
        (),
        (NO_PACKAGE,),
        ("E: Failed to fetch http://deb.example.com/docker.deb  403  Forbidden [IP: 10.0.0.1 80]", SOME_ARCHIVES),
        ("curl: (22) The requested URL returned error: 403",),
        (f"{FETCH}Could not connect to 127.0.0.1:1234 (127.0.0.1). - connect (111: Connection refused)", NO_PACKAGE),
        ("curl: (7) Failed to connect to 127.0.0.1 port 11 after 0 ms: Couldn't connect to server",),
        (f"{FETCH}{NOT_TRUSTED}", "dpkg: error processing package docker.io (--configure):"),
        (f"{FETCH}Invalid response from proxy: HTTP/1.1 403 Not with us", "mkfs.ext4: Input/output error"),
        ("manifest for vllm/vllm-openai:v0.6.2.post1 not found: manifest unknown: manifest unknown",),
        ("write /var/lib/docker/tmp/GetImageBlob503: no space left on device",),
    ],
)
def test_anything_else_is_none_of_these_causes_also_after_somebody_s_broken_repository(output: tuple[str, ...]) -> None:
    assert code_of(*output) is None


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("model.safetensors cannot be fetched: the server answered 403.", "weights_refused"),
        (
            "model.safetensors was fetched 3 times, and each time its checksum was not that of the hub's list.",
            "weights_differ",
        ),
        ("model.safetensors is shorter at the server than in the hub's list.", "weights_differ"),
        (
            "config.json: nothing more came in 8 tries. The last one: curl: (28) Operation too slow",
            "weights_unreachable",
        ),
        ("config.json: nothing more came in 8 tries. The last one: the server answered 429", "weights_unreachable"),
        (
            "config.json: nothing more came in 8 tries. The last one: curl: (5) Could not resolve proxy: proxy.invalid",
            "proxy_unreachable",
        ),
        ("The download of the weights was ended 3 times.", "weights_unreachable"),
        ("config.json: curl: (60) SSL certificate problem: self-signed certificate", "certificate_untrusted"),
        ("a.bin cannot be written: tmpfs 1.0M 1.0M 0 100% /mnt. curl: (23) Failure writing output", "no_disk_room"),
        (
            "The disk of /mnt has 9.0 GB free, and the image needs 9.6 GB: 0.6 GB are missing. Free some space",
            "no_disk_room",
        ),
    ],
)
def test_what_keeps_the_model_s_files_from_a_machine_is_told_apart(line: str, code: str) -> None:
    assert code_of("::phase::weights", line) == code
    failure = f.ssh_install_failed(output=(line,), phase="weights", exit_status=1, reason="it failed")
    assert may_pass(failure, PROXIES) is (code in {"weights_unreachable", "proxy_unreachable"})


def test_an_address_is_a_proxy_s_only_where_the_site_has_it() -> None:
    said = (f"{FETCH}Could not resolve 'proxy.invalid'", NO_PACKAGE)
    assert code_of(*said) == "proxy_unreachable"
    assert code_of(*said, proxies=Proxies()) is None


@pytest.mark.parametrize(
    ("output", "passes"),
    [
        ((f"{FETCH}Invalid response from proxy: HTTP/1.1 403 Forbidden", NO_PACKAGE), False),
        ((f"{FETCH}Could not resolve 'proxy.invalid'", NO_PACKAGE), True),
        ((f"{FETCH}{NOT_TRUSTED}", NO_PACKAGE), False),
        ((f'{DOCKER}Get "https://10.9.9.9/v2/": dial tcp 10.9.9.9:443: i/o timeout',), True),
        ((f"{DOCKER}denied",), False),
    ],
)
def test_a_refusal_ends_the_tries_though_apt_calls_it_a_failed_download_and_what_is_down_does_not(
    output: tuple[str, ...], passes: bool
) -> None:
    failure = f.ssh_install_failed(output=output, phase="docker_install", exit_status=100, reason="it failed")
    assert may_pass(failure, PROXIES) is passes
    assert in_vain([failure] * 3, 3, PROXIES) is not passes
