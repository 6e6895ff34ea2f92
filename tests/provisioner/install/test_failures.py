"""Tries of an install end once they fail alike for a reason that does not pass."""

import pytest

from services.provisioner.install.failures import in_vain, may_pass
from services.provisioner.install.proxies import Proxies
from shared.lifecycle.events import SshInstallFailed
from tests.lifecycle import facts as f


def failed(*output: str, phase: str = "docker_install", status: int = 100) -> SshInstallFailed:
    return f.ssh_install_failed(output=output, phase=phase, exit_status=status, reason="exit status 100")


@pytest.mark.parametrize(
    "line",
    [
        "Err:1 http://archive.ubuntu.com/ubuntu noble InRelease  Temporary failure resolving 'archive.ubuntu.com'",
        "E: Failed to fetch http://archive.ubuntu.com/ubuntu/pool/d/docker.io.deb  503  Service Unavailable",
        "E: Failed to fetch http://mirror.test/Packages.gz  File has unexpected size (1 != 2).",
        "E: Failed to fetch http://mirror.test/Packages.gz  Hash Sum mismatch",
        "curl: (6) Could not resolve host: nvidia.github.io",
        "curl: (22) The requested URL returned error: 503",
        "toomanyrequests: You have reached your unauthenticated pull rate limit.",
        "received unexpected HTTP status: 502 Bad Gateway",
        'Error response from daemon: Get "https://registry-1.docker.io/v2/": net/http: TLS handshake timeout',
        'Error response from daemon: Get "https://registry-1.docker.io/v2/": dial tcp 1.2.3.4:443: i/o timeout',
        "failed to copy: httpReadSeeker: failed open: unexpected EOF",
        "dial tcp: lookup registry-1.docker.io: no such host",
        "The image was not pulled within 900 s. The next try continues with the layers that are complete.",
    ],
)
def test_what_a_mirror_a_registry_or_the_network_gets_over_is_tried_until_the_deadline(line: str) -> None:
    assert may_pass(failed(line), Proxies())
    assert not in_vain([failed(line, "E: Unable to locate package docker.io")] * 30, 3, Proxies())


@pytest.mark.parametrize(
    "line",
    [
        "E: Unable to locate package docker.io",
        "manifest for vllm/vllm-openai:v0.6.2.post1 not found: manifest unknown: manifest unknown",
        "pull access denied for acme/vllm, repository does not exist or may require 'docker login'",
        "write /var/lib/docker/tmp/GetImageBlob503: no space left on device",
        "nvidia-smi failed: the NVIDIA driver is missing or broken. Install it, or choose an image made for GPUs.",
        "mkfs.ext4: Input/output error",
    ],
)
def test_what_does_not_pass_ends_after_some_equal_tries(line: str) -> None:
    assert not may_pass(failed(line), Proxies())
    assert not in_vain([failed(line)] * 2, 3, Proxies())
    assert in_vain([failed(line)] * 3, 3, Proxies())


def test_numbers_are_no_difference_and_anything_else_is() -> None:
    alike = [failed(f"dpkg: error processing package docker.io, pid {number}") for number in (1, 22, 333)]
    assert in_vain(alike, 3, Proxies())
    for other in (failed("another line"), failed(*alike[0].output, phase="image_pull"), failed(status=1)):
        assert not in_vain([*alike[:2], other], 3, Proxies())
        assert not in_vain([other, *alike[:2]], 3, Proxies())
    assert in_vain([failed("another line"), *alike], 3, Proxies())
